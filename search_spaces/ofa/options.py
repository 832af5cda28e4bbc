"""Options that the spaces of the family share, and their rules."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from search_spaces.errors import SpaceError

RESOLUTIONS = tuple(range(128, 225, 4))
"""Heights and widths in pixels at which OFA's networks are trained and used."""


def positive(**options: float) -> None:
    """Raise ``SpaceError`` for a number that is not above 0."""
    for name, value in options.items():
        if not _is_number(value) or value <= 0:
            raise SpaceError(f"{name} is a number above 0; got {value!r}")


def whole(**options: int) -> None:
    """Raise ``SpaceError`` for what is no whole number above 0."""
    for name, value in options.items():
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise SpaceError(f"{name} is a whole number above 0; got {value!r}")


def _is_number(value: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and math.isfinite(value)


def ascending(least: float | None = None, **options: Sequence[float]) -> None:
    """Raise ``SpaceError`` for values that do not ascend from ``least``, by default above 0."""
    for name, values in options.items():
        if not isinstance(values, list | tuple | range) or not all(map(_is_number, values)):
            raise SpaceError(f"{name} are a list of numbers, such as [1, 2]; got {values!r}")
        values = list(values)
        low = bool(values) and (values[0] <= 0 if least is None else values[0] < least)
        if not values or low or values != sorted(set(values)):
            start = "above 0" if least is None else f"{least} or more"
            raise SpaceError(f"{name} ascend from {start}, each once; got {values}")
