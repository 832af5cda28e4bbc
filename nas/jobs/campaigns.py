"""How a campaign's progress is shown."""

from __future__ import annotations

from collections.abc import Callable

from latency_lut import Progress

__all__ = ["STEPS", "reporting"]

STEPS = 1000
"""A campaign counts visits, which grow with its effort; so many steps are fine enough for a bar."""


def reporting(advance: Callable[[int, str], None]) -> Callable[[Progress], None]:
    """What hears of a campaign's progress and moves a bar of ``STEPS``.

    Where that goes back it says why: samples turned out to be disturbed once more was known of the
    machine, or the halves of the campaign disagreed and it takes as many rounds again.
    """
    last = Progress(0, 0, 0.0, 0.0)
    why = ""

    def report(progress: Progress) -> None:
        nonlocal last, why
        if 0 < last.total < progress.total:
            why = "the halves disagree: as many rounds again"
        elif progress.done < last.done:
            why = "disturbed samples dropped"
        last = progress
        advance(round(STEPS * progress.done / max(1, progress.total)), why)

    return report
