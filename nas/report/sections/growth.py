"""The predicted front after a tenth, a quarter, a half, and all of a search."""

from __future__ import annotations

from collections.abc import Sequence

from nas.report.course import Growth
from nas.report.draw import chart as draw
from nas.report.draw.markup import Html, el
from nas.report.draw.numbers import significant
from nas.report.draw.scale import padded, spread
from nas.report.fronts import Front

__all__ = ["growth"]

SHADES = 4
"""Of the style sheet, from early to late."""
Points = Sequence[tuple[float, float]]


def growth(front: Front, grown: Growth) -> Html | None:
    """The figure; None where the search met nothing to draw."""
    shown = [(number, points) for number, points in grown.fronts if points]
    if not shown:
        return None
    shades = [f"grown-{max(0, SHADES - len(shown)) + k}" for k in range(len(shown))]
    legend = [
        (f"key-series {shade}", f"after {number:,} evaluations")
        for shade, (number, _) in zip(shades, shown, strict=True)
    ]
    return draw.figure(
        lambda width: _draw(front, grown.scale, shown, shades, width),
        el(
            "span",
            "How the predicted front grew in the last round of the search. Each line is the best "
            "that was met until then within a latency, the earlier the broader; where lines lie on "
            "each other, the rest of the search found nothing better.",
        ),
        [*legend, ("key-budget", "budget")],
    )


def _draw(
    front: Front,
    scale: str,
    shown: Sequence[tuple[int, Points]],
    shades: Sequence[str],
    width: int,
) -> Html:
    latencies = [ms for _, points in shown for ms, _ in points]
    within = [*latencies, front.budget_ms]
    log = spread(within)
    area = draw.plot(
        width,
        320,
        padded(within, log=log),
        padded(score for _, points in shown for _, score in points),
        ("predicted latency, ms", scale),
        log=(log, False),
    )
    budget = (front.budget_ms, area.y.low), (front.budget_ms, area.y.high)
    marks: list[Html] = [draw.bar(area, *budget, "budget")]
    for shade, (_, points) in zip(shades, shown, strict=True):
        marks.append(draw.line(area, _steps(points, front.budget_ms), f"series {shade}"))
    shade, (_, last) = shades[-1], shown[-1]
    said = [
        (ms, score, f"{significant(ms)} ms, {significant(score, 4)} {scale}") for ms, score in last
    ]
    marks.append(draw.circles(area, said, f"mark {shade}", 2.6))
    numbers = ", ".join(f"{len(points)} networks after {number:,}" for number, points in shown)
    return draw.chart(area, marks, f"Fronts in the course of the search: {numbers} evaluations")


def _steps(points: Points, budget_ms: float) -> Points:
    """The best score within each latency, up to the budget: a line that climbs in steps."""
    steps = [points[0]]
    for ms, score in points[1:]:
        steps += [(ms, steps[-1][1]), (ms, score)]
    return [*steps, (max(budget_ms, points[-1][0]), steps[-1][1])]
