"""What a subnet learns from: labels and the largest network."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["Divergence", "adaptive_alpha", "alpha_divergence", "distillation", "targets_loss"]

Divergence = Callable[[Tensor, Tensor], Tensor]
"""How far logits [B, classes] are from a teacher's [B, classes]: the mean over images."""

CLIP = 5.0
"""Largest importance weight (Wang et al. 2021, section 4.2)."""


def targets_loss(logits: Tensor, targets: Tensor, smoothing: float) -> Tensor:
    """Cross-entropy of logits [B, classes], smoothed (Szegedy et al., CVPR 2016).

    ``targets`` are labels [B] or, where images were mixed, probabilities [B, classes].
    """
    return functional.cross_entropy(logits, targets, label_smoothing=smoothing)


def distillation(logits: Tensor, teacher: Tensor) -> Tensor:
    """Cross-entropy of logits with the teacher's probabilities, both [B, classes].

    Hinton et al., 2015, at temperature 1, as in Once for All. Its gradient is that of the
    Kullback-Leibler divergence from student to teacher.
    """
    return functional.cross_entropy(logits, teacher.softmax(1))


def alpha_divergence(logits: Tensor, teacher: Tensor, alpha: float, clip: float = CLIP) -> Tensor:
    """D_alpha(teacher || student) of every image: [B].

    Wang et al., "AlphaNet", ICML 2021, equations 4 and 6. Importance weights (p / q)^alpha above
    ``clip`` are cut, in the value and in the gradient, as their code does; not for an ``alpha`` of
    1, where the divergence is that of Kullback and Leibler. 0 is not taken.
    """
    log_q = logits.log_softmax(1)
    log_p = teacher.detach().log_softmax(1)
    q, ratio = log_q.detach().exp(), log_p - log_q.detach()
    if alpha == 1:
        weights = ratio.exp()
        value = (q * weights * ratio).sum(1)
    else:
        weights = (alpha * ratio).exp().clamp(max=clip)
        value = (q * (weights - 1)).sum(1) / (alpha * (alpha - 1))
    surrogate = -(q * weights * log_q).sum(1) / alpha
    return value + surrogate - surrogate.detach()


def adaptive_alpha(logits: Tensor, teacher: Tensor) -> Tensor:
    """The larger of the divergences for alpha -1 and 1, image by image; the mean.

    AlphaNet, equation 7: one punishes what the student thinks likely and the teacher does not, the
    other the opposite.
    """
    left, right = (alpha_divergence(logits, teacher, alpha) for alpha in (-1.0, 1.0))
    return torch.where(left.detach() > right.detach(), left, right).mean()
