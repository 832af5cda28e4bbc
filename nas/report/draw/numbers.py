"""Numbers as text."""

from __future__ import annotations

import math

__all__ = ["MISSING", "fixed", "pixels", "significant"]

MISSING = "–"


def significant(value: float | None, digits: int = 3) -> str:
    """So many significant digits, never in exponents: 0.0412, 4.12, 412, 41200."""
    if value is None or not math.isfinite(value):
        return MISSING
    if value == 0:
        return "0"
    decimals = digits - 1 - math.floor(math.log10(abs(value)))
    rounded = round(value, decimals)
    return f"{rounded:.{max(0, decimals)}f}"


def fixed(value: float | None, decimals: int = 2) -> str:
    """So many decimals."""
    if value is None or not math.isfinite(value):
        return MISSING
    # Adding zero makes a negative zero positive.
    return f"{round(value, decimals) + 0.0:.{decimals}f}"


def pixels(value: float) -> str:
    """A coordinate, as short as it can be without being seen to be rounded."""
    return f"{value:.1f}".removesuffix(".0")
