"""``nas train``: from images to a supernet."""

from __future__ import annotations

from collections.abc import Callable

from nas.config import Config
from nas.dataset import Dataset
from nas.header import space_of
from nas.run import Run, digest
from nas.training.loop import Progress, train
from nas.weights import save_supernet

__all__ = ["train_run"]


def train_run(run: Run, config: Config, dataset: Dataset, tell: Callable[[Progress], None]) -> None:
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
