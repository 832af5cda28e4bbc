"""One step of a training, and all that it changes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from nas.config import Phase, TrainConfig
from nas.data.augment import resize
from nas.training.average import moving_average
from nas.training.frontier import Frontier
from nas.training.losses import targets_loss
from nas.training.optimizers import make_optimizer
from nas.training.phases import Options
from nas.training.ranks import Ranks
from nas.training.sampling import Front
from nas.training.sorting import order_for, reorder_state
from nas.training.start import Start
from nas.training.strategies import fine_tuning, strategy_of
from search_spaces import Architecture, Space
from search_spaces.errors import NasLoopError
from search_spaces.sorting import reorder
from search_spaces.space import Population
from search_spaces.supernet import Supernet

__all__ = ["Learner", "LossError", "at"]


class Learner:
    """Weights, optimizer, moving average and teacher."""

    def __init__(
        self, space: Space, config: TrainConfig, ranks: Ranks, start: Start | None = None
    ) -> None:
        self.space = space
        self.config = config
        self.ranks = ranks
        only = None if start is None else start.only
        self.strategy = fine_tuning(space.encode(only)[None]) if only else strategy_of(config)
        self.largest = space.decode(space.largest)
        self.supernet = space.supernet().to(ranks.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        if start is not None:
            self.supernet.load_state_dict(start.weights)
        self.optimizer = make_optimizer(self.supernet, config)
        self.average = moving_average(self.supernet, config.ema) if config.ema else None
        self.network = ranks.wrapped(self.supernet, config.sync_batch_norm)
        self.teacher: nn.Module | None = None
        self.teach: Callable[[Tensor], Tensor] | None = None
        self.frontier = Frontier(space, config.settled) if self.strategy.scouts else None

    @property
    def result(self) -> Supernet:
        """The supernet that the training is for: averaged, where that is asked for."""
        return self.supernet if self.average is None else cast(Supernet, self.average.module)

    @property
    def settled(self) -> Population:
        """The networks that are trained alone in the end, with the two ends: [n, choices]."""
        if self.frontier is None:
            return np.empty((0, len(self.space.choices)), dtype=np.int64)
        return self.frontier.settled

    def state(self) -> dict[str, Any]:
        """All of it, as a checkpoint keeps it."""
        return {
            "supernet": self.supernet.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "average": self.average and self.average.state_dict(),
            "teacher": self.teacher and self.teacher.state_dict(),
            "frontier": self.frontier and self.frontier.state(),
        }

    def load(self, state: dict[str, Any], appoint: Callable[[], nn.Module]) -> None:
        """Go on from a ``state``; ``appoint`` gives a teacher that has yet to be loaded."""
        self.supernet.load_state_dict(state["supernet"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.average is not None:
            self.average.load_state_dict(state["average"])
        if self.frontier is not None:
            self.frontier.load(state["frontier"])
        if state["teacher"] is not None:
            teacher = appoint()
            teacher.load_state_dict(state["teacher"])
            self.learn_from(teacher)

    def spoilt(self) -> str | None:
        """The first of the weights and statistics, or of their average, that is not finite."""
        networks = {"": self.supernet, "the average of ": self.average}
        for what, network in networks.items():
            for name, tensor in network.state_dict().items() if network else ():
                if not torch.isfinite(tensor).all():
                    return f"{what}{name.removeprefix('module.')}"
        return None

    def learn_from(self, teacher: nn.Module) -> None:
        """From now on subnets learn from ``teacher``, which stays as it is."""
        self.teacher = teacher
        self.teach = torch.compile(teacher) if self.config.compile else teacher

    def sort(self, phases: Sequence[Phase], number: int) -> None:
        """Order the channels that phase ``number`` is the first to leave out."""
        order = order_for(self.supernet, phases, number)
        reorder_state(self.supernet, self.optimizer, order)
        if self.average is not None:
            reorder(self.average.module.state_dict(), order)

    def step(self, x: Tensor, targets: Tensor, architectures: list[Architecture]) -> list[float]:
        """One update: what each of the subnets lost on images [B, C, H, W].

        ``targets`` are labels [B] or probabilities [B, classes].

        Raises:
            LossError: a loss is not finite; nothing is updated.
        """
        taught = self._taught(x)
        in_place = self.strategy.teacher == "in-place" and self.config.distillation > 0
        losses = []
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
            losses.append(value)
            if in_place and taught is None:
                taught = scores.detach()
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        if self.average is not None:
            self.average.update_parameters(self.supernet)
        return losses

    def _lesson(self, scores: Tensor, targets: Tensor, taught: Tensor | None) -> Tensor:
        """What a subnet with ``scores`` [B, classes] learns."""
        if taught is None:
            return targets_loss(scores, targets, self.config.label_smoothing)
        soft = self.config.distillation * self.strategy.divergence(scores, taught)
        if self.strategy.teacher == "in-place":
            return soft
        return targets_loss(scores, targets, self.config.label_smoothing) + soft

    def _taught(self, x: Tensor) -> Tensor | None:
        """What the teacher of earlier steps says, if there is one that is listened to."""
        if self.teach is None or not self.config.distillation:
            return None
        with torch.no_grad(), self._precise():
            return self.teach(at(x, self.largest)).float()

    def draw(
        self,
        low: Options,
        high: Options,
        rng: np.random.Generator,
        x: Tensor,
        targets: Tensor,
        frontier: Front | None = None,
    ) -> Population:
        """The subnets of one step, rows [n, choices], from the smallest and largest open options
        [choices], the step's images [B, C, H, W] and targets, and the frontier if it is known."""

        def losses(rows: Population) -> npt.NDArray[np.float64]:
            with torch.no_grad():
                own = [self.loss(self.space.decode(row), x, targets) for row in rows]
            return self.ranks.mean(torch.stack(own).double()).cpu().numpy()

        number = self.config.subnets
        return self.strategy.draw(self.space, low, high, number, rng, losses, frontier)

    def loss(self, architecture: Architecture, x: Tensor, targets: Tensor) -> Tensor:
        """By labels alone, without smoothing: a scalar."""
        with self._precise():
            scores = self.supernet(at(x, architecture), architecture).float()
        return targets_loss(scores, targets, 0.0)

    def _precise(self) -> torch.autocast:
        """Networks run in the precision that is asked for."""
        mixed = self.config.precision == "bfloat16"
        return torch.autocast(self.ranks.device.partition(":")[0], torch.bfloat16, enabled=mixed)


class LossError(NasLoopError):
    """The loss of a subnet is not finite."""

    def __init__(self, loss: float, architecture: Architecture) -> None:
        super().__init__(f"the loss is {loss}")
        self.loss = loss
        self.architecture = architecture


def at(x: Tensor, architecture: Architecture) -> Tensor:
    """Images [B, C, H, W] at the resolution of an architecture, channels-last."""
    resolution = int(str(architecture["resolution"]))
    return resize(x, resolution).contiguous(memory_format=torch.channels_last)
