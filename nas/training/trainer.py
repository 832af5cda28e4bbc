"""What changes while a supernet is trained, and one epoch of it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from nas.config import TrainConfig
from nas.data.augment import augment, resize
from nas.data.batches import epoch_generator, shuffled
from nas.data.mixing import mixup
from nas.training import schedule
from nas.training.average import moving_average
from nas.training.evaluate import Evaluator
from nas.training.images import Images
from nas.training.losses import targets_loss
from nas.training.optimizers import make_optimizer
from nas.training.phases import Options, kind, largest, smallest_open
from nas.training.ranks import Ranks
from nas.training.sampling import Draw
from nas.training.strategies import strategy_of
from search_spaces import Architecture, Space
from search_spaces.errors import NasLoopError
from search_spaces.space import Population

__all__ = ["Progress", "Row", "Trainer"]

Row = dict[str, float | int | str]
VALIDATED = 2000


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


class Trainer:
    """Weights, optimizer and teacher; ``epoch`` epochs are over."""

    def __init__(
        self, space: Space, images: Images, config: TrainConfig, ranks: Ranks | None = None
    ) -> None:
        self.ranks = ranks or Ranks()
        self.space = space
        self.images = images
        self.config = config
        self.strategy = strategy_of(config)
        self.epoch = 0
        self.log: list[Row] = []
        self.largest = space.decode(space.largest)
        self.supernet = space.supernet().to(self.ranks.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.optimizer = make_optimizer(self.supernet, config)
        self.average = moving_average(self.supernet, config.average) if config.average else None
        self.network = self.ranks.wrapped(self.supernet, config.share_norms)
        self.teacher: nn.Module | None = None
        self.teach: Callable[[Tensor], Tensor] | None = None
        self.evaluator = Evaluator(self.result, images.normalisation, images.calibration)
        self.classes = int(images.train_labels.max()) + 1

    @property
    def result(self) -> Any:
        """The supernet that the training is for: averaged, where that is asked for."""
        return self.supernet if self.average is None else self.average.module

    def state(self) -> dict[str, Any]:
        """All of it, as a checkpoint keeps it."""
        return {
            "epoch": self.epoch,
            "log": self.log,
            "supernet": self.supernet.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "average": self.average and self.average.state_dict(),
            "teacher": self.teacher and self.teacher.state_dict(),
        }

    def load(self, state: dict[str, Any]) -> None:
        """Go on from a ``state``."""
        self.epoch, self.log = state["epoch"], state["log"]
        self.supernet.load_state_dict(state["supernet"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.average is not None:
            self.average.load_state_dict(state["average"])
        if state["teacher"] is not None:
            self._appoint().load_state_dict(state["teacher"])

    def one_epoch(
        self, number: int, epoch: int, epochs: int, tell: Callable[[Progress], None]
    ) -> None:
        """Epoch ``epoch`` of phase ``number``; there are ``epochs`` in all phases together."""
        config, images = self.config, self.images
        phase = config.schedule[number]
        self.begin(number)
        rank, device = self.ranks.rank, self.ranks.device
        # The order of images and the subnets are those of all ranks; each changes its images alone.
        order = epoch_generator(config.seed, self.epoch)
        rng = np.random.default_rng((config.seed, self.epoch))
        generator = epoch_generator(config.seed, self.epoch, rank + 1)
        own = np.random.default_rng((config.seed, self.epoch, rank + 1))
        hard = schedule.hardness(epoch, phase.epochs, config.stages)
        options, alpha = schedule.harder(images.augment, config.mixup, config.begin, hard)
        low, high = self.open(number, hard)
        together = config.batch_size * self.ranks.count
        steps = max(1, len(images.train_labels) // together)
        highest = schedule.peak(phase, config)
        self.supernet.train()
        began, losses = time.perf_counter(), 0.0
        for step, batch in enumerate(shuffled(len(images.train_labels), together, order)):
            chosen = batch[rank :: self.ranks.count]
            now = schedule.rate(epoch * steps + step, phase.epochs * steps, highest)
            for group in self.optimizer.param_groups:
                group["lr"] = now
            labels = images.train_labels[chosen]
            x = augment(images.train[chosen], generator, options, images.normalisation)
            targets = labels
            if alpha:
                x, targets = mixup(x, labels, self.classes, alpha, own)
            x, targets = x.to(device), targets.to(device)
            rows = self.draw(low, high, rng, x, targets)
            try:
                loss = self.step(x, targets, [self.space.decode(row) for row in rows])
            except LossError as error:
                raise NasLoopError(
                    f"the loss is {error.loss} at step {step} of epoch {self.epoch} (phase "
                    f"{phase.name}), of the subnet {error.architecture.to_json()} on the training "
                    f"images {batch.tolist()}; the checkpoint of the last epoch is kept. Train a "
                    "new run with a lower train.learning_rate, or look at the images"
                ) from None
            losses += loss
            speed = (step + 1) * len(batch) / (time.perf_counter() - began)
            tell(Progress(phase.name, self.epoch, epochs, step, steps, loss, speed))
        seconds = time.perf_counter() - began
        self.epoch += 1
        if not self.ranks.writes:
            return
        smallest = self.space.canonical(smallest_open(self.space, config.schedule, number))[0]
        self.log.append(
            {
                "epoch": self.epoch - 1,
                "phase": phase.name,
                "learning_rate": round(highest, 6),
                "loss": round(losses / steps, 5),
                "val_largest": self.validate(self.largest),
                "val_smallest": self.validate(self.space.decode(smallest)),
                "images_per_second": round(steps * together / seconds, 1),
                "seconds": round(time.perf_counter() - began, 1),
            }
        )

    def begin(self, number: int) -> None:
        """Prepare for phase ``number``: from when choices open the largest network may teach."""
        opens = self.config.schedule[number].name != "largest"
        if opens and self.strategy.teacher == "as-it-was" and self.teacher is None:
            self._appoint()

    def _appoint(self) -> nn.Module:
        """Make the largest network, as it is, the teacher."""
        self.teacher = self.evaluator.network(self.largest)
        self.teach = torch.compile(self.teacher) if self.config.compile else self.teacher
        return self.teacher

    def open(self, number: int, hard: float) -> tuple[Options, Options]:
        """The smallest and the largest open option of every choice [choices] in phase ``number``.

        Below the highest ``hard`` large images are left out.
        """
        low = smallest_open(self.space, self.config.schedule, number)
        high = largest(self.space)
        for i, choice in enumerate(self.space.choices):
            if kind(choice) == "resolution":
                high[i] = schedule.resolutions(len(choice.values), hard) - 1
        return np.minimum(low, high), high

    def draw(
        self, low: Options, high: Options, rng: np.random.Generator, x: Tensor, targets: Tensor
    ) -> Population:
        """The subnets of one step, rows [n, choices]."""

        def losses(rows: Population) -> npt.NDArray[np.float64]:
            with torch.no_grad():
                own = [self._loss(self.space.decode(row), x, targets) for row in rows]
            return self.ranks.mean(torch.stack(own).double()).cpu().numpy()

        n = self.config.subnets or self.strategy.subnets(low, high)
        return self.strategy.sampler(Draw(self.space, low, high, n, rng, losses))

    def step(self, x: Tensor, targets: Tensor, architectures: list[Architecture]) -> float:
        """One update: the mean loss of the subnets on images [B, C, H, W].

        ``targets`` are labels [B] or probabilities [B, classes].

        Raises:
            LossError: a loss is not finite; nothing is updated.
        """
        taught = self._taught(x)
        in_place = self.strategy.teacher == "in-place"
        total = 0.0
        for number, architecture in enumerate(architectures, start=1):
            with self.ranks.alone(self.network, number == len(architectures)):
                with self._precise():
                    scores = self.network(at(x, architecture), architecture).float()
                loss = self._lesson(scores, targets, taught)
                value = self.ranks.mean(loss.detach().clone()).item()
                if not math.isfinite(value):
                    self.optimizer.zero_grad(set_to_none=True)
                    raise LossError(value, architecture)
                (loss / len(architectures)).backward()  # type: ignore[no-untyped-call]
            total += value
            if in_place and taught is None:
                taught = scores.detach()
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        if self.average is not None:
            self.average.update_parameters(self.supernet)
        return total / len(architectures)

    def _lesson(self, scores: Tensor, targets: Tensor, taught: Tensor | None) -> Tensor:
        """What a subnet with ``scores`` [B, classes] learns."""
        if taught is None:
            return targets_loss(scores, targets, self.config.label_smoothing)
        soft = self.config.distillation * self.strategy.divergence(scores, taught)
        if self.strategy.teacher == "in-place":
            return soft
        return targets_loss(scores, targets, self.config.label_smoothing) + soft

    def _taught(self, x: Tensor) -> Tensor | None:
        """What the teacher of earlier steps says, if there is one: [B, classes]."""
        if self.teach is None:
            return None
        with torch.no_grad(), self._precise():
            return self.teach(at(x, self.largest)).float()

    def _loss(self, architecture: Architecture, x: Tensor, targets: Tensor) -> Tensor:
        with self._precise():
            scores = self.supernet(at(x, architecture), architecture).float()
        return targets_loss(scores, targets, 0.0)

    def _precise(self) -> torch.autocast:
        """Networks run in the precision that is asked for."""
        mixed = self.config.precision == "bfloat16"
        return torch.autocast(self.ranks.device.partition(":")[0], torch.bfloat16, enabled=mixed)

    def validate(self, architecture: Architecture) -> float:
        """Held-out accuracy in percent, on at most ``VALIDATED`` images, recalibrated."""
        return round(self.evaluator.accuracy(architecture, *self.images.held_out(VALIDATED)), 3)


class LossError(Exception):
    """The loss of a subnet is not finite."""

    def __init__(self, loss: float, architecture: Architecture) -> None:
        super().__init__(loss)
        self.loss = loss
        self.architecture = architecture


def at(x: Tensor, architecture: Architecture) -> Tensor:
    """Images [B, C, H, W] at the resolution of an architecture, channels-last."""
    resolution = int(str(architecture["resolution"]))
    return resize(x, resolution).contiguous(memory_format=torch.channels_last)
