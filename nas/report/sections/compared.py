"""Hypervolume over evaluations of every searcher that was run, with its interval over seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nas.report.course import Curves
from nas.report.draw import chart as draw
from nas.report.draw.markup import Html, el
from nas.report.draw.numbers import fixed
from nas.report.draw.scale import padded, spread
from nas.report.statistics import student

__all__ = ["compared"]

SERIES = 8
"""Colours of the style sheet."""
FEWEST = 3
"""Seeds without which an interval is too wide to say anything."""


@dataclass(frozen=True)
class Line:
    """The mean over ``seeds`` and what lies within its interval, all as shares: [numbers]."""

    seeds: int
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray


def compared(searcher: str, by: str, curves: Curves) -> Html:
    """The figure of all searchers, the one that was asked for first; ``by`` are the predictions
    that they all go by."""
    lines = _lines(searcher, curves)
    colours = {name: f"series-{k % SERIES}" for k, name in enumerate(lines)}
    legend = [
        (f"key-series {colours[name]}", f"{name}, {line.seeds} seed{'s' * (line.seeds != 1)}")
        for name, line in lines.items()
    ]
    return draw.figure(
        lambda width: _draw(curves.numbers, lines, colours, width),
        el("span", _caption(searcher, by, curves, lines)),
        legend,
    )


def _lines(first: str, curves: Curves) -> dict[str, Line]:
    """By searcher; shares of the largest hypervolume that any search came to."""
    names = sorted({one.searcher for one in curves.curves}, key=lambda name: (name != first, name))
    most = max(one.volumes[-1] for one in curves.curves) or 1.0
    lines = {}
    for name in names:
        shares = np.array([one.volumes for one in curves.curves if one.searcher == name]) / most
        mean, half = student(shares) if len(shares) >= FEWEST else (shares.mean(axis=0), 0.0)
        lines[name] = Line(len(shares), mean, np.maximum(mean - half, 0.0), mean + half)
    return lines


def _caption(searcher: str, by: str, curves: Curves, lines: Mapping[str, Line]) -> str:
    text = (
        f"{'Hypervolume' if curves.ideal is None else 'Estimated hypervolume'} of the predicted "
        f"front ({' and '.join(curves.objectives)}, by {by}) as a "
        "share of the largest that any of these searches came to. Lines are means over seeds"
    )
    if any(line.seeds >= FEWEST for line in lines.values()):
        text += ", bands their 95% intervals (Student's t)"
    own = lines.get(searcher)
    for name, line in lines.items():
        if own is None or name == searcher or own.mean[-1] <= line.mean[-1]:
            continue
        reached = curves.numbers[int(np.argmax(own.mean >= line.mean[-1]))]
        text += (
            f". {searcher} is where {name} ends ({fixed(100 * line.mean[-1], 1)}%) after "
            f"{reached:,} of {curves.numbers[-1]:,} evaluations"
        )
    return f"{text}."


def _draw(
    numbers: Sequence[int], lines: Mapping[str, Line], colours: Mapping[str, str], width: int
) -> Html:
    bounds = [v for line in lines.values() for ends in (line.low, line.high) for v in ends.tolist()]
    ends = (float(numbers[0]), float(numbers[-1])) if len(numbers) > 1 else padded(numbers)
    area = draw.plot(
        width,
        300,
        ends,
        padded(bounds),
        ("evaluations", "share of the largest hypervolume"),
        log=(spread(ends, 20), False),
    )
    marks = []
    for name, line in lines.items():
        if line.seeds >= FEWEST:
            above = list(zip(numbers, line.high.tolist(), strict=True))
            below = list(zip(numbers, line.low.tolist(), strict=True))
            marks.append(draw.area(area, [*above, *below[::-1]], f"series-band {colours[name]}"))
    # The search's own on top.
    for name, line in reversed(list(lines.items())):
        points = list(zip(numbers, line.mean.tolist(), strict=True))
        marks.append(draw.line(area, points, f"series {colours[name]}"))
    said = "; ".join(f"{name} ends at {100 * one.mean[-1]:.1f}%" for name, one in lines.items())
    return draw.chart(area, marks, f"Lines of hypervolume over {numbers[-1]} evaluations: {said}")
