"""Training one network by itself with the recipe of a run, from random weights."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

from nas.config import Phase, TrainConfig
from nas.data.batches import as_tensors
from nas.dataset import Dataset
from nas.jobs.trained import TrainedRun
from nas.run import write_csv
from nas.terminal import Screen
from nas.training.evaluate import Evaluator
from nas.training.loop import train
from nas.training.trainer import Progress
from search_spaces import Architecture, Space
from search_spaces.alone import alone
from search_spaces.plan import Plan
from search_spaces.supernet import Supernet


def by_itself(
    trained: TrainedRun, plan: Plan, epochs: int, seed: int, folder: Path, screen: Screen
) -> dict[str, Any]:
    """Train the network of ``plan`` alone, or go on with it in ``folder``.

    The recipe of the run without distillation: what it reaches, in percent of the held-out and the
    test images, and how long it took.
    """
    space = alone(plan, folder.parent.name)
    config = recipe(trained.config.train, epochs, seed)
    network = trained_in(folder, space, trained.dataset, config, screen)
    images = trained.dataset.images
    evaluator = Evaluator(network, images.normalisation, images.calibration)
    found = accuracies(evaluator, trained, space.decode(space.largest))
    return {**found, "seed": seed, "epochs": epochs, "seconds": seconds_of(folder / "log.csv")}


def trained_in(
    folder: Path, space: Space, data: Dataset, config: TrainConfig, screen: Screen
) -> Supernet:
    """Train the supernet of a space, or go on with it in ``folder``; ``log.csv`` is its log."""
    folder.mkdir(parents=True, exist_ok=True)
    epochs = sum(phase.epochs for phase in config.schedule)
    with screen.progress(str(folder), epochs) as advance:

        def tell(progress: Progress) -> None:
            done = progress.epoch + (progress.step + 1) / progress.steps
            advance(round(done, 2), f"{progress.images_per_second:.0f} images/s")

        return train(
            space,
            data.images,
            config,
            folder / "checkpoint.pt",
            {"space": space.identity, "data": data.fingerprint, "config": repr(config)},
            tell=tell,
            record=lambda rows: write_csv(folder / "log.csv", rows),
        )


def recipe(config: TrainConfig, epochs: int, seed: int) -> TrainConfig:
    """How a run was trained, for one network: labels alone, one phase."""
    return replace(
        config,
        strategy="single-path",
        phases=(Phase("all", epochs),),
        weights=None,
        subnets=None,
        seed=seed,
    )


def accuracies(evaluator: Evaluator, trained: TrainedRun, one: Architecture) -> dict[str, float]:
    """Held-out and test accuracy of what an evaluator makes of an architecture, in percent."""
    images = trained.dataset.images
    test, labels = as_tensors(trained.dataset.splits.test())
    return {
        "val": round(evaluator.accuracy(one, images.val, images.val_labels), 3),
        "test": round(evaluator.accuracy(one, test, labels), 3),
    }


def seconds_of(log: Path) -> float:
    """What the epochs in a training's log took."""
    with log.open() as stream:
        return round(sum(float(row["seconds"]) for row in csv.DictReader(stream)), 1)
