"""Progressive shrinking: the loop over phases, epochs and steps."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from nas.config import Phase, TrainConfig
from nas.data.augment import AugmentOptions, Normalisation, augment, resize
from nas.data.batches import batches, epoch_generator
from nas.training.checkpoint import load_checkpoint, save_checkpoint
from nas.training.evaluate import Evaluator
from nas.training.losses import distillation, hard_labels
from nas.training.phases import OPENS, check_kinds, sample_open, smallest_open
from nas.training.schedule import peak, rate
from search_spaces import Architecture, Space
from search_spaces.errors import NasLoopError
from search_spaces.supernet import Supernet

__all__ = ["Images", "Progress", "Row", "Trainer", "make_optimizer", "train"]

MOMENTUM = 0.9

Row = dict[str, float | int | str]
VALIDATED = 2000
CALIBRATION = 2048


@dataclass(frozen=True, eq=False)
class Images:
    """Training and held-out images as tensors: uint8 [N, C, H, W] and labels [N]."""

    train: Tensor
    train_labels: Tensor
    val: Tensor
    val_labels: Tensor
    normalisation: Normalisation
    augment: AugmentOptions

    @property
    def calibration(self) -> Tensor:
        """The training images that batch norms are recalibrated on, in shuffled order.

        Data sets often come sorted by class; a batch of one class has statistics of its own.
        """
        return self.train[mixed(len(self.train), CALIBRATION)]

    def held_out(self, n: int) -> tuple[Tensor, Tensor]:
        """``n`` held-out images with labels, of all classes, always the same."""
        chosen = mixed(len(self.val), n)
        return self.val[chosen], self.val_labels[chosen]


def mixed(count: int, n: int) -> Tensor:
    """Indices of at most ``n`` of ``count`` images in an order that is fixed once for all."""
    return torch.from_numpy(np.random.default_rng(0).permutation(count)[:n])


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


def train(
    space: Space,
    images: Images,
    config: TrainConfig,
    checkpoint: Path,
    belongs: dict[str, str],
    *,
    tell: Callable[[Progress], None],
    record: Callable[[list[Row]], None],
) -> Supernet:
    """Train a supernet, or go on from ``checkpoint`` if there is one.

    Same configuration and images, same machine and threads: same weights, interrupted or not.

    Args:
        belongs: what the checkpoint belongs to (space, data, configuration), compared on resume.
        tell: called after every step.
        record: called after every epoch with the log so far.

    Raises:
        NasLoopError: the loss is not a number; the checkpoint of the last epoch stays.
        ArtefactError: a checkpoint that is damaged or belongs to something else.
    """
    if config.threads:
        torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)  # modules draw their first weights from PyTorch's generator
    check_kinds(space, config.phases)
    run = Trainer(space, images, config)
    if checkpoint.exists():
        run.load(load_checkpoint(checkpoint, belongs))
    total = sum(phase.epochs for phase in config.phases)
    first = 0
    for phase in config.phases:
        for epoch in range(max(first, run.epoch), first + phase.epochs):
            run.one_epoch(phase, epoch - first, total, tell)
            run.epoch = epoch + 1
            record(run.log)
            save_checkpoint(checkpoint, belongs, run.state())
        first += phase.epochs
    return run.supernet


class Trainer:
    """What changes while a supernet is trained."""

    def __init__(self, space: Space, images: Images, config: TrainConfig) -> None:
        self.space = space
        self.images = images
        self.config = config
        self.epoch = 0
        self.log: list[Row] = []
        self.largest = space.decode(space.largest)
        self.supernet = space.supernet().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.optimizer = make_optimizer(self.supernet, config)
        self.teacher: nn.Module | None = None
        self.evaluator = Evaluator(self.supernet, images.normalisation, images.calibration)

    def state(self) -> dict[str, Any]:
        return {
            "epoch": self.epoch,
            "log": self.log,
            "supernet": self.supernet.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "teacher": self.teacher and self.teacher.state_dict(),
        }

    def load(self, state: dict[str, Any]) -> None:
        self.epoch, self.log = state["epoch"], state["log"]
        self.supernet.load_state_dict(state["supernet"])
        self.optimizer.load_state_dict(state["optimizer"])
        if state["teacher"] is not None:
            self.teacher = self.evaluator.network(self.largest)
            self.teacher.load_state_dict(state["teacher"])

    def one_epoch(
        self, phase: Phase, epoch: int, epochs: int, tell: Callable[[Progress], None]
    ) -> None:
        config, images = self.config, self.images
        opened = OPENS[phase.name]
        if opened and self.teacher is None:
            self.teacher = self.evaluator.network(self.largest)
        generator = epoch_generator(config.seed, self.epoch)
        rng = np.random.default_rng((config.seed, self.epoch))
        steps = max(1, len(images.train_labels) // config.batch_size)
        highest = peak(phase, config)
        self.supernet.train()
        began, losses = time.perf_counter(), 0.0
        loader = batches(
            images.train, images.train_labels, config.batch_size, generator, drop_last=True
        )
        for step, (pixels, labels) in enumerate(loader):
            now = rate(epoch * steps + step, phase.epochs * steps, highest)
            for group in self.optimizer.param_groups:
                group["lr"] = now
            if opened:
                rows = sample_open(self.space, opened, config.subnets, config.extremes, rng)
                architectures = [self.space.decode(row) for row in rows]
            else:
                architectures = [self.largest]
            x = augment(pixels, generator, images.augment, images.normalisation)
            loss = self.step(x, labels, architectures)
            if not math.isfinite(loss):
                raise NasLoopError(
                    f"the loss is {loss} at step {step} of epoch {self.epoch} (phase "
                    f"{phase.name}); train a new run with a lower train.learning_rate"
                )
            losses += loss
            speed = (step + 1) * len(labels) / (time.perf_counter() - began)
            tell(Progress(phase.name, self.epoch, epochs, step, steps, loss, speed))
        seconds = time.perf_counter() - began
        smallest = self.space.decode(self.space.canonical(smallest_open(self.space, opened))[0])
        self.log.append(
            {
                "epoch": self.epoch,
                "phase": phase.name,
                "learning_rate": round(highest, 6),
                "loss": round(losses / steps, 5),
                "val_largest": self.validate(self.largest),
                "val_smallest": self.validate(smallest),
                "images_per_second": round(steps * config.batch_size / seconds, 1),
                "seconds": round(time.perf_counter() - began, 1),
            }
        )

    def step(self, x: Tensor, labels: Tensor, architectures: list[Architecture]) -> float:
        """One update: the mean loss of the subnets on images [B, C, H, W]."""
        taught = None
        if self.teacher is not None:
            with torch.no_grad():
                taught = self.teacher(_at(x, self.largest))
        total = 0.0
        for architecture in architectures:
            scores = self.supernet(_at(x, architecture), architecture)
            loss = hard_labels(scores, labels, self.config.label_smoothing)
            if taught is not None:
                loss = loss + self.config.distillation * distillation(scores, taught)
            (loss / len(architectures)).backward()  # type: ignore[no-untyped-call]
            total += loss.item()
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return total / len(architectures)

    def validate(self, architecture: Architecture) -> float:
        """Held-out accuracy in percent, on at most ``VALIDATED`` images, recalibrated."""
        return round(self.evaluator.accuracy(architecture, *self.images.held_out(VALIDATED)), 3)


def _at(x: Tensor, architecture: Architecture) -> Tensor:
    """Images [B, C, H, W] at the resolution of an architecture, channels-last."""
    resolution = int(str(architecture["resolution"]))
    return resize(x, resolution).contiguous(memory_format=torch.channels_last)


def make_optimizer(network: nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    """AdamW (Loshchilov and Hutter, ICLR 2019), or SGD (Sutskever et al., ICML 2013, equation 3).

    Norms, biases and transforms do not decay.
    """
    decaying: list[nn.Parameter] = []
    free: list[nn.Parameter] = []
    for name, parameter in network.named_parameters():
        plain = parameter.ndim < 2 or "transform" in name
        (free if plain else decaying).append(parameter)
    groups = [
        {"params": decaying, "weight_decay": config.decay},
        {"params": free, "weight_decay": 0.0},
    ]
    if config.optimizer == "sgd":
        return torch.optim.SGD(groups, config.highest_rate, MOMENTUM, nesterov=True, foreach=True)
    return torch.optim.AdamW(groups, config.highest_rate, fused=True)
