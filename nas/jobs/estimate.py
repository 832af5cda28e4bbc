"""How long a training will take, told before it starts."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import torch

from nas.config import Config
from nas.data.augment import augment
from nas.data.batches import sent
from nas.dataset import Dataset
from nas.header import space_of
from nas.training.checkpoint import copies
from nas.training.frontier import FEWEST
from nas.training.ranks import Ranks
from nas.training.schedule import settles
from nas.training.start import Start
from nas.training.trainer import Trainer

__all__ = ["Estimate", "estimate_training"]

STEPS = 4


@dataclass(frozen=True)
class Estimate:
    """Seconds of training, bytes that its run folder takes, seconds of one subnet's accuracy."""

    seconds: float
    bytes: int
    accuracy_seconds: float


def estimate_training(
    config: Config,
    dataset: Dataset,
    done: int = 0,
    ranks: Ranks | None = None,
    start: Start | None = None,
) -> Estimate:
    """Time a few steps of every phase, and the validation, on this machine, and multiply.

    ``done`` epochs are over already. Of several ``ranks`` this one does it alone. ``start`` is what
    the training begins with.
    """
    ranks = ranks or Ranks()
    space = space_of(config, len(dataset.classes))
    images, train = dataset.images, config.train
    if train.threads:
        torch.set_num_threads(train.threads)
    trainer = Trainer(space, images, train, Ranks(device=ranks.device), start)
    for group in trainer.learner.optimizer.param_groups:
        group["lr"] = 0.0  # Without a warm-up a step could do anything.
    trainer.learner.supernet.train()
    rng, generator = np.random.default_rng(0), torch.Generator().manual_seed(0)
    pixels, labels = images.train[: train.batch_size], images.train_labels[: train.batch_size]
    steps = max(1, len(images.train_labels) // (train.batch_size * ranks.count))
    targets = labels.to(ranks.device)
    only = None if start is None else start.only
    seconds = 0.0
    over = done
    began = time.perf_counter()
    trainer.validate(trainer.learner.largest if only is None else only)
    validation = 2 * (time.perf_counter() - began)
    trainer.learner.supernet.train()
    scouting = _scouting(trainer)
    for number, phase in enumerate(train.schedule):
        left = max(0, phase.epochs - over)
        over = max(0, over - phase.epochs)
        trainer.begin(number)
        low, high = trainer.open(number, 1.0)
        times = []
        for _ in range(STEPS):
            began = time.perf_counter()
            batch = sent(pixels, ranks.device)
            x = augment(batch, generator, images.augment, images.normalisation)
            rows = trainer.learner.draw(low, high, rng, x, targets)
            trainer.learner.step(x, targets, [space.decode(row) for row in rows])
            times.append(time.perf_counter() - began)
        seconds += left * (steps * float(np.mean(times[1:])) + validation)
        epochs = range(phase.epochs - left, phase.epochs)
        settled = [settles(train.schedule, number, epoch) for epoch in epochs if train.settled]
        seconds += (left - sum(settled)) * scouting
    weights = sum(tensor.nbytes for tensor in trainer.learner.supernet.state_dict().values())
    # The next checkpoint is written beside.
    return Estimate(seconds, weights * (2 * copies(train) + 1), validation / 2)


def _scouting(trainer: Trainer) -> float:
    """Seconds of a search for the frontier, by losses that are made up; 0 without one."""
    scout = trainer.learner.frontier
    if scout is None:
        return 0.0
    rng, space = np.random.default_rng(0), trainer.space
    rows = space.sample(FEWEST + 2, rng)
    scout.begin(0)
    scout.note(rows, rng.normal(-np.log(space.macs(rows)), 0.1))
    # What a first search imports is no part of it.
    times = []
    for _ in range(2):
        began = time.perf_counter()
        scout.begin(0)
        times.append(time.perf_counter() - began)
    return times[1]
