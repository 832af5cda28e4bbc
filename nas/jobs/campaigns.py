"""How a campaign's progress is shown."""

from __future__ import annotations

from collections.abc import Callable

from latency_lut import Progress

__all__ = ["STEPS", "reporting"]

STEPS = 1000
"""A campaign counts visits, which grow with its effort; so many steps are fine enough for a bar."""


def reporting(advance: Callable[[int, str], None]) -> Callable[[Progress], None]:
    """What hears of a campaign's progress and moves a bar of ``STEPS``."""

    def report(progress: Progress) -> None:
        share = progress.done / max(1, progress.total)
        advance(round(STEPS * share), "")

    return report
