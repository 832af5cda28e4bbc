"""Accuracy against latency: every measured point, the budget, the choice."""

from __future__ import annotations

from nas.report.data import Front, Point, ReportData, Test
from nas.report.draw import chart as draw
from nas.report.draw.markup import Html, el
from nas.report.draw.numbers import fixed, significant
from nas.report.draw.scale import padded, spread
from nas.report.sections.common import command, missing, section
from nas.report.statistics import binomial

__all__ = ["frontier"]

SHIFT = 6.0
"""Test accuracies are drawn so many pixels to the right, lest the error bars hide each other."""


def frontier(data: ReportData) -> Html:
    """The part with the frontier."""
    front = data.front
    if front is None:
        return section(
            "frontier",
            "Accuracy against latency",
            missing("There is no front yet.", command(data, "search", "--latency-ms BUDGET")),
        )
    legend = [("key-val", "validation, measured"), ("key-ring", "chosen"), ("key-budget", "budget")]
    if data.test:
        legend.insert(1, ("key-test", "test"))
    if front.dominated:
        legend.append(("key-beaten", "measured, but beaten"))
    if front.cloud:
        legend.append(("key-cloud", "searched, predicted only"))
    return section(
        "frontier",
        "Accuracy against latency",
        None if data.test else missing("There are no test accuracies.", command(data, "report")),
        draw.figure(lambda width: _draw(front, data.test, width), _caption(front, data), legend),
    )


def _caption(front: Front, data: ReportData) -> Html:
    within = sum(point.latency_ms <= front.budget_ms for point in front.points)
    images = front.best.val_images
    text = (
        f"{len(front.points)} measured networks that no other one beats, {within} of them within "
        f"the budget of {significant(front.budget_ms)} ms. Vertical bars are binomial 95% "
        f"intervals ({images:,} validation images"
        + (f", {data.test.images:,} test images" if data.test else "")
        + "), horizontal bars the interval of the measured latency."
    )
    if data.test:
        text += (
            " The choice was made by validation accuracy; test images are used by this report "
            "alone, and their marks stand a little to the right."
        )
    if front.cloud:
        text += " Dots beyond the axes are not drawn."
    return el("span", text)


def _draw(front: Front, test: Test | None, width: int) -> Html:
    points = (*front.points, *front.dominated)
    shown = [_interval(point) for point in points]
    heights = [value for interval in shown for value in interval]
    if test is not None:
        heights += [v for tested in test.accuracy for v in binomial(tested, test.images)]
    widths = [front.budget_ms, *(ms for point in points for ms in _measured(point))]
    low, high = padded(heights)
    area = draw.plot(
        width,
        420 if width == draw.WIDE else 380,
        padded(widths, log=spread(widths)),
        (low, min(high, 100.5)),
        ("measured latency, ms", "accuracy, %"),
        log=(spread(widths), False),
    )
    budget = (front.budget_ms, area.y.low), (front.budget_ms, area.y.high)
    left = area.x(front.budget_ms) > area.width / 2
    marks: list[Html] = [
        draw.cloud(area, [(ms, 100 - error) for ms, error in front.cloud], "dots-cloud"),
        draw.bar(area, *budget, "budget"),
        draw.note(
            area,
            front.budget_ms,
            area.y.low,
            f"budget {significant(front.budget_ms)} ms",
            "note-budget end" if left else "note-budget",
            dx=-6 if left else 6,
            dy=-8,
        ),
        draw.circles(
            area,
            [(p.latency_ms, p.val_accuracy, _text("beaten", p)) for p in front.dominated],
            "mark beaten",
            3,
        ),
    ]
    for number, point in enumerate(front.points):
        accuracy = test.accuracy[number] if test else None
        marks += _point(area, point, f"#{number + 1}", accuracy, test)
    best = front.best
    marks.append(draw.ring(area, best.latency_ms, best.val_accuracy))
    marks.append(
        draw.note(
            area, best.latency_ms, best.val_accuracy, "chosen", "note-chosen end", dx=-13, dy=-7
        )
    )
    return draw.chart(area, marks, _alt(front, test))


def _point(
    area: draw.Plot, point: Point, name: str, accuracy: float | None, test: Test | None
) -> list[Html]:
    ms, val = point.latency_ms, point.val_accuracy
    low, high = _interval(point)
    fast, slow = _measured(point)
    marks = [
        draw.bar(area, (ms, low), (ms, high), "error val"),
        draw.bar(area, (fast, val), (slow, val), "error val"),
    ]
    if accuracy is not None and test is not None:
        below, above = binomial(accuracy, test.images)
        marks.append(draw.bar(area, (ms, below), (ms, above), "error test", SHIFT))
        said = f"{name}: {fixed(accuracy)}% of {test.images:,} test images"
        marks.append(draw.diamond(area, ms, accuracy, said, "mark test", SHIFT))
    marks.append(draw.circles(area, [(ms, val, _text(name, point))], "mark val", 4.2))
    return marks


def _interval(point: Point) -> tuple[float, float]:
    if not point.val_images:
        return point.val_accuracy, point.val_accuracy
    return binomial(point.val_accuracy, point.val_images)


def _measured(point: Point) -> tuple[float, float]:
    return (
        point.latency_ms if point.latency_low is None else point.latency_low,
        point.latency_ms if point.latency_high is None else point.latency_high,
    )


def _text(name: str, point: Point) -> str:
    return f"{name}: {significant(point.latency_ms)} ms, {fixed(point.val_accuracy)}% validation"


def _alt(front: Front, test: Test | None) -> str:
    first, last, best = front.points[0], front.points[-1], front.best
    tested = f", {fixed(test.accuracy[front.chosen])}% test" if test else ""
    return (
        f"Scatter of {len(front.points)} networks from {_text('the fastest', first)} to "
        f"{_text('the slowest', last)}; chosen {significant(best.latency_ms)} ms, "
        f"{fixed(best.val_accuracy)}% validation{tested}; budget {significant(front.budget_ms)} ms"
    )
