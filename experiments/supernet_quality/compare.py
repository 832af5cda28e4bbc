"""Subnets of a supernet against the same networks fine-tuned and trained alone.

    python experiments/supernet_quality/compare.py RUN ARCHITECTURE... [--epochs N] [--seeds 3]
        [--fine-tune 10] [--what inherited alone fine-tuned repeated] [-o FOLDER]

To the architectures (files that a search left) come the smallest and the largest of the space. Each
is tested as inherited, fine-tuned with `nas finetune`'s recipe, and trained alone from random
weights: the recipe of the run by labels alone, at the network's own image size throughout, and as
many passes over the images as the supernet had (or ``--epochs``). The smallest and the middle one
by MACs are trained with ``--seeds`` seeds, the others with one. ``--what`` leaves parts for later.

Claimed, over networks, seeds averaged: inherited minus
alone at least -0.5 points in the mean and -1.5 everywhere, fine-tuned minus alone at least 0.0 in
the mean, Kendall's tau between inherited and alone at least 0.8. Intervals are paired, Student's t
over networks. The searched networks were chosen for a high inherited accuracy on held-out images,
which favours them a little; the two ends were not chosen by anything.

Everything resumes where it was interrupted, network by network, epoch by epoch, and nothing that is
done is done again; ``results.json`` has what stands.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from lone import by_itself, inherited, tested
from scipy import stats
from units import RESULT, machine, once, passes, seconds_of

from nas.jobs.export import read_architecture
from nas.jobs.finetune import FINETUNED, finetune_command
from nas.jobs.trained import TrainedRun
from nas.run import Run
from nas.terminal import Screen
from nas.weights import load_subnet
from search_spaces import Architecture
from search_spaces.files import write_atomic

PARTS = ("inherited", "alone", "fine-tuned", "repeated")
Row = dict[str, Any]


def fine_tuned(
    trained: TrainedRun, one: Architecture, epochs: int, folder: Path, screen: Screen
) -> dict[str, Any]:
    """Fine-tune the subnet, or go on with it: what it reaches and how long it took."""

    def work() -> dict[str, Any]:
        finetune_command(trained, one, epochs, None, folder / "run", True, screen)
        subnet = load_subnet(folder / "run" / FINETUNED, trained.space).subnet
        seconds = seconds_of(folder / "run" / "log.csv")
        return {**tested(trained.evaluator, trained, subnet, one), "seconds": seconds}

    belongs = {**trained.belongs(), "network": trained.space.digest(one), "epochs": str(epochs)}
    return once(folder, belongs, work)


def gaps(rows: Sequence[Row], way: str) -> dict[str, Any]:
    """``way`` minus alone, network by network, and their mean with its interval."""
    there = [row for row in rows if row.get(way) and row["alone"]]
    apart = np.array([row[way]["test"] - lone(row) for row in there])
    found: dict[str, Any] = {"networks": len(there), "gaps": apart.round(3).tolist()}
    if len(there) > 1:
        half = stats.t.ppf(0.975, len(there) - 1) * apart.std(ddof=1) / len(there) ** 0.5
        found |= {
            "mean": round(float(apart.mean()), 3),
            "half": round(float(half), 3),
            "least": round(float(apart.min()), 3),
        }
    return found


def lone(row: Row) -> float:
    """Test accuracy of the network trained alone, in percent: the mean over seeds."""
    return float(np.mean([one["test"] for one in row["alone"]]))


def summary(rows: Sequence[Row]) -> dict[str, Any]:
    """Gaps, ranks, the spread over seeds, and what each way costs."""
    done = [row for row in rows if row["alone"] and row.get("inherited")]
    found: dict[str, Any] = {way: gaps(rows, way) for way in ("inherited", "fine-tuned")}
    if len(done) > 1:
        both = [row["inherited"]["test"] for row in done], [lone(row) for row in done]
        found["kendall"] = round(float(stats.kendalltau(*both)[0]), 3)
    repeated = [[one["test"] for one in row["alone"]] for row in rows if len(row["alone"]) > 1]
    if repeated:
        found["deviation over seeds"] = round(
            float(np.sqrt(np.mean([np.var(several, ddof=1) for several in repeated]))), 3
        )
    return found


def claims(found: dict[str, Any]) -> dict[str, bool]:
    """What is claimed of all networks that are done, and whether it holds."""
    ours, tuned = found["inherited"], found["fine-tuned"]
    return {
        "six networks or more": ours["networks"] >= 6,
        "inherited minus alone at least -0.5 in the mean": ours.get("mean", -99) >= -0.5,
        "inherited minus alone at least -1.5 everywhere": ours.get("least", -99) >= -1.5,
        "fine-tuned minus alone at least 0.0 in the mean": tuned.get("mean", -99) >= 0.0,
        "Kendall's tau at least 0.8": found.get("kendall", -1) >= 0.8,
    }


def costs(trained: TrainedRun, rows: Sequence[Row]) -> dict[str, float]:
    """Seconds of training: the supernet for all networks, one network alone or fine-tuned."""

    def mean(several: list[float]) -> float:
        return round(float(np.mean(several)), 1) if several else 0.0

    return {
        "supernet": seconds_of(trained.run.log),
        "a network alone": mean([one["seconds"] for row in rows for one in row["alone"]]),
        "a network fine-tuned": mean(
            [row["fine-tuned"]["seconds"] for row in rows if row.get("fine-tuned")]
        ),
    }


def brief(row: Row) -> Row:
    """Without what it takes to compare image by image."""
    kept = {**row, "alone": [{k: v for k, v in one.items() if k != "hits"} for one in row["alone"]]}
    for way in ("inherited", "fine-tuned"):
        if row.get(way):
            kept[way] = {k: v for k, v in row[way].items() if k != "hits"}
    return kept


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("architectures", type=Path, nargs="*")
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--fine-tune", type=int, default=10)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--what", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("-o", "--out", type=Path, default=Path("supernet-quality"))
    given = parser.parse_args()
    trained = TrainedRun(Run.open(given.run))
    space, screen = trained.space, Screen(False)
    epochs = given.epochs or passes(trained)
    ends = [space.decode(row) for row in (space.smallest, space.largest)]
    named = [read_architecture(file, space) for file in given.architectures]
    networks = {space.digest(one): one for one in (*ends, *named)}
    order = sorted(networks, key=lambda digest: space.lower(networks[digest]).macs)
    rows: dict[str, Row] = {}
    for digest in order:
        plan = space.lower(networks[digest])
        document = json.loads(networks[digest].to_json())
        costs_of = {"macs": plan.macs, "parameters": plan.params}
        rows[digest] = {"network": digest, "architecture": document, **costs_of, "alone": []}

    def folder(digest: str, way: str) -> Path:
        # What is inherited or fine-tuned is of one supernet, networks alone are of none.
        of = "" if way.startswith("alone") else f"-{trained.belongs()['weights'][:8]}"
        return Path(given.out / digest[:12] / f"{way}{of}")

    def lone_folder(digest: str, seed: int) -> Path:
        return folder(digest, f"alone-{epochs}-seed-{seed}")

    def keep() -> None:
        found = summary(list(rows.values()))
        document = {
            "run": str(given.run),
            "weights": trained.belongs()["weights"],
            "machine": machine(),
            "epochs": epochs,
            "rows": [brief(row) for row in rows.values()],
            "summary": found,
            "claims": claims(found),
            "seconds": costs(trained, list(rows.values())),
        }
        write_atomic(given.out / "results.json", json.dumps(document, indent=1) + "\n")
        screen.say(json.dumps({**found, **claims(found)}))

    def inherit(digest: str) -> None:
        place = folder(digest, "inherited")
        rows[digest]["inherited"] = inherited(trained, networks[digest], place)

    def alone(digest: str, seed: int = 0) -> None:
        plan, place = space.lower(networks[digest]), lone_folder(digest, seed)
        rows[digest]["alone"].append(by_itself(trained, plan, epochs, seed, place, screen))

    def tuned_folder(digest: str) -> Path:
        return folder(digest, f"fine-tuned-{given.fine_tune}")

    def tune(digest: str) -> None:
        one, place = networks[digest], tuned_folder(digest)
        rows[digest]["fine-tuned"] = fine_tuned(trained, one, given.fine_tune, place, screen)

    telling = [order[0], order[-1], *order[1:-1]]
    repeated = (order[0], order[len(order) // 2])
    units: list[tuple[str, Path, Callable[[], None]]] = [
        *(("inherited", folder(d, "inherited"), partial(inherit, d)) for d in telling),
        *(("alone", lone_folder(d, 0), partial(alone, d)) for d in telling),
        *(("fine-tuned", tuned_folder(d), partial(tune, d)) for d in telling),
        *(
            ("repeated", lone_folder(d, seed), partial(alone, d, seed))
            for seed in range(1, given.seeds)
            for d in repeated
        ),
    ]
    given.out.mkdir(parents=True, exist_ok=True)
    # First what earlier calls did, so that the results never have less than stands.
    for done in (True, False):
        for part, place, work in units:
            if (place / RESULT).is_file() == done and (done or part in given.what):
                work()
                if not done:
                    keep()
        keep()


if __name__ == "__main__":
    main()
