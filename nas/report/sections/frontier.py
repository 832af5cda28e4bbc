"""Accuracy against latency: every measured point, the budget, the choice."""

from __future__ import annotations

from nas.report.data import ReportData, Test
from nas.report.draw import chart as draw
from nas.report.draw.markup import Html, el
from nas.report.draw.numbers import fixed, significant
from nas.report.draw.scale import padded, spread
from nas.report.fronts import Front, Point
from nas.report.sections.common import elsewhere, missing, search_command, section, untested
from nas.report.statistics import binomial
from nas.scale import capitalised, name_and_unit, worded

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
            elsewhere(data) or missing("There is no front yet.", search_command(data)),
        )
    name, _ = name_and_unit(front.scale)
    judged = "validation, measured" if front.tried else name
    legend = [("key-val", judged), ("key-ring", "chosen"), ("key-budget", "budget")]
    if data.test:
        legend.insert(1, ("key-test", "test"))
    if front.dominated:
        legend.append(("key-beaten", "measured, but beaten"))
    if front.cloud:
        legend.append(("key-cloud", "searched, predicted only"))
    return section(
        "frontier",
        f"{capitalised(name)} against latency",
        untested(data),
        draw.figure(lambda width: _draw(front, data.test, width), _caption(front, data), legend),
    )


def _caption(front: Front, data: ReportData) -> Html:
    within = sum(point.latency_ms <= front.budget_ms for point in front.points)
    by = ""
    if front.tried:
        by = (
            " in latency and expected accuracy (what was measured and what was predicted, weighted "
            "by how exact they are)"
        )
    text = (
        f"{len(front.points)} measured networks that no other one beats{by}, {within} of them "
        f"within the budget of {significant(front.budget_ms)} ms. {_vertical(front, data.test)}"
        "Horizontal bars are the interval of the measured latency."
    )
    if data.test:
        text += (
            " The choice was made by validation accuracy; test images are used by this report "
            "alone, and their marks stand a little to the right."
        )
    if front.cloud:
        text += " Dots beyond the axes are not drawn."
    return el("span", text)


def _vertical(front: Front, test: Test | None) -> str:
    if front.tried:
        images = f"{front.best.val_images:,} validation images"
        images += f", {test.images:,} test images" if test else ""
        return f"Vertical bars are binomial 95% intervals ({images}). "
    said = f"No network was run on images: heights are by the {front.guide}. "
    if front.best.predicted_error_std:
        said += "Vertical bars are the predictor's own 95% intervals. "
    return said


def _draw(front: Front, test: Test | None, width: int) -> Html:
    points = (*front.points, *front.dominated)
    shown = [_interval(point) for point in points]
    heights = [value for interval in shown for value in interval]
    if test is not None:
        heights += [v for tested in test.accuracy for v in binomial(tested, test.images)]
    widths = [front.budget_ms, *(ms for point in points for ms in _measured(point))]
    low, high = padded(heights)
    if front.scale.endswith("%") and low < 100:
        high = min(high, 100.5)
    area = draw.plot(
        width,
        420 if width == draw.WIDE else 380,
        padded(widths, log=spread(widths)),
        (low, high),
        ("measured latency, ms", front.scale),
        log=(spread(widths), False),
    )
    budget = (front.budget_ms, area.y.low), (front.budget_ms, area.y.high)
    left = area.x(front.budget_ms) > area.width / 2
    marks: list[Html] = [
        draw.cloud(area, front.cloud, "dots-cloud"),
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
            [(p.latency_ms, p.height, _text("beaten", p, front.scale)) for p in front.dominated],
            "mark beaten",
            3,
        ),
    ]
    for number, point in enumerate(front.points):
        accuracy = test.accuracy[number] if test else None
        said = _text(f"#{number + 1}", point, front.scale)
        marks += _point(area, point, said, accuracy, test)
    best = front.best
    marks.append(draw.ring(area, best.latency_ms, best.height))
    marks.append(
        draw.note(area, best.latency_ms, best.height, "chosen", "note-chosen end", dx=-13, dy=-7)
    )
    return draw.chart(area, marks, _alt(front, test))


def _point(
    area: draw.Plot, point: Point, text: str, accuracy: float | None, test: Test | None
) -> list[Html]:
    ms, val = point.latency_ms, point.height
    low, high = _interval(point)
    fast, slow = _measured(point)
    marks = [
        draw.bar(area, (ms, low), (ms, high), "error val"),
        draw.bar(area, (fast, val), (slow, val), "error val"),
    ]
    if accuracy is not None and test is not None:
        below, above = binomial(accuracy, test.images)
        marks.append(draw.bar(area, (ms, below), (ms, above), "error test", SHIFT))
        said = f"{text.partition(':')[0]}: {fixed(accuracy)}% of {test.images:,} test images"
        marks.append(draw.diamond(area, ms, accuracy, said, "mark test", SHIFT))
    marks.append(draw.circles(area, [(ms, val, text)], "mark val", 4.2))
    return marks


def _interval(point: Point) -> tuple[float, float]:
    if point.val_accuracy is not None and point.val_images:
        return binomial(point.val_accuracy, point.val_images)
    half = 1.96 * (point.predicted_error_std or 0.0) if point.val_accuracy is None else 0.0
    return point.height - half, point.height + half


def _measured(point: Point) -> tuple[float, float]:
    return (
        point.latency_ms if point.latency_low is None else point.latency_low,
        point.latency_ms if point.latency_high is None else point.latency_high,
    )


def _text(name: str, point: Point, scale: str) -> str:
    quality = worded(scale, point.score)
    if point.val_accuracy is not None:
        quality = f"{fixed(point.val_accuracy)}% validation"
    return f"{name}: {significant(point.latency_ms)} ms, {quality}"


def _alt(front: Front, test: Test | None) -> str:
    first, last = front.points[0], front.points[-1]
    tested = f", {fixed(test.accuracy[front.chosen])}% test" if test else ""
    return (
        f"Scatter of {len(front.points)} networks from "
        f"{_text('the fastest', first, front.scale)} to {_text('the slowest', last, front.scale)}; "
        f"{_text('chosen', front.best, front.scale)}{tested}; "
        f"budget {significant(front.budget_ms)} ms"
    )
