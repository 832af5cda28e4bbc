"""Search a trained run for several budgets, export, and compare with PyTorch on the test images.

    python experiments/cifar10/budgets.py RUN [--budgets 0.2 0.3 ...] [-o results]

Needs RUN/supernet.safetensors and RUN/latency/cpu.json (`nas train`, `nas measure`). Writes one
folder a budget (front.json, best.json, best.onnx), results.json, results.md and frontier.png, and
prints which of the claims in README.md hold.
"""

from __future__ import annotations

import argparse
import csv
import json
import platform
import sys
import time
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from latency_lut import LatencyTable
from latency_lut import device as device_of
from nas.architectures import read_architecture
from nas.data.batches import as_tensors
from nas.export import ExportOptions, agreement
from nas.jobs.budget import SearchOptions
from nas.jobs.export import export_run
from nas.jobs.search import search_run
from nas.jobs.trained import TrainedRun
from nas.report.statistics import binomial
from nas.run import Run
from nas.terminal import Screen
from nas.training.evaluate import correct
from search_spaces.files import write_atomic


def one_budget(
    trained: TrainedRun, table: LatencyTable, budget: float, out: Path, screen: Screen
) -> dict[str, Any]:
    """Search, export and test one budget."""
    config = trained.config.search
    options = SearchOptions(
        budget,
        evaluations=config.population * config.generations,
        seed=config.seed,
        candidates=config.candidates,
    )
    out.mkdir(parents=True, exist_ok=True)
    front = search_run(
        trained, table, options, out, device_of("cpu", table.fingerprint.threads), screen
    )
    best = front["points"][front["best"]]
    files = Run(out)
    architecture = read_architecture(files.best)
    began = time.monotonic()
    export_run(trained, architecture, files.onnx, ExportOptions())
    exported = time.monotonic() - began
    images, labels = as_tensors(trained.dataset.splits.test())
    network = trained.evaluator.network(architecture)
    scores = trained.evaluator.logits(network, architecture, images)
    same = agreement(files.onnx, network, trained.trained.normalisation, ExportOptions(), images)
    return {
        "budget_ms": budget,
        "network": trained.space.digest(architecture),
        "predicted_ms": best["predicted_latency_ms"],
        "predicted_std_ms": best["predicted_latency_std"],
        "measured_ms": best["latency_ms"],
        "measured_low_ms": best["latency_low"],
        "measured_high_ms": best["latency_high"],
        "val_accuracy": best["val_accuracy"],
        "test_accuracy": correct(scores, labels),
        "test_images": len(labels),
        "macs": best["macs"],
        "parameters": best["parameters"],
        "resolution": architecture["resolution"],
        "onnx_images": same.images,
        "onnx_different": same.different,
        "onnx_ties": same.ties,
        "onnx_largest_difference": same.largest_difference,
        "seconds": {**front["seconds"], "export": round(exported, 2)},
    }


def ends(trained: TrainedRun) -> dict[str, dict[str, float]]:
    """Test accuracy of the largest and the smallest network of the space."""
    images, labels = as_tensors(trained.dataset.splits.test())
    rows = {"largest": trained.space.largest, "smallest": trained.space.smallest}
    return {
        name: {
            "val_accuracy": trained.val_accuracy(row),
            "test_accuracy": trained.evaluator.accuracy(trained.space.decode(row), images, labels),
        }
        for name, row in rows.items()
    }


def claims(rows: list[dict[str, Any]], ends: dict[str, dict[str, float]]) -> dict[str, list[Any]]:
    """What is claimed: the figure found, and whether it holds."""
    rows = sorted(rows, key=lambda row: row["measured_ms"])
    different_networks = len({row["network"] for row in rows})
    tested = [row["test_accuracy"] for row in rows]
    drop = float((np.maximum.accumulate(tested) - tested).max())
    spread = rows[-1]["measured_ms"] / rows[0]["measured_ms"]
    over = max(row["measured_ms"] / row["budget_ms"] for row in rows)
    different = sum(row["onnx_different"] for row in rows)
    largest = ends["largest"]["test_accuracy"]
    return {
        "test accuracy of the largest subnet, at least 90%": [largest, largest >= 90],
        "test accuracy of the fastest subnet, at least 84%": [tested[0], tested[0] >= 84],
        "different subnets, at least 5": [different_networks, different_networks >= 5],
        "slowest against fastest, at least 2": [spread, spread >= 2],
        "largest drop of test accuracy along the front, at most 0.5 points": [drop, drop <= 0.5],
        "measured against budget, at most 1": [over, over <= 1],
        "test images whose class differs in ONNX Runtime, 0": [different, different == 0],
    }


def seconds(trained: TrainedRun, table: LatencyTable) -> dict[str, float]:
    """How long training and measuring took, from the run's own records."""
    with trained.run.log.open() as stream:
        trained_s = sum(float(row["seconds"]) for row in csv.DictReader(stream))
    return {
        "train": round(trained_s),
        "measure": round(sum(campaign.seconds for campaign in table.campaigns)),
    }


def draw(rows: list[dict[str, Any]], path: Path, device: str) -> None:
    """The frontier: measured latency, test and validation accuracy with intervals."""
    figure, axes = plt.subplots(figsize=(7, 4.2), layout="constrained")
    latency = np.array([row["measured_ms"] for row in rows], dtype=float)
    for name, colour, images in (("test", "#1f5fa8", 10_000), ("val", "#b8860b", 5_000)):
        accuracy = np.array([row[f"{name}_accuracy"] for row in rows], dtype=float)
        ends = np.array([binomial(value, images) for value in accuracy]).T
        spread = np.abs(ends - accuracy)  # [2, rows], below and above
        axes.errorbar(latency, accuracy, spread, fmt="o-", color=colour, capsize=3, label=name)
    for row in rows:
        axes.axvline(float(str(row["budget_ms"])), color="0.8", lw=0.8, zorder=0)
    axes.set(
        xlabel=f"measured latency, ms (batch 1, one thread)\n{device}",
        ylabel="CIFAR-10 accuracy, % (95% intervals)",
        title="Subnets of one supernet, one for each budget (grey lines)",
    )
    axes.legend(loc="lower right")
    figure.savefig(path, dpi=130)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--budgets", type=float, nargs="*")
    parser.add_argument("-o", "--out", type=Path, default=Path(__file__).parent / "results")
    arguments = parser.parse_args()
    trained = TrainedRun(Run.open(arguments.run))
    table = LatencyTable.load(trained.run.latency("cpu"), trained.space)
    budgets = arguments.budgets
    if not budgets:
        fastest, slowest = table.predict(np.stack([trained.space.smallest, trained.space.largest]))
        spread = np.geomspace(1.6 * fastest, 1.02 * slowest, 6)
        budgets = [float(f"{budget:.2g}") for budget in spread]
    screen = Screen(False)
    rows = []
    for budget in budgets:
        screen.say(f"budget {budget:g} ms")
        rows.append(one_budget(trained, table, budget, arguments.out / f"{budget:g}ms", screen))
    limits = ends(trained)
    held = claims(rows, limits)
    for name, (found, holds) in held.items():
        print(f"{'holds' if holds else 'FALLS SHORT'}: {name}: {found:.4g}")
    document = {
        "rows": rows,
        "ends": limits,
        "claims": held,
        "seconds": seconds(trained, table),
        "fingerprint": table.fingerprint.to_dict(),
        "python": platform.python_version(),
        "weights": trained.belongs()["weights"],
    }
    write_atomic(arguments.out / "results.json", json.dumps(document, indent=1) + "\n")
    lines = [
        "| budget, ms | predicted, ms | measured, ms | val, % | test, % | MMACs | parameters |",
        "| ---: " * 7 + "|",
        *(
            f"| {row['budget_ms']:g} | {row['predicted_ms']:.3f} ± {row['predicted_std_ms']:.3f} "
            f"| {row['measured_ms']:.3f} | {row['val_accuracy']:.2f} | {row['test_accuracy']:.2f} "
            f"| {row['macs'] / 1e6:.1f} | {row['parameters']:,.0f} |"
            for row in rows
        ),
    ]
    write_atomic(arguments.out / "results.md", "\n".join(lines) + "\n")
    draw(rows, arguments.out / "frontier.png", str(document["fingerprint"].get("cpu", "")))
    sys.exit(not all(holds for _, holds in held.values()))


if __name__ == "__main__":
    main()
