"""What a subnet learns from: labels and the largest network."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

__all__ = ["distillation", "hard_labels"]


def hard_labels(logits: Tensor, labels: Tensor, smoothing: float) -> Tensor:
    """Cross-entropy of logits [B, classes] with labels [B], smoothed (Szegedy et al., 2016)."""
    return functional.cross_entropy(logits, labels, label_smoothing=smoothing)


def distillation(logits: Tensor, teacher: Tensor) -> Tensor:
    """Cross-entropy of logits with the teacher's probabilities, both [B, classes].

    Hinton et al., 2015, at temperature 1, as in Once for All.
    """
    return functional.cross_entropy(logits, teacher.softmax(1))
