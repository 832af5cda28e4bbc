"""How the search went."""

from __future__ import annotations

import numpy as np

from nas.report.course import Elites
from nas.report.data import ReportData
from nas.report.draw import chart as draw
from nas.report.draw.map import map_of_elites
from nas.report.draw.markup import Html, el
from nas.report.draw.scale import padded, spread
from nas.report.fronts import Front
from nas.report.sections.common import elsewhere, missing, search_command, section, table
from nas.report.sections.compared import compared
from nas.report.sections.exact import exact
from nas.report.sections.growth import growth
from nas.search.archive import Archive, Axis

__all__ = ["history"]

STEPS = {
    "samples": "measuring subnets and fitting a predictor, if one was asked for",
    "search": "searching",
    "measure": "measuring the candidates",
    "compare": "searching again, with other seeds and other searchers, to compare",
}
ENDED = {
    "seconds": " in the time that was given",
    "stagnation": " until it stood still",
    "space": ", after which nothing new was left",
}
"""What ended a search, if not its number of evaluations."""


def history(data: ReportData) -> Html:
    """Hypervolume over evaluations, how the front grew, the best of each kind, and the time."""
    front = data.front
    if front is None or len(front.history) < 2:
        return section(
            "search",
            "The search",
            elsewhere(data) or missing("No search has left its history.", search_command(data)),
        )
    final = front.history[-1][1]
    settled = next(n for n, value in front.history if value >= 0.99 * final)
    caption = (
        f"Hypervolume of the predicted front as a share of the last, by {front.searcher} on the "
        f"{front.guide} with seed {front.seed}: {front.evaluations:,} evaluations"
        f"{ENDED.get(front.ended_by or '', '')}, 99% of the final value after {settled:,.0f}."
    )
    by = f"the {front.guide} and the table as it was before the search"
    return section(
        "search",
        "The search",
        draw.figure(lambda width: _draw(front, width), el("span", caption))
        if data.curves is None
        else [el("p", caption), compared(front.searcher, by, data.curves)],
        exact(front, front.exact) if front.exact else None,
        growth(front, front.growth) if front.growth else None,
        _map(front.elites) if front.elites else None,
        table(
            "Where the time of the search went",
            ("step", "seconds"),
            [(STEPS.get(name, name), f"{value:.1f}") for name, value in front.seconds.items()],
        )
        if front.seconds
        else None,
    )


def _map(elites: Elites) -> Html:
    axes = tuple(
        Axis(
            one.name,
            np.array(one.edges),
            values=None if one.values is None else np.array(one.values),
        )
        for one in elites.axes
    )
    columns = elites.cells, elites.rows, elites.qualities, elites.violations
    return map_of_elites(Archive(axes, *map(np.array, columns)), elites.quality)


def _draw(front: Front, width: int) -> Html:
    final = front.history[-1][1] or 1.0
    points = [(n, value / final) for n, value in front.history]
    numbers = [n for n, _ in points]
    area = draw.plot(
        width,
        240,
        (numbers[0], numbers[-1]),
        padded([*(share for _, share in points), 1.0]),
        ("evaluations", "share of the last hypervolume"),
        log=(spread(numbers, 20), False),
    )
    alt = (
        f"Line: the hypervolume grows from {100 * points[0][1]:.0f}% after {numbers[0]:.0f} "
        f"evaluations to its last value after {numbers[-1]:.0f}"
    )
    return draw.chart(area, [draw.line(area, points, "line-a")], alt)
