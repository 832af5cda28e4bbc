"""Held-out accuracy as a piece of work that can be done in another process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nas.jobs.trained import TrainedRun
from search_spaces import Space
from search_spaces.space import Population

if TYPE_CHECKING:
    from torch import Tensor

    from nas.training.evaluate import Evaluator

__all__ = ["HeldOutAccuracy"]


@dataclass(frozen=True)
class HeldOutAccuracy:
    """Accuracy in percent of the subnet of one row [choices], on the images of a run.

    In this process that is the run's own, which reads weights and images when it is first asked.
    Another process gets what it takes and no more: the supernet, the images that norms are
    recalibrated on, and the held-out ones, which it holds in memory, mapped here or not; it needs
    no run folder.
    """

    trained: TrainedRun

    def __call__(self, row: Population) -> float:
        return self.trained.val_accuracy(row)

    def __reduce__(self) -> tuple[Any, ...]:
        trained, images = self.trained, self.trained.dataset.images
        return _Sent, (trained.space, trained.evaluator, images.val, images.val_labels)


@dataclass(frozen=True, eq=False)
class _Sent:
    """What arrives: images uint8 [N, C, H, W], labels [N]."""

    space: Space
    evaluator: Evaluator
    images: Tensor
    labels: Tensor

    def __call__(self, row: Population) -> float:
        return self.evaluator.accuracy(self.space.decode(row), self.images, self.labels)
