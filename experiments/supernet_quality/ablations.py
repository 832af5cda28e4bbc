"""What each part of training a supernet brings: trained without it, all else the same.

    python experiments/supernet_quality/ablations.py CONFIG [--epochs 15] [--seeds 2]
        [--subnets 20] [-o FOLDER]

``--epochs`` passes over the images of the configuration, a quarter of the usual 60. Progressive
shrinking is trained whole, without distillation, and without sorting channels; the sandwich rule
takes as many passes, and is trained with SGD as well where the configuration names another
optimizer. Every supernet is judged by the accuracy of the same networks of its space:
the smallest, the largest, and some spread over cost. With and without recalibrated norms on the
same weights, so that what recalibration brings needs no training of its own. Differences are paired
by network and seed; their 95% intervals are over seeds and networks, which are resampled both.
Trainings resume; what is done is in ``results.json``.
"""

from __future__ import annotations

import argparse
import functools
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from lone import seconds_of, trained_in

from nas.config import Config, Phase, TrainConfig
from nas.data.batches import as_tensors
from nas.dataset import Dataset, open_dataset
from nas.header import space_of
from nas.jobs.sampling import stratified
from nas.terminal import Screen
from nas.training.evaluate import Evaluator
from search_spaces import Architecture
from search_spaces.files import write_atomic
from search_spaces.supernet import Supernet

RESAMPLES = 2000


def shrinking(epochs: int) -> tuple[Phase, ...]:
    """Half of the passes for the largest network, the others for what opens in turn."""
    rest = epochs - epochs // 2
    width = rest - 5 * (rest // 8)
    each = rest // 8
    names = ("kernel", "depth", "depth", "expand", "expand")
    return (
        Phase("largest", epochs // 2),
        *(Phase(name, each) for name in names),  # type: ignore[arg-type]
        Phase("width", width),
    )


def _shrinking(config: TrainConfig, epochs: int, **others: Any) -> TrainConfig:
    return replace(
        config,
        strategy="progressive-shrinking",
        subnets=None,
        phases=shrinking(epochs),
        **others,
    )


def _sandwich(config: TrainConfig, epochs: int, **others: Any) -> TrainConfig:
    return replace(config, strategy="sandwich", phases=(Phase("all", epochs),), **others)


VARIANTS: Mapping[str, Callable[[TrainConfig, int], TrainConfig]] = {
    "progressive shrinking": _shrinking,
    "without distillation": functools.partial(_shrinking, distillation=0.0),
    "without sorting": functools.partial(_shrinking, sort_channels=False),
    "sandwich": _sandwich,
    "sandwich with SGD": functools.partial(
        _sandwich, optimizer="sgd", learning_rate=None, weight_decay=None
    ),
}
AGAINST = {
    "distillation": ("progressive shrinking", "without distillation"),
    "sorting": ("progressive shrinking", "without sorting"),
    "sandwich instead of progressive shrinking": ("sandwich", "progressive shrinking"),
    "the optimizer instead of SGD": ("sandwich", "sandwich with SGD"),
}


def judged(
    supernet: Supernet, data: Dataset, networks: list[Architecture]
) -> dict[str, list[float]]:
    """Test accuracy of the networks, in percent, with recalibrated norms and with those as left."""
    images = data.images
    x, labels = as_tensors(data.splits.test())
    found = {}
    for how, calibration in (("recalibrated", images.calibration), ("as left", None)):
        evaluator = Evaluator(supernet, images.normalisation, calibration)
        found[how] = [round(evaluator.accuracy(one, x, labels), 3) for one in networks]
    return found


def brings(one: Any, other: Any, rng: np.random.Generator) -> list[float]:
    """Mean difference of accuracies [seeds, networks] and its 95% interval, in points."""
    apart = np.asarray(one, dtype=np.float64) - np.asarray(other, dtype=np.float64)
    seeds, networks = apart.shape
    picked = apart[
        rng.integers(0, seeds, (RESAMPLES, seeds, 1)),
        rng.integers(0, networks, (RESAMPLES, 1, networks)),
    ]
    low, high = np.quantile(picked.mean(axis=(1, 2)), [0.025, 0.975])
    return [round(float(v), 3) for v in (apart.mean(), low, high)]


def summary(rows: Mapping[str, Mapping[str, Any]]) -> dict[str, list[float]]:
    """What each part brings to the mean test accuracy, in points, with its interval."""
    rng = np.random.default_rng(0)
    found = {}
    for part, (whole, without) in AGAINST.items():
        seeds = sorted(set(rows.get(whole, {})) & set(rows.get(without, {})))
        if seeds:
            one, other = ([rows[v][s]["recalibrated"] for s in seeds] for v in (whole, without))
            found[part] = brings(one, other, rng)
    for name, by_seed in rows.items():
        pairs = list(by_seed.values())
        one, other = ([pair[how] for pair in pairs] for how in ("recalibrated", "as left"))
        found[f"recalibration, {name}"] = brings(one, other, rng)
    return found


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("config", type=Path)
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--subnets", type=int, default=20)
    parser.add_argument("-o", "--out", type=Path, default=Path("ablations"))
    given = parser.parse_args()
    config, screen = Config.load(given.config), Screen(False)
    data = open_dataset(config)
    space = space_of(config, len(data.classes))
    drawn = stratified(space, given.subnets, np.random.default_rng(0))
    networks = [space.decode(row) for row in drawn]
    document: dict[str, Any] = {
        "epochs": given.epochs,
        "networks": [json.loads(one.to_json()) for one in networks],
        "macs": space.macs(drawn).astype(int).tolist(),
        "accuracies": {},
        "seconds": {},
    }
    for seed in range(given.seeds):
        for name, make in VARIANTS.items():
            if config.train.optimizer == "sgd" and name == "sandwich with SGD":
                continue
            recipe = replace(make(config.train, given.epochs), seed=seed)
            folder = given.out / name.replace(" ", "-") / f"seed-{seed}"
            supernet = trained_in(folder, space, data, recipe, screen)
            found = judged(supernet, data, networks)
            document["accuracies"].setdefault(name, {})[str(seed)] = found
            document["seconds"].setdefault(name, {})[str(seed)] = seconds_of(folder / "log.csv")
            document["brings"] = summary(document["accuracies"])
            write_atomic(given.out / "results.json", json.dumps(document, indent=1) + "\n")
            screen.say(json.dumps(document["brings"]))


if __name__ == "__main__":
    main()
