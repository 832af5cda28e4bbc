"""Losses against values by hand."""

from __future__ import annotations

from math import log

import pytest
import torch

from nas.training.losses import (
    adaptive_alpha,
    alpha_divergence,
    distillation,
    targets_loss,
)

# Probabilities 3/4 and 1/4, and 1/2 and 1/2.
LOGITS = torch.tensor([[log(3.0), 0.0], [1.0, 1.0]])
TEACHER = torch.tensor([[0.0, 0.0], [log(4.0), 0.0]])
LABELS = torch.tensor([0, 1])


def test_cross_entropy_with_labels() -> None:
    by_hand = (-log(0.75) - log(0.5)) / 2
    assert targets_loss(LOGITS, LABELS, 0.0).item() == pytest.approx(by_hand)


def test_smoothing_gives_every_class_its_share() -> None:
    # 0.1 is divided among two classes: targets 0.95 and 0.05.
    first = -(0.95 * log(0.75) + 0.05 * log(0.25))
    assert targets_loss(LOGITS, LABELS, 0.1).item() == pytest.approx((first + log(2)) / 2)


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


@pytest.mark.parametrize("alpha", [-1.0, -0.5, 0.5, 1.0, 2.0])
def test_alpha_divergence_and_its_gradient_are_those_of_the_formula(alpha: float) -> None:
    torch.manual_seed(0)
    logits = torch.randn(5, 7, dtype=torch.float64, requires_grad=True)
    teacher = torch.randn(5, 7, dtype=torch.float64)
    p, q = teacher.softmax(1), logits.softmax(1)
    if alpha == 1:
        formula = (p * (p / q).log()).sum(1)
    else:
        formula = ((q * (p / q) ** alpha).sum(1) - 1) / (alpha * (alpha - 1))
    found = alpha_divergence(logits, teacher, alpha, clip=1e9)
    torch.testing.assert_close(found, formula)
    expected = torch.autograd.grad(formula.sum(), logits)[0]
    torch.testing.assert_close(torch.autograd.grad(found.sum(), logits)[0], expected)


def test_importance_weights_are_cut() -> None:
    # q is 1/2, 1/2 and p is 0.9, 0.1: weights q / p are 5/9 and 5, the second cut to 2.
    logits = torch.zeros(1, 2, requires_grad=True)
    teacher = torch.tensor([[log(9.0), 0.0]])
    found = alpha_divergence(logits, teacher, -1.0, clip=2.0)
    assert found.item() == pytest.approx(0.5 * (0.5 * (5 / 9 - 1) + 0.5 * (2 - 1)))
    found.backward()
    # Of 5/18 log q0 + log q1, whose weights are not normalised.
    assert logits.grad is not None
    total = 5 / 18 + 1
    assert logits.grad.tolist() == [pytest.approx([5 / 18 - total / 2, 1 - total / 2])]


@pytest.mark.parametrize("classes", [10, 100, 1000])
def test_an_untrained_student_learns_by_kullback_and_leibler(classes: int) -> None:
    logits = torch.zeros(1, classes, requires_grad=True)
    teacher = torch.zeros(1, classes)
    teacher[0, 0] = log(9.0 * (classes - 1))  # 0.9 on one class
    adaptive_alpha(logits, teacher).backward()
    assert logits.grad is not None
    torch.testing.assert_close(logits.grad, 1 / classes - teacher.softmax(1))


def test_the_larger_of_both_divergences_counts_for_each_image() -> None:
    torch.manual_seed(1)
    logits, teacher = torch.randn(40, 6), torch.randn(40, 6)
    left, right = (alpha_divergence(logits, teacher, alpha) for alpha in (-1.0, 1.0))
    assert 2 < int((left > right).sum()) < 38
    found = adaptive_alpha(logits, teacher).item()
    assert found == pytest.approx(torch.maximum(left, right).mean().item())


def test_a_student_that_agrees_learns_nothing() -> None:
    logits = torch.randn(4, 5, requires_grad=True)
    adaptive_alpha(logits, logits.detach()).backward()
    assert logits.grad is not None
    torch.testing.assert_close(logits.grad, torch.zeros(4, 5), atol=1e-6, rtol=0)


def test_targets_may_be_mixtures() -> None:
    mixed = torch.tensor([[0.7, 0.3], [0.0, 1.0]])
    first = -(0.7 * log(0.75) + 0.3 * log(0.25))
    assert targets_loss(LOGITS, mixed, 0.0).item() == pytest.approx((first + log(2)) / 2)
    smoothed = -(0.68 * log(0.75) + 0.32 * log(0.25))
    assert targets_loss(LOGITS, mixed, 0.1).item() == pytest.approx((smoothed + log(2)) / 2)
