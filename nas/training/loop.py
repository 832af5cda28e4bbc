"""The loop over phases and epochs, and what makes it go on after it was cut."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from nas.config import TrainConfig
from nas.training.checkpoint import load_checkpoint, save_checkpoint
from nas.training.images import Images
from nas.training.phases import check_kinds
from nas.training.ranks import Ranks
from nas.training.start import Start
from nas.training.trainer import Progress, Row, Trainer
from search_spaces import Space
from search_spaces.errors import ConfigError
from search_spaces.space import Population
from search_spaces.supernet import Supernet

__all__ = ["Learned", "check_enough", "train"]


@dataclass(frozen=True, eq=False)
class Learned:
    """What a training is for; ``settled`` [n, choices] are the networks that it settled on."""

    supernet: Supernet
    settled: Population


def train(
    space: Space,
    images: Images,
    config: TrainConfig,
    checkpoint: Path,
    belongs: dict[str, str],
    *,
    tell: Callable[[Progress], None],
    record: Callable[[list[Row]], None],
    ranks: Ranks | None = None,
    start: Start | None = None,
    until: int | None = None,
) -> Learned:
    """Train a supernet, or go on from ``checkpoint`` if there is one.

    Same configuration and images, same machine and threads: same weights, interrupted or not (on
    the CPU; the kernels of a GPU may add up in another order).

    Args:
        belongs: what the checkpoint belongs to (space, data, configuration), compared on resume.
        tell: called after every step.
        record: called after every epoch with the log so far.
        ranks: the processes that train together; only one of them tells, records and writes.
        start: what it begins with; random weights without.
        until: the epochs of its schedule after which it stops, to be gone on with; else all.

    Raises:
        ConfigError: a choice that no phase opens; fewer images than all processes take at once; or
            a teacher is to be compiled, and nothing can be.
        DivergedError: a loss or weights are not finite; the checkpoint of the last epoch stays.
        ArtefactError: a checkpoint that is damaged or belongs to something else.
    """
    if config.threads:
        torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)  # modules draw their first weights from PyTorch's generator
    phases = config.schedule
    check_kinds(space, phases)
    ranks = ranks or Ranks()
    check_enough(config, len(images.train_labels), ranks)
    trainer = Trainer(space, images, config, ranks, start)
    if checkpoint.exists():
        trainer.load(load_checkpoint(checkpoint, belongs))
    until = config.epochs if until is None else until
    first = 0
    for number, phase in enumerate(phases):
        for epoch in range(trainer.epoch - first, min(phase.epochs, until - first)):
            trainer.one_epoch(number, epoch, config.epochs, tell if ranks.writes else _silent)
            if ranks.writes:
                record(trainer.log)
                save_checkpoint(checkpoint, belongs, trainer.state())
            ranks.wait()
        first += phase.epochs
    return Learned(trainer.learner.result, trainer.learner.settled)


def check_enough(config: TrainConfig, images: int, ranks: Ranks) -> None:
    """Raise ``ConfigError`` for fewer ``images`` than several processes take in a step."""
    together = config.batch_size * ranks.count
    if ranks.count > 1 and together > images:
        raise ConfigError(
            f"{ranks.count} processes take {together} images a step, there are {images}; lower "
            "train.batch_size, or start fewer"
        )


def _silent(progress: Progress) -> None:
    """Another rank tells."""
