"""How far a latency table is from measured networks that its fit did not see.

    python experiments/latency/accuracy.py --out experiments/latency/small-images
    python experiments/latency/accuracy.py --space ofa-mobilenetv3 --option resolutions=[224] \
        --out experiments/latency/ofa-mobilenetv3-224
    python experiments/latency/accuracy.py --out /tmp/quick --quick

Claims, for each resolution: on the held-out networks, uniform over choices and stratified over
MACs, the table's MAPE is at most 2% and at most 1.5 times the repeat noise of the same networks,
97% are within 5%, Kendall's tau is at least 0.90 (uniform) and 0.95 (stratified); the 90% intervals
cover 85 to 95% of the uniform sample. Exits with 1 if one falls short.

One campaign measures everything interleaved: the entries in context, the networks of the fit,
the held-out networks (uniform over choices, and stratified over MACs), and isolated blocks for
comparison. A killed campaign goes on from its samples in OUT/samples. Writes OUT/results.json,
OUT/accuracy.png and OUT/table.json, which is not kept with the project: it is large. Leave the
machine quiet. ``--again`` measures nothing.
"""

from __future__ import annotations

import argparse
import functools
import json
import shutil
import sys
import time
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np

import latency_lut
import search_spaces
from latency_lut.accuracy import accuracy
from latency_lut.agreement import HALVES
from latency_lut.build import fit_resolution
from latency_lut.campaign import Effort, Progress, collect
from latency_lut.entries import block_key
from latency_lut.journal import Journal
from latency_lut.latency import Latency, latencies
from latency_lut.measure import table_of
from latency_lut.plans import Networks, Plans, plan_table
from latency_lut.populations import network_name, sample_at
from latency_lut.seam import Model
from latency_lut.table import LatencyTable
from nas.jobs.imported import options_from
from search_spaces.onnx import random_plan_weights, write
from search_spaces.plan import Node, Plan
from search_spaces.space import Space
from search_spaces.specs import LayerSpec

mpl.use("Agg")
import matplotlib.pyplot as plt

Rows = tuple[tuple[int, ...], ...]
POOL = 4000
MOST_MAPE, NOISES, WITHIN_5, COVER = 0.02, 1.5, 0.97, (0.85, 0.95)
KENDALL = {"uniform": 0.90, "stratified": 0.95}


def stratified(space: Space, side: int, n: int, rng: np.random.Generator) -> Rows:
    """``n`` networks spread evenly over the range of MACs of a large sample."""
    rows = sample_at(space, side, POOL, rng)
    macs = space.macs(rows)
    wanted = np.linspace(*np.quantile(macs, [0.005, 0.995]), n)
    nearest = {int(np.argmin(np.abs(macs - target))) for target in wanted}
    return tuple(tuple(rows[i].tolist()) for i in sorted(nearest))


def isolated(spec: LayerSpec) -> Model:
    """The block alone between plain inputs and outputs, as it stands inside no network."""
    name = f"isolated {block_key(spec)}"

    def content() -> bytes:
        plan = Plan((Node("block", spec, (-1,), "block"),), (0,))
        rng = np.random.default_rng(zlib.crc32(name.encode()))
        return write(plan, random_plan_weights(plan, rng)).SerializeToString()

    return Model(name, content, size=4 * spec.params, guess_ms=0.01 + 1e-7 * spec.macs)


def figures(predicted: Any, std: Any, measured: Sequence[Latency]) -> dict[str, Any]:
    """The accuracy of one method as plain data."""
    return asdict(accuracy(np.asarray(predicted), std, list(measured)))


def methods(
    table: LatencyTable, measured: Mapping[str, Latency], plans: Plans, side: int
) -> dict[str, Any]:
    """Every way to predict: function of rows [n, choices] to ms [n]."""
    space = table.space
    fitted = [n for n in table.networks if n.resolution == side and n.fitted]
    rows = np.array([n.row for n in fitted])
    ms = np.array([n.latency.latency_ms for n in fitted])

    def entry_sum(vector: Mapping[str, float], X: Any) -> Any:
        values = [0.0, *(vector.get(block_key(spec), np.nan) for spec in space.specs[1:])]
        return space.total(values, X)

    def line(metric: Any, X: Any) -> Any:
        # Weighted by 1 / ms, since errors are counted relative to the time.
        design = np.stack([np.ones(len(rows)), metric(rows)], axis=1) / ms[:, None]
        slope = np.linalg.lstsq(design, np.ones(len(rows)), rcond=None)[0]
        return slope[0] + slope[1] * metric(X)

    own = {name: entry.ms for name, entry in table.entries.items()}
    alone = {block_key(s): measured[isolated(s).name].latency_ms for s in plans.specs[side]}
    return {
        "table": table.predict,
        "sum of entries in context": functools.partial(entry_sum, own),
        "sum of isolated blocks": functools.partial(entry_sum, alone),
        "line in MACs": functools.partial(line, space.macs),
        "line in parameters": functools.partial(line, space.parameters),
    }


def evaluate(
    table: LatencyTable,
    measured: Mapping[str, Latency],
    plans: Plans,
    samples: Mapping[int, Mapping[str, Rows]],
) -> dict[str, Any]:
    """Accuracy by resolution, sample and method."""
    found: dict[str, Any] = {}
    for side, kinds in samples.items():
        predictors = methods(table, measured, plans, side)
        found[str(side)] = {}
        for kind, rows in kinds.items():
            X = np.array(rows)
            truth = [measured[network_name(side, row)] for row in rows]
            std = table.predict(X, return_std=True)[1]
            found[str(side)][kind] = {
                name: figures(predict(X), std if name == "table" else None, truth)
                for name, predict in predictors.items()
            }
    return found


def learning_curve(
    table: LatencyTable, plans: Plans, samples: Mapping[int, Mapping[str, Rows]]
) -> dict[str, Any]:
    """MAPE on the uniform sample against how many of the fitted networks are used, in order."""
    curve: dict[str, Any] = {}
    for side in samples:
        here = [n for n in table.networks if n.resolution == side]
        seen = [n for n in here if n.fitted]
        uniform = set(samples[side]["uniform"])
        held_out = [n for n in here if n.row in uniform]
        curve[str(side)] = {}
        for n in sorted({3, 5, 10, 15, 20, len(seen)}):
            if n <= len(seen):
                networks = [*seen[:n], *held_out]
                _, result = fit_resolution(table.space, plans.specs[side], table.entries, networks)
                assert result is not None
                curve[str(side)][n] = result.mape
    return curve


def draw(table: LatencyTable, results: Mapping[str, Any], path: Path) -> None:
    """Predicted against measured times, and the error of every method."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.5))
    for side in table.fits:
        held_out = [n for n in table.networks if n.resolution == side and not n.fitted]
        ms = np.array([network.latency.latency_ms for network in held_out])
        predicted, std = table.predict(np.array([n.row for n in held_out]), return_std=True)
        left.errorbar(ms, predicted, 1.645 * std, fmt=".", markersize=4, linewidth=0.6, label=side)
    ends = left.get_xlim()
    left.plot(ends, ends, color="grey", linewidth=0.8)
    left.set(xlabel="measured latency (ms)", ylabel="predicted, 90% interval (ms)")
    left.legend(title="resolution")
    names = list(next(iter(results.values()))["uniform"])
    for offset, (side, kinds) in enumerate(results.items()):
        mape = [100 * kinds["uniform"][name]["mape"] for name in names]
        places = np.arange(len(names)) + 0.25 * offset
        bars = right.barh(places, mape, height=0.22, label=side)
        right.bar_label(bars, fmt="%.1f", padding=3)
    right.set(
        yticks=np.arange(len(names)), yticklabels=names, xlabel="MAPE on held-out networks (%)"
    )
    right.margins(x=0.12)
    right.invert_yaxis()
    figure.tight_layout()
    figure.savefig(path, dpi=140)


def show(results: Mapping[str, Any]) -> None:
    """The results as a table on standard output."""
    print(f"{'':34}{'MAPE':>7}{'bias':>7}{'<2.5%':>7}{'<5%':>7}{'tau':>7}{'cover':>7}{'repeat':>7}")
    for side, kinds in results.items():
        for kind, by_method in kinds.items():
            for name, f in by_method.items():
                cover = "" if f["coverage_90"] is None else f"{f['coverage_90']:.0%}"
                print(
                    f"{f'{side} {kind[:4]} {name}':34}{f['mape']:>7.1%}{f['bias']:>7.1%}"
                    f"{f['within_2_5']:>7.0%}{f['within_5']:>7.0%}{f['kendall'] or 0:>7.3f}"
                    f"{cover:>7}{f['repeat_noise']:>7.1%}"
                )


def claims_of(results: Mapping[str, Any]) -> dict[str, bool]:
    """What the table's figures say of each claim."""
    said: dict[str, bool] = {}
    for side, kinds in results.items():
        for kind, by_method in kinds.items():
            f, where = by_method["table"], f"{side} {kind}"
            noise, kendall, least = NOISES * f["repeat_noise"], f["kendall"] or 0.0, KENDALL[kind]
            said |= {
                f"{where}: MAPE {f['mape']:.2%}, at most {MOST_MAPE:.0%}": f["mape"] <= MOST_MAPE,
                f"{where}: MAPE {f['mape']:.2%}, at most {NOISES:g} times the repeat noise, "
                f"{noise:.2%}": f["mape"] <= noise,
                f"{where}: {f['within_5']:.1%} within 5%, at least {WITHIN_5:.0%}": f["within_5"]
                >= WITHIN_5,
                f"{where}: Kendall's tau {kendall:.3f}, at least {least:g}": kendall >= least,
            }
            if kind == "uniform":
                cover = f"{COVER[0]:.0%} to {COVER[1]:.0%}"
                said[f"{where}: 90% intervals cover {f['coverage_90']:.1%}, {cover}"] = (
                    COVER[0] <= f["coverage_90"] <= COVER[1]
                )
    return said


def quiet(table: LatencyTable) -> dict[str, bool]:
    """Whether the campaign is one that ``nas measure`` would have published."""
    differ = table.campaign.disagreement
    return {
        f"the halves of the campaign differ by {differ:.2%}, at most {HALVES:.0%}": differ <= HALVES
    }


def campaign(
    plans: Plans,
    models: Sequence[Model],
    effort: Effort,
    args: argparse.Namespace,
    rng: np.random.Generator,
) -> LatencyTable:
    """Measure all ``models``, or go on with it; the table of what ``plans`` asks for."""
    device = latency_lut.device(args.device, threads=args.threads)
    journal = Journal(args.out / "samples")
    header = {
        "arguments": {k: str(v) for k, v in vars(args).items()},
        "space": plans.space.identity,
    }
    if journal.header() == header:
        journal.resume()
    else:
        journal.begin(header)
    before, start = device.conditions(), time.monotonic()
    last = start

    def report(progress: Progress) -> None:
        nonlocal last
        if time.monotonic() - last > 10:
            last = time.monotonic()
            left = progress.seconds_left
            print(f"{progress.done}/{progress.total}, {left:.0f} s left", file=sys.stderr)

    collect(device, models, effort, rng, journal, report)
    seconds = time.monotonic() - start
    told = {"before": before, "after": device.conditions()}
    return table_of(plans, device.fingerprint(), journal, effort, rng, seconds, True, told)


def fitted_again(table: LatencyTable) -> LatencyTable:
    """The table that its own samples give with today's fit."""
    space, fits, figures = table.space, {}, {}
    for image in space.images:
        side = image.shape[-1]
        here = [one for one in table.networks if one.resolution == side]
        if here:
            specs = space.reachable(image)
            fits[side], figures[side] = fit_resolution(space, specs, table.entries, here)
    return replace(table, fits=fits, accuracy={k: one for k, one in figures.items() if one})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--space", default="small-images")
    parser.add_argument("--resolutions", type=int, nargs="*")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--option", action="append", default=[], help="KEY=VALUE of the space")
    parser.add_argument("--networks", type=int, default=200, help="held out, for each sample")
    parser.add_argument("--fitted", type=int, default=25)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--runs", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="one resolution, few of all")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument(
        "--again", action="store_true", help="fit and judge the samples in OUT/table.json again"
    )
    args = parser.parse_args()
    space = search_spaces.get(args.space, **options_from(args.option))
    effort = Effort(args.rounds, args.runs)
    if args.quick:
        args.networks, args.resolutions = 8, args.resolutions or [32]
        effort = Effort(3, 3, 2)
    rng = np.random.default_rng(args.seed)
    plans = plan_table(space, rng, args.resolutions, args.fitted, args.networks)
    samples: dict[int, dict[str, Rows]] = {}
    networks = {}
    for side, chosen in plans.networks.items():
        spread = stratified(space, side, args.networks, rng)
        samples[side] = {"uniform": chosen.held_out, "stratified": spread}
        # A network that the fit sees is not held out, whatever sample it is in.
        seen = set(chosen.fitted)
        samples[side]["stratified"] = tuple(row for row in spread if row not in seen)
        every = tuple(dict.fromkeys((*chosen.held_out, *samples[side]["stratified"])))
        networks[side] = Networks(chosen.fitted, every)
    plans = replace(plans, networks=networks)
    models = [*plans.models, *(isolated(spec) for spec in plans.specs_once)]

    if args.again:
        table = fitted_again(LatencyTable.load(args.out / "table.json", space))
        effort = Effort(table.campaign.rounds, table.campaign.runs)
        command = json.loads((args.out / "results.json").read_text())["command"]
    else:
        table = campaign(plans, models, effort, args, rng)
        command = " ".join(sys.argv)
    measured = latencies(table.windows, effort.rounds, rng)
    results = evaluate(table, measured, plans, samples)
    table.save(args.out / "table.json")
    document = {
        "command": command,
        "fitted_again": args.again,
        "fingerprint": table.fingerprint.to_dict(),
        "campaign": asdict(table.campaign),
        "models": len(models),
        "scales": {str(side): asdict(fit.posterior.scales) for side, fit in table.fits.items()},
        "spill": {
            str(side): {"threshold_mb": fit.threshold_mb, "ms_per_mb": fit.posterior.mean_ms[1]}
            for side, fit in table.fits.items()
        },
        "claims": {**claims_of(results), **quiet(table)},
        "accuracy": results,
        "learning_curve": learning_curve(table, plans, samples),
    }
    (args.out / "results.json").write_text(json.dumps(document, indent=1) + "\n")
    draw(table, results, args.out / "accuracy.png")
    show(results)
    shutil.rmtree(args.out / "samples", ignore_errors=True)
    for text, holds in document["claims"].items():
        print(f"{'holds' if holds else 'FALLS SHORT'}: {text}")
    sys.exit(not all(document["claims"].values()))


if __name__ == "__main__":
    main()
