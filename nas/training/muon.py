"""Muon: momentum whose every direction counts alike.

Jordan et al., "Muon: An optimizer for hidden layers in neural networks" (2024,
kellerjordan.github.io/posts/muon). A convolution's weights are a matrix of output channels by all
that one of them reads.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

MOMENTUM = 0.9
RATIO = 0.2
"""Matrices step by so much of the learning rate, which is that of SGD for the other parameters."""
STEPS, COEFFICIENTS = 5, (3.4445, -4.7750, 2.0315)
"""Of the iteration; they take singular values from 0.01 to 1 to values from 0.7 to 1.2."""


class Muon(torch.optim.Optimizer):
    """Muon for the groups with ``matrix``, SGD with Nesterov's momentum for the others.

    Weight decay is apart from the gradient for matrices (Loshchilov and Hutter, ICLR 2019), and
    part of it for the others.
    """

    def __init__(self, groups: list[dict[str, Any]], lr: float) -> None:
        super().__init__(groups, {"lr": lr, "weight_decay": 0.0, "matrix": False})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """One step by the gradients; parameters without one keep still."""
        for group in self.param_groups:
            rate, decay = group["lr"], group["weight_decay"]
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                gradient = parameter.grad
                if group["matrix"]:
                    step = orthogonal(self._ahead(parameter, gradient))
                    rate = RATIO * group["lr"]
                    parameter.mul_(1 - rate * decay)
                else:
                    step = self._ahead(parameter, gradient.add(parameter, alpha=decay))
                parameter.add_(step, alpha=-rate)

    def _ahead(self, parameter: Tensor, gradient: Tensor) -> Tensor:
        """Nesterov's: the velocity, one more step on."""
        kept = self.state[parameter]
        if not kept:
            kept["velocity"] = torch.zeros_like(parameter)
        velocity: Tensor = kept["velocity"].mul_(MOMENTUM).add_(gradient)
        return gradient.add(velocity, alpha=MOMENTUM)


def orthogonal(weights: Tensor) -> Tensor:
    """Weights [out, in, h, w] with all singular values near max(1, out / (in h w))^0.5.

    As a matrix [out, in * h * w], by a Newton-Schulz iteration; a matrix of zeros stays so. What
    the iteration multiplies the matrix by is a polynomial of its Gram matrix, and is multiplied up
    by itself, which is fewer operations where a matrix is longer than wide: it takes part in two
    products in all. In float32 directions of less than a thousandth of the largest are rounded.
    """
    matrix = weights.flatten(1)
    tall = len(matrix) > matrix.shape[1]
    x = matrix.T if tall else matrix
    x = x / (x.norm() + 1e-7)
    gram = x @ x.T
    polynomial = factor = _polynomial(gram)
    for _ in range(STEPS - 1):
        # Polynomials of one matrix commute.
        gram = polynomial @ gram @ polynomial
        polynomial = _polynomial(gram)
        factor = polynomial @ factor
    x = factor @ x
    x = (x.T if tall else x) * max(1.0, len(matrix) / matrix.shape[1]) ** 0.5
    return x.reshape(weights.shape)


def _polynomial(gram: Tensor) -> Tensor:
    """What one step of the iteration multiplies by: [n, n] of the Gram matrix [n, n]."""
    a, b, c = COEFFICIENTS
    result = torch.addmm(gram, gram, gram, beta=b, alpha=c)
    result.diagonal().add_(a)
    return result
