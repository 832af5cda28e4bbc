"""What each part of training a supernet brings: trained without it, all else the same.

    python experiments/supernet_quality/ablations.py CONFIG [--epochs N] [--seeds 2]
        [--subnets 20] [--variants sandwich ...] [-o FOLDER]

``--epochs`` passes over the images of the configuration, a quarter of its own if not said. Two
recipes are taken apart. The sandwich rule: without distillation (labels teach every subnet), with
one image size from the start in place of stages, with SGD (where the configuration names another
optimizer), and without the moving average of weights, which needs no training of its own.
Progressive shrinking, all resolutions from the start: without distillation, and without sorting
channels. A pass of the sandwich trains three subnets a step and one of shrinking one, so their
seconds are said beside their accuracies. Recalibration of norms is judged on the weights of every
variant.

Every supernet is judged by the same networks of its space: the smallest, the largest, and some
spread over cost. What a part brings is decided on held-out images, and told of test images beside.
Its 95% interval is over seeds: of the difference of two variants' means, with the residual of
variant and seed that all variants share (two-way analysis of variance).

Trainings resume, nothing that is done is done again; what stands is in ``results.json``.
"""

from __future__ import annotations

import argparse
import functools
import itertools
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from lone import belonging, trained_in
from scipy import stats
from units import RESULT, machine, once, seconds_of

from nas.config import Config, Phase, TrainConfig
from nas.data.batches import as_tensors
from nas.dataset import Dataset, open_dataset
from nas.header import space_of
from nas.jobs.sampling import stratified
from nas.terminal import Screen
from nas.training.checkpoint import load_checkpoint
from nas.training.evaluate import Evaluator
from search_spaces import Architecture, Space
from search_spaces.files import write_atomic
from search_spaces.supernet import Supernet


def shrinking(epochs: int) -> tuple[Phase, ...]:
    """Half of the passes for the largest network, the others for what opens in turn."""
    rest = epochs - epochs // 2
    each = rest // 8
    names = ("kernel", "depth", "depth", "expand", "expand")
    return (
        Phase("largest", epochs // 2),
        *(Phase(name, each) for name in names),  # type: ignore[arg-type]
        Phase("width", rest - len(names) * each),
    )


def _shrinking(config: TrainConfig, epochs: int, **others: Any) -> TrainConfig:
    return replace(
        config,
        strategy="progressive-shrinking",
        subnets=None,
        stages=1,
        phases=shrinking(epochs),
        **others,
    )


def _sandwich(config: TrainConfig, epochs: int, **others: Any) -> TrainConfig:
    return replace(config, strategy="sandwich", phases=(Phase("all", epochs),), **others)


VARIANTS: Mapping[str, Callable[[TrainConfig, int], TrainConfig]] = {
    "sandwich": _sandwich,
    "sandwich without distillation": functools.partial(_sandwich, distillation=0.0),
    "progressive shrinking": _shrinking,
    "sandwich without stages": functools.partial(_sandwich, stages=1),
    "sandwich with SGD": functools.partial(
        _sandwich, optimizer="sgd", learning_rate=None, weight_decay=None
    ),
    "progressive shrinking without distillation": functools.partial(_shrinking, distillation=0.0),
    "progressive shrinking without sorting": functools.partial(_shrinking, sort_channels=False),
}
AGAINST = {
    "distillation, in place": ("sandwich", "sandwich without distillation"),
    "sandwich instead of progressive shrinking": ("sandwich", "progressive shrinking"),
    "stages": ("sandwich", "sandwich without stages"),
    "the optimizer instead of SGD": ("sandwich", "sandwich with SGD"),
    "distillation, shrinking": (
        "progressive shrinking",
        "progressive shrinking without distillation",
    ),
    "sorting, shrinking": ("progressive shrinking", "progressive shrinking without sorting"),
}
WAYS = ("recalibrated", "as left", "not averaged")
"""Norms measured anew; norms as the training left them; measured anew, weights of the last step."""


def judged(
    supernets: Mapping[str, Supernet], data: Dataset, networks: list[Architecture]
) -> dict[str, dict[str, list[float]]]:
    """Accuracies of the networks in percent, on held-out and on test images, for each way."""
    images = data.images
    sets = {
        "val": (images.val, images.val_labels),
        "test": as_tensors(data.splits.test()),
    }
    found = {}
    for way, supernet in supernets.items():
        calibration = None if way == "as left" else images.calibration
        evaluator = Evaluator(supernet, images.normalisation, calibration)
        found[way] = {
            name: [round(evaluator.accuracy(one, x, labels), 3) for one in networks]
            for name, (x, labels) in sets.items()
        }
    return found


def not_averaged(space: Space, checkpoint: Path, belongs: dict[str, str]) -> Supernet:
    """The supernet with the weights of the last step."""
    supernet = space.supernet()
    supernet.load_state_dict(load_checkpoint(checkpoint, belongs)["supernet"])
    return supernet.eval()


def residual(means: npt.NDArray[np.float64]) -> tuple[float, int]:
    """Standard deviation of one entry of [variants, seeds] once both effects are taken out, and
    its degrees of freedom.
    """
    variants, seeds = means.shape
    left = means - means.mean(1, keepdims=True) - means.mean(0, keepdims=True) + means.mean()
    freedom = (variants - 1) * (seeds - 1)
    return float(np.sqrt((left**2).sum() / max(1, freedom))), freedom


def brings(
    one: npt.NDArray[np.float64], other: npt.NDArray[np.float64], spread: tuple[float, int]
) -> dict[str, Any]:
    """Mean difference of [seeds] and the half of its 95% interval, in points."""
    deviation, freedom = spread
    found: dict[str, Any] = {
        "mean": round(float((one - other).mean()), 3),
        "by seed": (one - other).round(3).tolist(),
    }
    if freedom:
        half = stats.t.ppf(0.975, freedom) * deviation * (2 / len(one)) ** 0.5
        found["half"] = round(float(half), 3)
    return found


def summary(rows: Mapping[str, Mapping[str, Any]], images: str) -> dict[str, Any]:
    """What each part brings to the mean accuracy on ``images``, by what is done."""

    def means(variant: str, way: str, seeds: list[str]) -> npt.NDArray[np.float64]:
        return np.array([np.mean(rows[variant][seed][way][images]) for seed in seeds])

    whole = set.intersection(*(set(by_seed) for by_seed in rows.values())) if rows else set()
    shared = sorted(whole)
    table = np.array([means(variant, "recalibrated", shared) for variant in rows])
    spread = residual(table) if table.size else (0.0, 0)
    found: dict[str, Any] = {"residual": [round(spread[0], 3), spread[1]]}
    for part, (with_it, without) in AGAINST.items():
        seeds = sorted(set(rows.get(with_it, {})) & set(rows.get(without, {})))
        if seeds:
            pair = [means(variant, "recalibrated", seeds) for variant in (with_it, without)]
            found[part] = brings(pair[0], pair[1], spread)
    for part, way in (("recalibration", "as left"), ("moving average", "not averaged")):
        # On the same weights, or weights of the same training: variants and seeds are all alike.
        apart = np.array(
            [
                np.mean(one["recalibrated"][images]) - np.mean(one[way][images])
                for by_seed in rows.values()
                for one in by_seed.values()
                if way in one
            ]
        )
        if len(apart) > 1:
            half = stats.t.ppf(0.975, len(apart) - 1) * apart.std(ddof=1) / len(apart) ** 0.5
            found[part] = {"mean": round(float(apart.mean()), 3), "half": round(float(half), 3)}
            found[part]["trainings"] = len(apart)
    return found


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("config", type=Path)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--subnets", type=int, default=20)
    parser.add_argument("--variants", nargs="+", choices=tuple(VARIANTS), default=tuple(VARIANTS))
    parser.add_argument("-o", "--out", type=Path, default=Path("ablations"))
    given = parser.parse_args()
    config, screen = Config.load(given.config), Screen(False)
    epochs = given.epochs or sum(phase.epochs for phase in config.train.schedule) // 4
    data = open_dataset(config)
    space = space_of(config, len(data.classes))
    drawn = stratified(space, given.subnets, np.random.default_rng(0))
    networks = [space.decode(row) for row in drawn]
    accuracies: dict[str, dict[str, Any]] = {}
    seconds: dict[str, dict[str, float]] = {}

    def place(name: str, seed: int) -> Path:
        return Path(given.out / name.replace(" ", "-") / f"{epochs}-epochs-seed-{seed}")

    def work(name: str, seed: int) -> None:
        recipe = replace(VARIANTS[name](config.train, epochs), seed=seed)
        folder, belongs = place(name, seed), belonging(space, data, recipe)

        def judge() -> dict[str, Any]:
            supernet = trained_in(folder, space, data, recipe, screen)
            supernets = {"recalibrated": supernet, "as left": supernet}
            if recipe.ema:
                last = not_averaged(space, folder / "checkpoint.pt", belongs)
                supernets["not averaged"] = last
            return judged(supernets, data, networks)

        found = once(folder, {**belongs, "networks": str(given.subnets)}, judge)
        accuracies.setdefault(name, {})[str(seed)] = found
        seconds.setdefault(name, {})[str(seed)] = seconds_of(folder / "log.csv")

    def keep() -> None:
        document = {
            "config": str(given.config),
            "machine": machine(),
            "epochs": epochs,
            "networks": [json.loads(one.to_json()) for one in networks],
            "macs": space.macs(drawn).astype(int).tolist(),
            "accuracies": accuracies,
            "seconds": seconds,
            "brings": {images: summary(accuracies, images) for images in ("val", "test")},
        }
        write_atomic(given.out / "results.json", json.dumps(document, indent=1) + "\n")
        screen.say(json.dumps(document["brings"]))

    given.out.mkdir(parents=True, exist_ok=True)
    units = [
        (name, seed)
        for seed, name in itertools.product(range(given.seeds), VARIANTS)
        if config.train.optimizer != "sgd" or name != "sandwich with SGD"
    ]
    done = [unit for unit in units if (place(*unit) / RESULT).is_file()]
    for unit in done:
        work(*unit)
    keep()
    for unit in units:
        if unit not in done and unit[0] in given.variants:
            work(*unit)
            keep()


if __name__ == "__main__":
    main()
