"""The elites of a search as a map: which kinds of networks are how good."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from nas.report.draw import chart as draw
from nas.report.draw.markup import Child, Html, el, fragment
from nas.report.draw.numbers import significant
from nas.report.draw.scale import padded, spread
from nas.search.archive import Archive, Axis

__all__ = ["map_of_elites"]

TALLEST = 90
"""Pixels of a row of cells, at most, where each stands for one number."""
SHADES = 6
"""Steps of the legend and of the map: more would not be told apart."""
PALEST = 0.1


def map_of_elites(archive: Archive, quality: str, caption: Child = None) -> Html:
    """A figure of an archive over its first two dimensions, or over its only one.

    The darker a cell, the smaller the quality of its elite, in steps of about equally many cells;
    cells where no network keeps the limits are hollow, and those that nobody fell into are left
    out. Of cells that differ in further dimensions alone the best is shown.

    Args:
        archive: one elite or more.
        quality: the name and unit of what elites are chosen by, such as ``error, %``.
        caption: what stands below; else how many cells there are.
    """
    tops = _tops(archive)
    said = caption or _said(archive)
    if len(archive.dimensions) == 1:
        return draw.figure(lambda width: _steps(archive, tops, quality, width), said)
    shades = _shades([archive.qualities[i] for i in tops if archive.violations[i] <= 0])
    made = draw.figure(lambda width: _map(archive, tops, shades, quality, width), said)
    return fragment(_legend(shades, quality), made)


def _tops(archive: Archive) -> list[int]:
    """Positions of the elites that are seen: the best of those at one place."""
    places: dict[tuple[int, ...], int] = {}
    for i in _ordered(archive):
        places.setdefault(tuple(archive.cells[i, :2].tolist()), i)
    return sorted(places.values())


def _ordered(archive: Archive) -> list[int]:
    """Positions of all elites, the best first."""
    excess, qualities = archive.violations.clip(min=0), archive.qualities
    return sorted(range(len(archive)), key=lambda i: (excess[i], qualities[i]))


def _shades(qualities: Sequence[float]) -> list[float]:
    """The largest quality of each shade, the darkest first."""
    ordered = sorted(qualities)
    ends = (round((step + 1) * len(ordered) / SHADES) for step in range(SHADES))
    return sorted({float(ordered[end - 1]) for end in ends if end})


def _colour(shade: int, shades: Sequence[float]) -> str:
    # Mixed and not made transparent, or the grid would show.
    share = 1.0 - (1.0 - PALEST) * shade / max(1, len(shades) - 1)
    return f"color-mix(in srgb, var(--a) {100 * share:.0f}%, var(--page))"


def _legend(shades: Sequence[float], quality: str) -> Html | None:
    if not shades:
        return None
    keys = []
    for shade, bound in enumerate(shades):
        colour = f"background: {_colour(shade, shades)}"
        key = el("span", class_="key key-cell", aria_hidden="true", style=colour)
        name = "" if shade else f"{quality} "
        keys.append(el("li", key, f"{name}≤ {significant(bound)}"))
    return el("ul", keys, class_="legend")


def _map(
    archive: Archive, tops: Sequence[int], shades: Sequence[float], quality: str, width: int
) -> Html:
    across, up = archive.dimensions[:2]
    height = 400 if width == draw.WIDE else 340
    if up.values is not None:
        height = min(height, draw.FRAME + TALLEST * len(up.values))
    area = draw.plot(
        width,
        height,
        _range(across),
        _range(up),
        (across.name, up.name),
        log=(_log(across), _log(up)),
        names=(_names(across), _names(up)),
    )
    marks = [_cell(archive, i, area, shades, _text(archive, i, quality)) for i in tops]
    return draw.chart(area, marks, _alt(archive, quality))


def _cell(archive: Archive, i: int, area: draw.Plot, shades: Sequence[float], text: str) -> Html:
    left, right = map(area.x, _sides(archive, i, 0))
    bottom, top = map(area.y, _sides(archive, i, 1))
    hollow = archive.violations[i] > 0
    shade = 0 if hollow else bisect_left(shades, archive.qualities[i])
    return el(
        "rect",
        el("title", text),
        x=left,
        y=top,
        width=right - left,
        height=bottom - top,
        style=None if hollow else f"fill: {_colour(shade, shades)}",
        class_="cell hollow" if hollow else "cell",
    )


def _steps(archive: Archive, tops: Sequence[int], quality: str, width: int) -> Html:
    """One dimension: a line over each cell, as high as its elite is good."""
    (across,) = archive.dimensions
    area = draw.plot(
        width,
        240,
        _range(across),
        padded(archive.qualities.tolist()),
        (across.name, quality),
        log=(_log(across), False),
        names=(_names(across), None),
    )
    marks = []
    for i in tops:
        low, high = _sides(archive, i, 0)
        height = float(archive.qualities[i])
        kind = "line line-a" if archive.violations[i] <= 0 else "line hollow"
        marks.append(draw.bar(area, (low, height), (high, height), kind))
    return draw.chart(area, marks, _alt(archive, quality))


def _range(dimension: Axis) -> tuple[float, float]:
    if dimension.values is not None:
        return -0.5, len(dimension.values) - 0.5
    return float(dimension.edges[0]), float(dimension.edges[-1])


def _names(dimension: Axis) -> list[str] | None:
    """What the cells stand for, where that is one number each: they are drawn equally large."""
    return None if dimension.values is None else [f"{value:g}" for value in dimension.values]


def _log(dimension: Axis) -> bool:
    # Cells that grow by factors are drawn equally wide.
    if dimension.values is not None:
        return False
    steps = dimension.edges[1:] - dimension.edges[:-1]
    return spread(_range(dimension)) and bool(steps[-1] > 1.5 * steps[0])


def _sides(archive: Archive, elite: int, dimension: int) -> tuple[float, float]:
    edges, cell = archive.dimensions[dimension].edges, int(archive.cells[elite, dimension])
    if archive.dimensions[dimension].values is not None:
        return cell - 0.5, cell + 0.5
    return float(edges[cell]), float(edges[cell + 1])


def _text(archive: Archive, elite: int, quality: str) -> str:
    kinds = []
    for number, dimension in enumerate(archive.dimensions):
        if names := _names(dimension):
            kinds.append(f"{dimension.name} {names[archive.cells[elite, number]]}")
        else:
            low, high = _sides(archive, elite, number)
            kinds.append(f"{dimension.name} {significant(low)} to {significant(high)}")
    beyond = "" if archive.violations[elite] <= 0 else ", beyond the limits"
    row = " ".join(map(str, archive.rows[elite].tolist()))
    value = significant(float(archive.qualities[elite]))
    return f"{quality} {value}{beyond}: {', '.join(kinds)}; row {row}"


def _said(archive: Archive) -> str:
    possible = 1
    for dimension in archive.dimensions:
        possible *= len(dimension.edges) - 1
    names = " and ".join(dimension.name for dimension in archive.dimensions)
    shown = " The darker, the better." if len(archive.dimensions) > 1 else ""
    if (archive.violations > 0).any():
        shown += " What is hollow is beyond the limits."
    return (
        f"The best network found of each kind, by {names}: {len(archive):,} of {possible:,} "
        f"cells have one.{shown}"
    )


def _alt(archive: Archive, quality: str) -> str:
    best = _text(archive, _ordered(archive)[0], quality)
    return f"Map of {len(archive)} kinds of networks; the best is {best}"
