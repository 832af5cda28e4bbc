"""From values to pixels, and where the ticks stand."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["Scale", "padded", "spread"]


@dataclass(frozen=True)
class Scale:
    """Maps ``low`` to ``start`` and ``high`` to ``stop``; logarithmic if ``log``."""

    low: float
    high: float
    start: float
    stop: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """The pixel of a value; outside of the range it is continued."""
        low, high, at = (
            (math.log(self.low), math.log(self.high), math.log(value))
            if self.log
            else (self.low, self.high, value)
        )
        return self.start + (at - low) / (high - low) * (self.stop - self.start)

    def holds(self, value: float) -> bool:
        """Whether a value is in the range."""
        return self.low <= value <= self.high

    def clamp(self, value: float) -> float:
        """The nearest value that is in the range."""
        return min(max(value, self.low), self.high)

    def ticks(self, about: int = 5) -> list[float]:
        """Round values in the range: about so many, three at least."""
        if self.log:
            return self._log_ticks()
        finer = (self._linear_ticks((self.high - self.low) / n) for n in range(about, 4 * about))
        return next(found for found in finer if len(found) >= min(3, about))

    def _linear_ticks(self, rough: float) -> list[float]:
        step = _step(rough)
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [round(k * step, 12) for k in range(first, last + 1)]

    def _log_ticks(self) -> list[float]:
        decades = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        values: list[float] = []
        for mantissas in ((1,), (1, 2, 5), (1, 1.5, 2, 3, 4, 5, 7)):
            values = [round(m * 10.0**d, 12 - d) for d in decades for m in mantissas]
            values = [value for value in values if self.holds(value)]
            if len(values) > 3:
                break
        return values


def padded(values: Iterable[float], share: float = 0.06, log: bool = False) -> tuple[float, float]:
    """The range of values, a little wider; never empty. ``log``: wider by a factor."""
    known = list(values)
    low, high = min(known), max(known)
    if log:
        factor = (high / low) ** share if high > low else 1 + share
        return low / factor, high * factor
    margin = share * (high - low) or share * abs(high) or 1.0
    return low - margin, high + margin


def spread(values: Iterable[float], factor: float = 3.0) -> bool:
    """Whether values are positive and far enough apart for a logarithmic axis."""
    known = list(values)
    return min(known) > 0 and max(known) > factor * min(known)


def _step(rough: float) -> float:
    power = 10.0 ** math.floor(math.log10(rough))
    return next(m * power for m in (1, 2, 5, 10) if m * power >= 0.75 * rough)
