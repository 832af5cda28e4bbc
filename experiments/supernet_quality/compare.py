"""Subnets of a supernet against the same networks fine-tuned and trained alone.

    python experiments/supernet_quality/compare.py RUN ARCHITECTURE... [--epochs 60] [--seeds 3]
        [--fine-tune 10] [-o FOLDER]

To the architectures (files that a search left) come the smallest and the largest of the space. Each
is tested as inherited, fine-tuned with `nas finetune`'s recipe, and trained alone from random
weights: the recipe of the run, no distillation, ``--epochs`` passes over the images. The first and
the last by MACs are trained with ``--seeds`` seeds, the others with one. Everything resumes where
it was interrupted, network by network, epoch by epoch; what is done is in ``results.json``, and the
summary is printed and written whenever another network is done.
"""

from __future__ import annotations

import argparse
import json
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from lone import accuracies, by_itself, seconds_of
from scipy import stats

from nas.data.batches import as_tensors
from nas.jobs.export import read_architecture
from nas.jobs.finetune import FINETUNED, finetune_command
from nas.jobs.trained import TrainedRun
from nas.run import Run
from nas.terminal import Screen
from nas.weights import load_subnet
from search_spaces import Architecture
from search_spaces.files import write_atomic


def fine_tuned(
    trained: TrainedRun, one: Architecture, epochs: int, folder: Path, screen: Screen
) -> dict[str, float]:
    """Fine-tune the subnet, or go on with it: what it reaches and how long it took."""
    finetune_command(trained, one, epochs, None, folder, True, screen)
    subnet = load_subnet(folder / FINETUNED, trained.space).subnet
    images = trained.dataset.images
    test, labels = as_tensors(trained.dataset.splits.test())
    found = {}
    for name, (x, y) in {"val": (images.val, images.val_labels), "test": (test, labels)}.items():
        scores = trained.evaluator.logits(subnet, one, x)
        found[name] = round(100.0 * float((scores.argmax(1) == y).double().mean()), 3)
    return {**found, "epochs": epochs, "seconds": seconds_of(folder / "log.csv")}


def summary(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Gaps to the networks trained alone, with paired intervals over networks; rank correlation."""
    rows = [row for row in rows if row.get("alone")]
    lone = np.array([np.mean([one["test"] for one in row["alone"]]) for row in rows])
    found: dict[str, Any] = {"networks": len(rows)}
    for name in ("inherited", "fine-tuned"):
        there = [i for i, row in enumerate(rows) if row.get(name)]
        gaps = np.array([rows[i][name]["test"] for i in there]) - lone[there]
        found[name] = {"gaps": gaps.round(3).tolist()}
        if len(gaps) > 1:
            half = stats.t.ppf(0.975, len(gaps) - 1) * gaps.std(ddof=1) / len(gaps) ** 0.5
            found[name]["mean"] = [round(float(v), 3) for v in (gaps.mean(), half)]
            ours = [rows[i][name]["test"] for i in there]
            found[name]["kendall"] = round(float(stats.kendalltau(ours, lone[there])[0]), 3)
    return found


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("architectures", type=Path, nargs="*")
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--fine-tune", type=int, default=10)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("-o", "--out", type=Path, default=Path("supernet-quality"))
    given = parser.parse_args()
    trained = TrainedRun(Run.open(given.run))
    space, screen = trained.space, Screen(False)
    ends = [space.decode(row) for row in (space.smallest, space.largest)]
    named = [read_architecture(file, space) for file in given.architectures]
    known = {space.digest(one): one for one in (*ends, *named)}
    order = sorted(known, key=lambda digest: space.lower(known[digest]).macs)
    rows: list[dict[str, Any]] = []
    for digest in order:
        plan = space.lower(known[digest])
        rows.append(
            {
                "network": digest,
                "architecture": json.loads(known[digest].to_json()),
                "macs": plan.macs,
                "parameters": plan.params,
                "inherited": accuracies(trained.evaluator, trained, known[digest]),
                "alone": [],
            }
        )

    def keep() -> None:
        document = {
            "run": str(given.run),
            "weights": trained.belongs()["weights"],
            "machine": platform.processor() or platform.machine(),
            "rows": rows,
            "summary": summary(rows),
        }
        write_atomic(given.out / "results.json", json.dumps(document, indent=1) + "\n")

    given.out.mkdir(parents=True, exist_ok=True)
    for seed in range(given.seeds):
        for row in rows:
            one, folder = known[row["network"]], given.out / row["network"][:12]
            if seed == 0:
                tuned = fine_tuned(trained, one, given.fine_tune, folder / "fine-tuned", screen)
                row["fine-tuned"] = tuned
            elif row not in (rows[0], rows[-1]):
                continue
            place, plan = folder / f"seed-{seed}", space.lower(one)
            row["alone"].append(by_itself(trained, plan, given.epochs, seed, place, screen))
            keep()
            screen.say(json.dumps(summary(rows)))


if __name__ == "__main__":
    main()
