"""Hyperparameters of a Gaussian process: where the marginal likelihood is greatest.

Rasmussen and Williams, "Gaussian Processes for Machine Learning" (2006), section 5.4.1, for a
kernel with a linear trend, a smooth deviation from it, and noise. Written out because the general
gradient of scikit-learn holds a matrix for each hyperparameter, and takes several times as long.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

# For each hyperparameter where it may lie; one at an end says that its part is not needed.
BOUNDS = {
    "trend": (1e-6, 1e3),
    "deviation": (1e-4, 1e3),
    "length": (0.1, 1e3),
    "noise": (1e-4, 1e1),
}
# Of the variance, so that equal rows leave the matrix positive definite.
JITTER = 1e-10


@dataclass(frozen=True)
class Hyperparameters:
    """Of ``trend * (1 + x.z) + deviation * exp(-|x - z|^2 / (2 length^2))``, and ``noise``."""

    trend: float
    deviation: float
    length: float
    noise: float


@dataclass(frozen=True, eq=False)
class Gram:
    """What a kernel asks of samples: scalar products and squared distances, both [n, n]."""

    products: Floats
    squares: Floats

    @classmethod
    def of(cls, Z: Floats) -> Gram:
        """Those of ``Z`` [n, features]."""
        products = Z @ Z.T
        own = np.diag(products)
        return cls(products, np.maximum(own[:, None] + own - 2 * products, 0))

    def parts(self, h: Hyperparameters) -> tuple[Floats, Floats]:
        """The kernel's trend and deviation, both [n, n]."""
        smooth = h.deviation * np.exp(self.squares * (-0.5 / h.length**2))
        return h.trend * (1 + self.products), smooth


def likeliest(gram: Gram, y: Floats, start: Hyperparameters) -> Hyperparameters:
    """The maximum that is reached from ``start``, within ``BOUNDS``, for labels ``y`` [n]."""
    from scipy.optimize import minimize

    at = np.log([getattr(start, name) for name in BOUNDS])
    bounds = np.log([*BOUNDS.values()])
    found = minimize(_loss, at, (gram, y), method="L-BFGS-B", jac=True, bounds=bounds)
    return Hyperparameters(*np.exp(found.x).tolist())


def _loss(logarithms: Floats, gram: Gram, y: Floats) -> tuple[float, Floats]:
    """Minus the log likelihood (equation 5.8) and its gradient [4] (5.9), by the logarithms."""
    from scipy.linalg.lapack import dpotrf, dpotri, dpotrs

    h = Hyperparameters(*np.exp(logarithms).tolist())
    trend, smooth = gram.parts(h)
    covariance = trend + smooth
    covariance[np.diag_indices_from(covariance)] += h.noise + JITTER
    lower, failed = dpotrf(covariance.T, lower=1, overwrite_a=1)
    if failed:
        return np.inf, np.zeros(len(BOUNDS))
    weights = dpotrs(lower, y, lower=1)[0]
    loss = y @ weights / 2 + np.log(np.diag(lower)).sum() + len(y) / 2 * np.log(2 * np.pi)
    inverse = dpotri(lower, lower=1)[0]
    # Of the inverse the lower half is there; what it is multiplied by is symmetric.
    inner = np.tril(np.outer(weights, weights) - inverse)
    inner[np.diag_indices_from(inner)] /= 2
    by_smooth = inner * smooth
    slopes = (
        np.vdot(inner, trend),
        by_smooth.sum(),
        np.vdot(by_smooth, gram.squares) / h.length**2,
        h.noise * np.trace(inner),
    )
    return float(loss), -np.array(slopes)
