"""``nas train``: from images to a supernet."""

from __future__ import annotations

from collections.abc import Callable

import search_spaces
from nas.config import Config
from nas.dataset import Dataset
from nas.run import Run, digest
from nas.training.loop import Progress, train
from nas.weights import save_supernet
from search_spaces import Space

__all__ = ["space_of", "train_run"]


def space_of(config: Config, num_classes: int) -> Space:
    """The space that a configuration names, for a number of classes."""
    section = config.space
    return search_spaces.get(
        section.name,
        resolutions=section.resolutions,
        num_classes=num_classes,
        **dict(section.options),
    )


def train_run(
    run: Run, config: Config, dataset: Dataset, tell: Callable[[Progress], None]
) -> None:
    """Train, or go on from the run's checkpoint, and leave ``supernet.safetensors``."""
    space = space_of(config, len(dataset.classes))
    belongs = {
        "space": space.identity,
        "data": dataset.fingerprint,
        "training configuration": digest(repr(config.train)),
    }
    supernet = train(
        space,
        dataset.images,
        config.train,
        run.checkpoint,
        belongs,
        tell=tell,
        record=run.write_log,
    )
    save_supernet(
        run.supernet, supernet, dataset.images.normalisation, dataset.classes, dataset.fingerprint
    )
