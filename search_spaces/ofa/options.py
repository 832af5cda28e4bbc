"""Options that the spaces of the family share, and their rules."""

from __future__ import annotations

from collections.abc import Sequence

from search_spaces.errors import SpaceError

RESOLUTIONS = tuple(range(128, 225, 4))
"""Heights and widths in pixels at which OFA's networks are trained and used."""


def positive(**options: float) -> None:
    """Raise ``SpaceError`` for a number that is not above 0."""
    for name, value in options.items():
        if not value > 0:
            raise SpaceError(f"{name} is above 0; got {value}")


def ascending(least: float | None = None, **options: Sequence[float]) -> None:
    """Raise ``SpaceError`` for values that do not ascend from ``least``, by default above 0."""
    for name, values in options.items():
        values = list(values)
        low = bool(values) and (values[0] <= 0 if least is None else values[0] < least)
        if not values or low or values != sorted(set(values)):
            start = "above 0" if least is None else f"{least} or more"
            raise SpaceError(f"{name} ascend from {start}, each once; got {values}")
