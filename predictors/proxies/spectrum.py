"""Eigenvalues, also of what has overflowed."""

from __future__ import annotations

import math

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


def spectral_norm(matrix: Tensor) -> float:
    """The largest singular value of a matrix [m, n]; NaN where it is not finite."""
    size = float(matrix.abs().max())
    if not 0 < size < math.inf:
        return math.nan if size else 0.0
    # The largest one loses nothing by squares in single precision, at half the time.
    short = (matrix if len(matrix) < matrix.shape[1] else matrix.T) / size
    return size * math.sqrt(float(torch.linalg.eigvalsh(short @ short.T)[-1]))
