"""Do proxies that read which units are on rank better with more images, or more draws of weights?

    python experiments/predictors/batches.py [--networks 100] [--out FOLDER]

NASWOT, SWAP and linear regions on the development networks of ``proxies.py`` (NAS-Bench-Macro,
accuracies that the benchmark's authors trained), in these readings:

- on the first 32, 64, 128 and 256 training images of CIFAR-10, normalised as one; 64 is what
  ``proxies.py`` scores on, 128 the batch of NASWOT's paper;
- the mean score of three networks with other random weights, 64 images.

Readings are appended to FOLDER/batches.jsonl as they come, and the same command goes on where it
was stopped. FOLDER/batches.json has Spearman of each with its 95% interval, and by how much it is
above that of 64 images, of the same networks drawn with replacement.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).resolve().parent))
from proxies import SPACE, Floats, images, known, networks, record, resampled

from predictors import proxies, ranks
from search_spaces.files import write_atomic
from search_spaces.nas_bench_macro import genotypes, rows_of

NAMES = ("naswot", "swap", "linear_regions")
FORMULAS = proxies.formulas(NAMES)
SIZES = (32, 64, 128, 256)
USUAL = "64 images"
OTHER_DRAWS = (1, 2)
DRAWS = "64 images, mean of 3 draws of weights"
READINGS = (*(f"{size} images" for size in SIZES), DRAWS)


def readings(model: nn.Module, batch: tuple[Tensor, Tensor], genotype: str) -> dict[str, Any]:
    """Scores by name, of every reading."""
    pictures, labels = batch
    found = {
        f"{size} images": proxies.score(model, (pictures[:size], labels[:size]), NAMES)
        for size in SIZES
    }
    drawn = [found[USUAL]]
    for draw in OTHER_DRAWS:
        torch.manual_seed(int(genotype, 3) + draw * 3 ** len(genotype))
        other = SPACE.build(SPACE.decode(rows_of([genotype])[0]))
        drawn.append(proxies.score(other, (pictures[:64], labels[:64]), NAMES))
    found[DRAWS] = {name: float(np.mean([one[name] for one in drawn])) for name in NAMES}
    return {"formulas": FORMULAS, "readings": found}


def known_readings(path: Path) -> dict[str, dict[str, Any]]:
    """What was read, by these formulas, by genotype."""
    return known(path, lambda one: (*one["formulas"], *one["readings"]), (*FORMULAS, *READINGS))


def judged(done: dict[str, dict[str, Any]], names: list[str], accuracy: Floats) -> dict[str, Any]:
    """For each proxy and reading, Spearman, and how far it is above the usual reading's."""
    results: dict[str, Any] = {}
    for proxy in NAMES:
        values = {
            reading: np.array([done[name]["readings"][reading][proxy] for name in names])
            for reading in READINGS
        }
        again = {key: resampled(of, accuracy, ranks.spearman) for key, of in values.items()}
        results[proxy] = {
            reading: {
                "spearman": ranks.spearman(of, accuracy),
                "spearman_95": np.quantile(again[reading], (0.025, 0.975)).tolist(),
                "above_usual_95": np.quantile(
                    again[reading] - again[USUAL], (0.025, 0.975)
                ).tolist(),
            }
            for reading, of in values.items()
        }
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", type=int, default=100)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "proxies")
    parser.add_argument(
        "--data", type=Path, default=Path(os.environ.get("NAS_LOOP_DATA", "../shared/data"))
    )
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = networks("development", options.networks)
    path = options.out / "batches.jsonl"
    record(rows, path, known_readings(path), readings, images(options.data, max(SIZES)))
    done = known_readings(path)
    bench = json.loads((options.data / "nas-bench-macro_cifar10.json").read_text(encoding="utf-8"))
    names = genotypes(rows)
    accuracy = np.array([bench[name]["mean_acc"] for name in names])
    results = judged(done, names, accuracy)
    write_atomic(
        options.out / "batches.json",
        json.dumps({"part": "development", "networks": len(names), "proxies": results}, indent=1)
        + "\n",
    )
    for proxy, of in results.items():
        for reading, one in of.items():
            low, high = one["spearman_95"]
            less, more = one["above_usual_95"]
            print(
                f"{proxy:15} {reading:38} {one['spearman']:.3f} ({low:.3f} to {high:.3f}), "
                f"above {USUAL} by {less:+.3f} to {more:+.3f}"
            )


if __name__ == "__main__":
    main()
