"""What a person sees of a campaign."""

from __future__ import annotations

from latency_lut import Progress
from nas.jobs.campaigns import STEPS, reporting


def test_a_bar_that_goes_back_says_why() -> None:
    seen: list[tuple[int, str]] = []
    report = reporting(lambda step, text: seen.append((step, text)))
    for done, total in ((0, 100), (60, 100), (50, 100), (100, 100), (100, 200), (200, 200)):
        report(Progress(done, total, 1.0, 1.0))
    dropped, again = "disturbed samples dropped", "the halves disagree: as many rounds again"
    assert seen == [
        (0, ""),
        (6 * STEPS // 10, ""),
        (STEPS // 2, dropped),
        (STEPS, dropped),
        (STEPS // 2, again),
        (STEPS, again),
    ]
