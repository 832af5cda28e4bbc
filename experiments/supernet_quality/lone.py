"""Training one network by itself with the recipe of a run, from random weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import spinning  # noqa: F401  # before PyTorch
from torch import nn
from units import once, packed, took

from nas.config import Phase, TrainConfig
from nas.data.batches import as_tensors
from nas.dataset import Dataset
from nas.jobs.train import said
from nas.jobs.trained import TrainedRun
from nas.run import write_csv
from nas.terminal import Screen
from nas.training import ranks
from nas.training.evaluate import Evaluator
from nas.training.loop import Learned, train
from nas.training.schedule import peak
from nas.training.trainer import Progress
from search_spaces import Architecture, Space
from search_spaces.alone import alone
from search_spaces.plan import Plan


def by_itself(
    trained: TrainedRun, plan: Plan, epochs: int, seed: int, folder: Path, screen: Screen
) -> dict[str, Any]:
    """Train the network of ``plan`` alone, or go on with it in ``folder``.

    The recipe of the run, by labels alone, at the network's own image size from the first epoch
    on: what it reaches in percent of the held-out and the test images, and how long it took. On the
    GPU if there is one, as fine-tuning.
    """
    space = alone(plan, "alone")
    config = recipe(trained.config.train, epochs, seed)
    data = trained.dataset

    def work() -> dict[str, Any]:
        network = trained_in(folder, space, data, config, screen).supernet
        evaluator = Evaluator(network, data.images.normalisation, data.images.calibration)
        one = space.decode(space.largest)
        found = tested(evaluator, trained, evaluator.network(one), one)
        return {**found, "seed": seed, "epochs": epochs, **took(folder / "log.csv")}

    return once(folder, belonging(space, data, config), work)


def belonging(space: Space, data: Dataset, config: TrainConfig) -> dict[str, str]:
    """What a training depends on."""
    return {"space": space.identity, "data": data.fingerprint, **said(config)}


def trained_in(
    folder: Path, space: Space, data: Dataset, config: TrainConfig, screen: Screen
) -> Learned:
    """Train the supernet of a space, or go on with it in ``folder``; ``log.csv`` is its log."""
    folder.mkdir(parents=True, exist_ok=True)
    with bar(screen, folder, config.epochs) as tell:
        return train(
            space,
            data.images,
            config,
            folder / "checkpoint.pt",
            belonging(space, data, config),
            tell=tell,
            record=lambda rows: write_csv(folder / "log.csv", rows),
            ranks=ranks.by_itself(),
        )


@contextmanager
def bar(screen: Screen, folder: Path, epochs: int) -> Iterator[Callable[[Progress], None]]:
    """Tells of a training in ``folder``."""
    with screen.progress(str(folder), epochs) as advance:

        def tell(progress: Progress) -> None:
            advance(round(progress.done, 2), f"{progress.images_per_second:.0f} images/s")

        yield tell


def recipe(config: TrainConfig, epochs: int, seed: int) -> TrainConfig:
    """How a run was trained, for one network: labels alone, one phase at the rate of the first."""
    return replace(
        side_by_side(config),
        strategy="single-path",
        learning_rate=peak(config.schedule[0], config),
        weight_decay=config.decay,
        phases=(Phase("all", epochs),),
        weights=None,
        subnets=None,
        extremes=TrainConfig().extremes,
        seed=seed,
    )


def side_by_side(config: TrainConfig) -> TrainConfig:
    """With as many threads as the environment says, so that trainings can share a machine."""
    return replace(config, threads=0)


def tested(
    evaluator: Evaluator, trained: TrainedRun, network: nn.Module, one: Architecture
) -> dict[str, Any]:
    """Held-out and test accuracy of a network in percent, and which test images it recognises."""
    images = trained.dataset.images
    test, labels = as_tensors(trained.dataset.splits.test())
    hits = {
        name: (evaluator.logits(network, one, x).argmax(1) == y).numpy()
        for name, x, y in (("val", images.val, images.val_labels), ("test", test, labels))
    }
    accuracies = {name: round(100.0 * float(hit.mean()), 3) for name, hit in hits.items()}
    return {**accuracies, "images": len(labels), "hits": packed(hits["test"])}


def inherited(trained: TrainedRun, one: Architecture, folder: Path) -> dict[str, Any]:
    """What a subnet is worth with the supernet's weights; kept in ``folder``."""
    digest = trained.space.digest(one)
    evaluator = trained.evaluator
    return once(
        folder,
        {**trained.belongs(), "network": digest},
        lambda: tested(evaluator, trained, evaluator.network(one), one),
    )
