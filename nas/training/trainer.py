"""What changes while a supernet is trained, and one epoch of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import nn

from nas.config import TrainConfig
from nas.data.augment import augment
from nas.data.batches import epoch_generator, sent, shuffled
from nas.data.mixing import mixup
from nas.training import schedule
from nas.training.compiled import require_compiler
from nas.training.evaluate import Evaluator
from nas.training.images import Images
from nas.training.learner import Learner, LossError
from nas.training.phases import Options, smallest_open
from nas.training.ranks import Ranks
from nas.training.start import Start
from search_spaces import Architecture, Space
from search_spaces.errors import NasLoopError

__all__ = ["DivergedError", "Progress", "Row", "Trainer"]

Row = dict[str, float | int | str]
VALIDATED, FEWEST = 2000, 256
"""What an epoch is judged on: held-out images, and at least so many for recalibration."""

WAY_OUT = "Train a new run with a lower train.learning_rate, or look at the images"


@dataclass(frozen=True)
class Progress:
    """Told after every step."""

    phase: str
    epoch: int
    epochs: int
    step: int
    steps: int
    loss: float
    images_per_second: float

    @property
    def done(self) -> float:
        """How many epochs are over, with the part of this one."""
        return self.epoch + (self.step + 1) / self.steps


class DivergedError(NasLoopError):
    """A loss or weights are no numbers: what is trained, or how, is at fault, not the machine."""


class Trainer:
    """What learns, on which images, and what was seen of it; ``epoch`` epochs are over."""

    def __init__(
        self,
        space: Space,
        images: Images,
        config: TrainConfig,
        ranks: Ranks | None = None,
        start: Start | None = None,
    ) -> None:
        self.ranks = ranks or Ranks()
        self.space = space
        self.images = images
        self.config = config
        self.epoch = 0
        self.log: list[Row] = []
        self.learner = Learner(space, config, self.ranks, start)
        self.start = start
        calibration = images.calibration
        self.evaluator = Evaluator(self.learner.result, images.normalisation, calibration)
        few = max(FEWEST, len(images.train) // 8)
        self.observer = Evaluator(self.learner.result, images.normalisation, calibration[:few])
        self.classes = space.classes
        taught = config.distillation and self.learner.strategy.teacher == "as-it-was"
        if config.compile and taught:
            require_compiler(self.ranks.device)

    def state(self) -> dict[str, Any]:
        """All of it, as a checkpoint keeps it."""
        return {"epoch": self.epoch, "log": self.log, **self.learner.state()}

    def load(self, state: dict[str, Any]) -> None:
        """Go on from a ``state``."""
        self.epoch, self.log = state["epoch"], state["log"]
        self.learner.load(state, self.as_it_is)

    def one_epoch(
        self, number: int, epoch: int, epochs: int, tell: Callable[[Progress], None]
    ) -> None:
        """Epoch ``epoch`` of phase ``number``; there are ``epochs`` in all phases together.

        Raises ``DivergedError`` where a loss is not finite, or weights are not in the end.
        """
        config, images, learner = self.config, self.images, self.learner
        phase = config.schedule[number]
        if epoch == 0:
            self.begin(number)
        rank, device = self.ranks.rank, self.ranks.device
        # The order of images and the subnets are those of all ranks; each changes its images alone.
        order = epoch_generator(config.seed, self.epoch)
        rng = np.random.default_rng((config.seed, self.epoch))
        generator = epoch_generator(config.seed, self.epoch, rank + 1)
        own = np.random.default_rng((config.seed, self.epoch, rank + 1))
        hard = schedule.hardness(epoch, phase.epochs, config.stages)
        options, alpha = schedule.harder(images.augment, config.mixup, config.first_stage, hard)
        low, high = self.open(number, hard)
        together = config.batch_size * self.ranks.count
        steps = max(1, len(images.train_labels) // together)
        highest = schedule.peak(phase, config)
        began, total = time.perf_counter(), 0.0
        scout = learner.frontier
        settle = schedule.settles(config.schedule, number, epoch)
        frontier = None if scout is None else scout.begin(self.epoch, settle)
        learner.supernet.train()
        for step, batch in enumerate(shuffled(len(images.train_labels), together, order)):
            chosen = batch[rank :: self.ranks.count]
            now = schedule.rate(epoch * steps + step, phase.epochs * steps, highest)
            for group in learner.optimizer.param_groups:
                group["lr"] = now
            pixels, targets = sent(images.train[chosen], device), images.train_labels[chosen]
            targets = sent(targets, device)
            x = augment(pixels, generator, options, images.normalisation)
            if alpha:
                x, targets = mixup(x, targets, self.classes, alpha, own)
            rows = learner.draw(low, high, rng, x, targets, frontier)
            try:
                losses = learner.step(x, targets, [self.space.decode(row) for row in rows])
            except LossError as error:
                subnet = " ".join(error.architecture.to_json().split())
                raise DivergedError(
                    f"the loss is {error.loss} at step {step} of epoch {self.epoch} (phase "
                    f"{phase.name}), of the subnet {subnet} on the training "
                    f"images {batch.tolist()}; the checkpoint of the last epoch is kept. {WAY_OUT}"
                ) from None
            if scout is not None:
                scout.note(rows, np.array(losses))
            loss = sum(losses) / len(losses)
            total += loss
            speed = (step + 1) * len(batch) / (time.perf_counter() - began)
            tell(Progress(phase.name, self.epoch, epochs, step, steps, loss, speed))
        if spoilt := learner.spoilt():
            raise DivergedError(
                f"{spoilt} is not finite after epoch {self.epoch} (phase {phase.name}), though all "
                f"losses were; the checkpoint of the last epoch is kept. {WAY_OUT}"
            )
        seconds = time.perf_counter() - began
        self.epoch += 1
        if not self.ranks.writes:
            return
        self.log.append(
            {
                "epoch": self.epoch - 1,
                "phase": phase.name,
                "learning_rate": round(highest, 6),
                "loss": round(total / steps, 5),
                **{name: self.validate(one) for name, one in self.watched(number).items()},
                "images_per_second": round(steps * together / seconds, 1),
                "seconds": round(time.perf_counter() - began, 1),
            }
        )

    def begin(self, number: int) -> None:
        """Prepare for phase ``number``.

        From when choices open the largest network may teach; and before channels are left out they
        are sorted, unless the weights of the start were trained or sorted in their order.
        """
        learner, phases = self.learner, self.config.schedule
        opens = phases[number].name != "largest"
        if opens and learner.strategy.teacher == "as-it-was" and learner.teacher is None:
            learner.learn_from(self.as_it_is())
        if self.config.sort_channels and self.start is None:
            learner.sort(phases, number)

    def as_it_is(self) -> nn.Module:
        """The largest network with the weights of now."""
        return self.evaluator.network(self.learner.largest)

    def open(self, number: int, hard: float) -> tuple[Options, Options]:
        """The smallest and the largest open option of every choice, see ``schedule.opened``."""
        return schedule.opened(self.space, self.config.schedule, number, hard)

    def watched(self, number: int) -> dict[str, Architecture]:
        """The networks whose held-out accuracy every epoch of phase ``number`` tells, by column."""
        if self.start is not None and self.start.only is not None:
            return {"val": self.start.only}
        smallest = self.space.canonical(smallest_open(self.space, self.config.schedule, number))[0]
        return {
            "val_largest": self.learner.largest,
            "val_smallest": self.space.decode(smallest),
        }

    def validate(self, architecture: Architecture) -> float:
        """Held-out accuracy in percent, for the log.

        On at most ``VALIDATED`` images, norms recalibrated on at most an eighth of the training
        images: where there are few, exactness would cost as much as the epoch.
        """
        return round(self.observer.accuracy(architecture, *self.images.held_out(VALIDATED)), 3)
