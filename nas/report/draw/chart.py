"""Charts as SVG: axes, marks and error bars; colours come from classes of the style sheet."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from nas.report.draw.markup import Child, Html, el, fragment
from nas.report.draw.numbers import pixels
from nas.report.draw.scale import Scale

__all__ = [
    "FRAME",
    "NARROW",
    "WIDE",
    "Plot",
    "area",
    "bar",
    "chart",
    "circles",
    "cloud",
    "diamond",
    "figure",
    "line",
    "note",
    "plot",
    "ring",
]

WIDE, NARROW = 760, 350
"""Widths in pixels: one drawing for desks and one for phones, so that text has one size."""

LEFT, RIGHT, TOP, BOTTOM = 50, 14, 26, 44
FRAME = TOP + BOTTOM
"""Pixels above and below what is plotted."""
LETTER = 8
"""Pixels that a digit and the space beside it take, a little more than they need."""


Names = Sequence[str] | None


@dataclass(frozen=True)
class Plot:
    """An area with two scales; ``labels`` name the axes (x, y).

    Where an axis has ``names``, they stand at 0, 1, ... in the place of ticks.
    """

    width: int
    height: int
    x: Scale
    y: Scale
    labels: tuple[str, str]
    names: tuple[Names, Names] = (None, None)


def plot(
    width: int,
    height: int,
    x: tuple[float, float],
    y: tuple[float, float],
    labels: tuple[str, str],
    *,
    log: tuple[bool, bool] = (False, False),
    top: int = TOP,
    names: tuple[Names, Names] = (None, None),
) -> Plot:
    """A plot over ranges x and y; ``log`` says which are logarithmic, ``names`` which discrete."""
    return Plot(
        width,
        height,
        Scale(*x, LEFT, width - RIGHT, log[0]),
        Scale(*y, height - BOTTOM, top, log[1]),
        labels,
        names,
    )


def chart(area: Plot, marks: Iterable[Child], alt: str) -> Html:
    """The SVG of a plot: grid and axes below, marks above; ``alt`` says what is to be seen."""
    return el(
        "svg",
        el("title", alt),
        _axes(area),
        marks,
        viewBox=f"0 0 {area.width} {area.height}",
        width=area.width,
        height=area.height,
        role="img",
        class_="chart",
    )


def figure(
    draw: Callable[[int], Html], caption: Child, legend: Sequence[tuple[str, str]] = ()
) -> Html:
    """A figure drawn for both widths. ``legend`` pairs a class of marks with its meaning."""
    keys = [
        el("li", el("span", class_=f"key {class_}", aria_hidden="true"), text)
        for class_, text in legend
    ]
    return el(
        "figure",
        el("ul", keys, class_="legend") if keys else None,
        el("div", draw(WIDE), class_="wide"),
        el("div", draw(NARROW), class_="narrow"),
        el("figcaption", caption),
    )


def _axes(area: Plot) -> Html:
    left, right = area.x.start, area.x.stop
    bottom = area.y.start
    marks: list[Html] = []
    for value, name in _ticks(area.y, area.names[1], 6 if area.height > 300 else 4):
        at = area.y(value)
        if area.names[1] is None:
            marks.append(el("line", x1=left, x2=right, y1=at, y2=at, class_="grid"))
        marks.append(el("text", name, x=left - 7, y=at + 4, class_="tick end"))
    taken = 0.0
    for value, name in _ticks(area.x, area.names[0], max(4, area.width // 90)):
        at, half = area.x(value), LETTER * len(name) / 2
        marks.append(el("line", x1=at, x2=at, y1=bottom, y2=bottom + 4, class_="axis"))
        if at - half > taken:
            marks.append(el("text", name, x=at, y=bottom + 18, class_="tick middle"))
            taken = at + half
    marks.append(el("line", x1=left, x2=right, y1=bottom, y2=bottom, class_="axis"))
    marks.append(
        el("text", area.labels[0], x=(left + right) / 2, y=bottom + 38, class_="label middle")
    )
    marks.append(el("text", area.labels[1], x=0, y=12, class_="label"))
    return fragment(marks)


def _ticks(scale: Scale, names: Names, about: int) -> list[tuple[float, str]]:
    if names is not None:
        return [(float(place), name) for place, name in enumerate(names)]
    return [(value, f"{value:g}") for value in scale.ticks(about)]


def line(area: Plot, points: Iterable[tuple[float, float]], class_: str) -> Html:
    """A line through points."""
    path = " ".join(f"{pixels(area.x(x))},{pixels(area.y(y))}" for x, y in points)
    return el("polyline", points=path, class_=f"line {class_}")


def area(plot: Plot, points: Iterable[tuple[float, float]], class_: str) -> Html:
    """A filled polygon."""
    path = " ".join(f"{pixels(plot.x(x))},{pixels(plot.y(y))}" for x, y in points)
    return el("polygon", points=path, class_=f"area {class_}")


def circles(
    area: Plot, points: Iterable[tuple[float, float, str]], class_: str, radius: float = 4
) -> Html:
    """Circles at (x, y), each with a text that shows on hovering."""
    return fragment(
        el("circle", el("title", text), cx=area.x(x), cy=area.y(y), r=radius, class_=class_)
        for x, y, text in points
    )


def diamond(area: Plot, x: float, y: float, text: str, class_: str, shift: float = 0) -> Html:
    """A diamond, moved by ``shift`` pixels to the right."""
    cx, cy, r = area.x(x) + shift, area.y(y), 4.6
    corners = ((cx, cy - r), (cx + r, cy), (cx, cy + r), (cx - r, cy))
    path = " ".join(f"{pixels(a)},{pixels(b)}" for a, b in corners)
    return el("polygon", el("title", text), points=path, class_=class_)


def ring(area: Plot, x: float, y: float) -> Html:
    """A ring around the chosen point."""
    return el("circle", cx=area.x(x), cy=area.y(y), r=9.0, class_="ring")


def cloud(area: Plot, points: Iterable[tuple[float, float]], class_: str) -> Html:
    """Many small dots as one path; those outside the plot are left out."""
    path = "".join(
        f"M{pixels(area.x(x))} {pixels(area.y(y))}h0"
        for x, y in points
        if area.x.holds(x) and area.y.holds(y)
    )
    return el("path", d=path, class_=f"dots {class_}")


def bar(
    area: Plot,
    start: tuple[float, float],
    stop: tuple[float, float],
    class_: str,
    shift: float = 0,
) -> Html:
    """An error bar or any straight line, cut at the plot's edge, moved to the right."""
    (x1, y1), (x2, y2) = (
        (area.x(area.x.clamp(x)) + shift, area.y(area.y.clamp(y))) for x, y in (start, stop)
    )
    return el("line", x1=x1, x2=x2, y1=y1, y2=y2, class_=class_)


def note(
    area: Plot,
    x: float,
    y: float,
    text: str,
    class_: str = "",
    *,
    dx: float = 0,
    dy: float = 0,
    upright: bool = False,
) -> Html:
    """Text at a point, moved by pixels; ``upright`` runs from below to above."""
    at_x, at_y = area.x(x) + dx, area.y(y) + dy
    turned = f"rotate(-90 {pixels(at_x)} {pixels(at_y)})" if upright else None
    return el("text", text, x=at_x, y=at_y, transform=turned, class_=f"note {class_}".strip())
