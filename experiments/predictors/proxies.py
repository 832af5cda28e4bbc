"""How well zero-cost proxies rank networks that somebody trained, without a single label.

    python experiments/predictors/proxies.py [--part final] [--networks 1000] [--nodes 200]
        [--out FOLDER]

NAS-Bench-Macro: 3,969 different networks, trained on CIFAR-10. A fixed permutation of them is
divided: on the first 100, the part `development`, proxies and the default combination were chosen;
`final` are those after them, and nothing was chosen on these. Every network is built with weights
of its own seed and scored by all proxies on the same 64 images of CIFAR-10 (NAS_LOOP_DATA/cifar10).

Two ways to learn from 20, 50 or 100 labels are judged on the networks whose labels they did not
see, by ten draws of the labels each: weights of proxies (``combine.learn``) and ParZC, which reads
statistics of single layers. Those take two passes more, a fifth of the time of all proxies, and
are recorded of the first --nodes networks alone; both ways are compared on these, and the weights
are judged on all networks as well.

Scores are appended to FOLDER/PART.jsonl as they come, statistics of layers to PART-nodes.jsonl, and
the same command goes on where it was stopped. When all are there, or with --report, it writes
FOLDER/PART.json and PART.md: Spearman and Kendall with 95% intervals (bootstrap over networks),
which proxies do not beat counting layers, and what is lost by training only the best ten.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import search_spaces
from nas.data import ImageOptions, Part, Source, open_source
from nas.data.augment import Normalisation, normalise
from nas.data.decoding import decode
from predictors import proxies, ranks
from predictors.proxies import combine
from predictors.proxies.parzc import STATISTICS, ParZC, nodes
from search_spaces.errors import ArtefactError
from search_spaces.files import write_atomic
from search_spaces.nas_bench_macro import genotypes

DEVELOPMENT = 100
BATCH = 64
RESAMPLES = 1000
LEAST = 20
LABELS, DRAWS = (20, 50, 100), 10
SPACE = search_spaces.get("nas-bench-macro")
NAMES = tuple(name for name in proxies.names() if name != "w_pca")  # Networks without tokens.
FORMULAS = proxies.formulas(NAMES)
Floats = np.ndarray[Any, np.dtype[np.float64]]
Ints = np.ndarray[Any, np.dtype[np.int64]]
Learner = Callable[[Ints, Ints, int], Floats]
"""Fits on some networks, by number, and predicts labels of others; last comes a seed."""


def networks(part: str, count: int) -> np.ndarray:
    """Rows [n, 8] of a part, canonical and different."""
    rows = np.array(list(itertools.product(range(3), repeat=8)))
    rows = np.unique(SPACE.canonical(rows), axis=0)
    rows = rows[np.random.default_rng(0).permutation(len(rows))]
    return rows[:DEVELOPMENT][:count] if part == "development" else rows[DEVELOPMENT:][:count]


def images(data: Path, count: int = BATCH) -> tuple[Tensor, Tensor]:
    """The first ``count`` training images, normalised by their own mean and deviation."""
    source = open_source(data / "cifar10")
    whole = source.parts["train"]
    few = Part(whole.labels[:count], whole.open, whole.where)
    found = decode(Source(source.path, source.classes, {"train": few}), "train", ImageOptions(32))
    pixels = torch.from_numpy(found.images)
    own = Normalisation.of_histogram(found.histogram)
    return normalise(pixels, own), torch.from_numpy(found.labels)


def recorded(path: Path) -> list[dict[str, Any]]:
    """The lines of a file; a last line that was cut off is taken away."""
    if not path.is_file():
        return []
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        write_atomic(path, "".join(lines := lines[:-1]))
    return [json.loads(line) for line in lines]


def known(
    path: Path,
    what: Callable[[dict[str, Any]], tuple[str, ...]],
    names: tuple[str, ...],
) -> dict[str, dict[str, Any]]:
    """The lines of a file by genotype, all of which hold ``what`` of the names ``names``."""
    found = recorded(path)
    for one in found:
        if what(one) != names:
            raise ArtefactError(
                f"{path}: network {one['genotype']} has {what(one)}, and there are {names} now; "
                "move the file away to record anew"
            )
    return {one["genotype"]: one for one in found}


def known_scores(path: Path) -> dict[str, dict[str, Any]]:
    """What was scored by all proxies, as their formulas are now, by genotype."""
    found = known(path, lambda one: tuple(one["scores"]), FORMULAS)
    return {
        genotype: {**one, "scores": dict(zip(NAMES, one["scores"].values(), strict=True))}
        for genotype, one in found.items()
    }


def known_nodes(path: Path) -> dict[str, dict[str, Any]]:
    """Statistics of layers, ``nodes`` [nodes, statistics], by genotype."""
    return known(path, lambda one: tuple(one["statistics"]), STATISTICS)


def scores_of(model: nn.Module, batch: tuple[Tensor, Tensor], _: str) -> dict[str, Any]:
    """By every proxy, under its formula."""
    found = proxies.score(model, batch, NAMES)
    return {"scores": dict(zip(FORMULAS, found.values(), strict=True))}


def nodes_of(model: nn.Module, batch: tuple[Tensor, Tensor], _: str) -> dict[str, Any]:
    """What ParZC reads; they are logarithms, which four decimals are enough for."""
    return {"statistics": STATISTICS, "nodes": nodes(model, batch).round(4).tolist()}


def record(
    rows: np.ndarray,
    path: Path,
    done: Collection[str],
    seen: Callable[[nn.Module, tuple[Tensor, Tensor], str], dict[str, Any]],
    batch: tuple[Tensor, Tensor],
) -> None:
    """Append what is ``seen`` of the networks, by name, that are not ``done``."""
    missing = [
        (row, name) for row, name in zip(rows, genotypes(rows), strict=True) if name not in done
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    for number, (row, name) in enumerate(missing, 1):
        torch.manual_seed(int(name, 3))
        model = SPACE.build(SPACE.decode(row))
        busy = time.process_time()
        line = {"genotype": name, **seen(model, batch, name)}
        line["cpu_s"] = round(time.process_time() - busy, 2)
        with path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(line) + "\n")
            stream.flush()
            os.fsync(stream.fileno())
        each = (time.monotonic() - began) / number
        print(
            f"{number}/{len(missing)}: {line['cpu_s']:.1f} s of a core for this network, "
            f"{each:.1f} s each by the clock, {each * (len(missing) - number) / 60:.0f} min left",
            flush=True,
        )


def candidates(scores: list[dict[str, float]]) -> dict[str, Floats]:
    """Every proxy, and every combination that needs no label: [n] each."""
    table = {name: np.array([one[name] for one in scores]) for name in NAMES}
    everything = np.stack(list(table.values()), axis=1)
    ways: dict[str, Callable[[Floats], Floats]] = {
        "vote": combine.vote,
        "rank average": combine.rank_average,
        "rank product": combine.rank_product,
    }
    combined = {f"{way} of all": of(everything) for way, of in ways.items()}
    chosen = np.stack([table[name] for name in combine.DEFAULT], axis=1)
    for way in ("vote", "rank average"):
        combined[f"{way} of the default's"] = ways[way](chosen)
    return {**table, **combined, "default": combine.combined(scores)}


def resampled(values: Floats, accuracy: Floats, statistic: Callable[..., float]) -> Floats:
    """The statistic of networks that are drawn with replacement, the same for all candidates."""
    rng = np.random.default_rng(0)
    draws = rng.integers(0, len(accuracy), (RESAMPLES, len(accuracy)))
    return np.array([statistic(values[d], accuracy[d]) for d in draws])


def judged(values: Floats, by_layers: Floats, accuracy: Floats) -> dict[str, Any]:
    """Correlations with 95% intervals, and regret, of one candidate.

    ``by_layers``: what ``resampled`` says of Spearman by counting layers.
    """
    spearman = resampled(values, accuracy, ranks.spearman)
    kendall = resampled(values, accuracy, ranks.kendall)
    beyond = spearman - by_layers
    return {
        "spearman": ranks.spearman(values, accuracy),
        "spearman_95": np.quantile(spearman, (0.025, 0.975)).tolist(),
        "kendall": ranks.kendall(values, accuracy),
        "kendall_95": np.quantile(kendall, (0.025, 0.975)).tolist(),
        "beats_layers": bool(np.quantile(beyond, 0.025) > 0),
        "regret_top_1": ranks.regret(values, accuracy, 1),
        "regret_top_10": ranks.regret(values, accuracy, 10),
    }


def by_weights(scores: list[dict[str, float]], accuracy: Floats) -> Learner:
    """Weights of proxies from few labels."""
    table = np.array([[one[name] for name in NAMES] for one in scores])

    def predicted(few: Ints, others: Ints, _: int) -> Floats:
        return combine.learn(table[few], accuracy[few], pool=table).predict(table[others])

    return predicted


def by_parzc(tables: list[Floats], accuracy: Floats) -> Learner:
    """Weights of layers from few labels."""

    def predicted(few: Ints, others: Ints, seed: int) -> Floats:
        model = ParZC(seed=seed).fit([tables[i] for i in few], accuracy[few])
        return model.predict([tables[i] for i in others])

    return predicted


def learned(learner: Learner, accuracy: Floats) -> dict[str, Any]:
    """What was learned from few labels, judged on the other networks: means over draws."""
    found = {}
    for labels in LABELS:
        if 2 * labels > len(accuracy):
            continue
        rhos, taus = [], []
        for seed in range(DRAWS):
            order = np.random.default_rng(seed).permutation(len(accuracy))
            few, others = order[:labels], order[labels:]
            predicted = learner(few, others, seed)
            rhos.append(ranks.spearman(predicted, accuracy[others]))
            taus.append(ranks.kendall(predicted, accuracy[others]))
        found[str(labels)] = {
            "spearman": float(np.mean(rhos)),
            "spearman_std": float(np.std(rhos)),
            "kendall": float(np.mean(taus)),
            "kendall_std": float(np.std(taus)),
        }
    return found


def report(rows: np.ndarray, data: Path, out: Path, part: str) -> None:
    """Write the results and the table of what was scored."""
    done = known_scores(out / f"{part}.jsonl")
    names = [name for name in genotypes(rows) if name in done]
    if len(names) < LEAST:
        print(f"{len(names)} networks are scored; a report needs {LEAST}")
        return
    bench = json.loads((data / "nas-bench-macro_cifar10.json").read_text(encoding="utf-8"))
    accuracy = np.array([bench[name]["mean_acc"] for name in names])
    scores = [done[name]["scores"] for name in names]
    found = candidates(scores)
    by_layers = resampled(found["layers"], accuracy, ranks.spearman)
    results = {name: judged(values, by_layers, accuracy) for name, values in found.items()}
    results = dict(sorted(results.items(), key=lambda item: -item[1]["spearman"]))
    lines = [
        "| score | Spearman | Kendall | top-10 regret, points | beats layers |",
        "|---|---|---|---|---|",
    ]
    for name, one in results.items():
        low, high = one["spearman_95"]
        lines.append(
            f"| {name} | {one['spearman']:.3f} ({low:.3f} to {high:.3f}) | {one['kendall']:.3f} "
            f"| {one['regret_top_10']:.2f} | {'yes' if one['beats_layers'] else '**no**'} |"
        )
    document = {
        "benchmark": "NAS-Bench-Macro, CIFAR-10, 32x32",
        "part": part,
        "networks": len(names),
        "images": BATCH,
        "default": {"proxies": list(combine.DEFAULT), "way": "rank product"},
        "cpu_seconds_per_network": float(np.mean([done[name]["cpu_s"] for name in names])),
        "without labels": results,
        "learned, by labels": learned(by_weights(scores, accuracy), accuracy),
    }
    tables = known_nodes(out / f"{part}-nodes.jsonl")
    both = [i for i, name in enumerate(names) if name in tables]
    if both:
        truth = accuracy[both]
        document["learned where nodes are recorded"] = {
            "networks": len(both),
            "weights": learned(by_weights([scores[i] for i in both], truth), truth),
            "ParZC": learned(
                by_parzc([np.array(tables[names[i]]["nodes"]) for i in both], truth), truth
            ),
        }
    write_atomic(out / f"{part}.json", json.dumps(document, indent=1) + "\n")
    write_atomic(out / f"{part}.md", "\n".join(lines) + "\n")
    print("\n".join(lines))
    print(f"{len(names)} networks; written to {out / part}.json and .md")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--part", choices=("development", "final"), default="final")
    parser.add_argument("--networks", type=int, default=1000)
    parser.add_argument("--nodes", type=int, default=200, help="networks that ParZC is judged on")
    parser.add_argument("--report", action="store_true", help="only report what is there")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "proxies")
    parser.add_argument(
        "--data", type=Path, default=Path(os.environ.get("NAS_LOOP_DATA", "../shared/data"))
    )
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = networks(options.part, options.networks)
    if not options.report:
        batch = images(options.data)
        path = options.out / f"{options.part}.jsonl"
        record(rows, path, known_scores(path), scores_of, batch)
        path = options.out / f"{options.part}-nodes.jsonl"
        record(rows[: options.nodes], path, known_nodes(path), nodes_of, batch)
    report(rows, options.data, options.out, options.part)


if __name__ == "__main__":
    main()
