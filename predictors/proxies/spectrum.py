"""Eigenvalues, also of what has overflowed."""

from __future__ import annotations

import torch
from torch import Tensor


def spectrum(symmetric: Tensor) -> Tensor:
    """Eigenvalues of a positive semidefinite matrix [n, n], ascending, float64, none below 0.

    NaN where the matrix is not finite, which solvers would not return from.
    """
    matrix = symmetric.double()
    if not torch.isfinite(matrix).all():
        return matrix.new_full((len(matrix),), torch.nan)
    return torch.linalg.eigvalsh(matrix).clamp(min=0)
