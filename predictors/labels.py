"""Labels as predictors fit them: near normal, so that accuracies that crowd at the top spread."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

# Powers of a few skewed labels run away, and past these an inverse is steeper than any use.
POWERS = (-3.0, 5.0)
LARGEST = 1e300
"""Beyond this sums of labels may overflow."""
ROUNDING = 1e-12
"""Labels that differ by less than this share of them are equal."""


def constant(y: Floats) -> bool:
    """Whether labels [n] are all equal but for rounding: they rank nothing."""
    return bool(np.ptp(y) <= ROUNDING * np.abs(y).max())


@dataclass(frozen=True)
class Scale:
    """A monotone map of labels onto roughly standard normal values, and back.

    Standardise, apply the power transform of Yeo and Johnson, "A new family of power
    transformations to improve normality or symmetry" (Biometrika 2000), standardise again.
    ``low`` and ``high`` bound what ``inverse`` gives: one range of the labels beyond either end.
    """

    centre: float
    scale: float
    power: float
    latent_centre: float
    latent_scale: float
    low: float
    high: float

    @classmethod
    def fit(cls, y: Floats) -> Scale:
        """The map for labels [n] that are not all equal."""
        from scipy.stats import yeojohnson_normmax

        # By their range first: the squares of labels may be too large or too small.
        span = float(np.ptp(y))
        centre, scale = float(y.mean()), float((y / span).std() * span)
        z = (y - centre) / scale
        power = float(np.clip(yeojohnson_normmax(z), *POWERS)) if len(np.unique(z)) > 2 else 1.0
        latent = yeo_johnson(z, power)
        low, high = float(y.min()) - span, float(y.max()) + span
        return cls(centre, scale, power, float(latent.mean()), float(latent.std()), low, high)

    def forward(self, y: Floats) -> Floats:
        """Labels [n] to latent values [n]."""
        latent = yeo_johnson((y - self.centre) / self.scale, self.power)
        return (latent - self.latent_centre) / self.latent_scale

    def inverse(self, latent: Floats) -> Floats:
        """Latent values [n] to labels [n], within ``low`` and ``high``."""
        ends = self.forward(np.array([self.low, self.high]))
        inside = np.clip(latent, *ends) * self.latent_scale + self.latent_centre
        return self.centre + self.scale * inverse_yeo_johnson(inside, self.power)

    def spread(self, latent: Floats, std: Floats) -> Floats:
        """The standard deviation of labels [n] where the latent value's is ``std`` [n]."""
        low, high = self.forward(np.array([self.low, self.high]))
        # Moved inside where it would leave the range of ``inverse``, so that it is never zero.
        half = np.minimum(std, (high - low) / 2)
        at = np.clip(latent, low + half, high - half)
        return (self.inverse(at + half) - self.inverse(at - half)) / 2


def yeo_johnson(x: Floats, power: float) -> Floats:
    """Equation 2.1 of the paper, increasing in ``x`` for every power."""
    above, below = np.log1p(np.maximum(x, 0)), np.log1p(np.maximum(-x, 0))
    return np.where(x >= 0, _boxcox(above, power), -_boxcox(below, 2 - power))


def inverse_yeo_johnson(t: Floats, power: float) -> Floats:
    """The ``x`` with ``yeo_johnson(x, power) == t``; ``t`` must be in the range of it."""
    above, below = np.maximum(t, 0), np.maximum(-t, 0)
    return np.where(t >= 0, _inverse_boxcox(above, power), -_inverse_boxcox(below, 2 - power))


def _boxcox(logarithm: Floats, power: float) -> Floats:
    return np.expm1(power * logarithm) / power if power else logarithm


def _inverse_boxcox(t: Floats, power: float) -> Floats:
    return np.expm1(np.log1p(power * t) / power) if power else np.expm1(t)
