"""Losses against values by hand."""

from __future__ import annotations

from math import log

import pytest
import torch

from nas.training.losses import distillation, hard_labels

# Probabilities 3/4 and 1/4, and 1/2 and 1/2.
LOGITS = torch.tensor([[log(3.0), 0.0], [1.0, 1.0]])
TEACHER = torch.tensor([[0.0, 0.0], [log(4.0), 0.0]])
LABELS = torch.tensor([0, 1])


def test_cross_entropy_with_labels() -> None:
    by_hand = (-log(0.75) - log(0.5)) / 2
    assert hard_labels(LOGITS, LABELS, 0.0).item() == pytest.approx(by_hand)


def test_smoothing_gives_every_class_its_share() -> None:
    # 0.1 is divided among two classes: targets 0.95 and 0.05.
    first = -(0.95 * log(0.75) + 0.05 * log(0.25))
    assert hard_labels(LOGITS, LABELS, 0.1).item() == pytest.approx((first + log(2)) / 2)


def test_distillation_is_cross_entropy_with_the_teachers_probabilities() -> None:
    first = -(0.5 * log(0.75) + 0.5 * log(0.25))
    second = -(0.8 * log(0.5) + 0.2 * log(0.5))
    assert distillation(LOGITS, TEACHER).item() == pytest.approx((first + second) / 2)


def test_distillation_pulls_towards_the_teacher() -> None:
    logits = LOGITS.clone().requires_grad_()
    distillation(logits, TEACHER).backward()
    assert logits.grad is not None
    by_hand = (LOGITS.softmax(1) - TEACHER.softmax(1)) / len(LOGITS)
    torch.testing.assert_close(logits.grad, by_hand)
