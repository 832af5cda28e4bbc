"""How the supernet learned."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from nas.report.data import Epoch, ReportData
from nas.report.draw import chart as draw
from nas.report.draw.markup import Html, el
from nas.report.draw.numbers import fixed
from nas.report.draw.scale import padded
from nas.report.sections.common import missing, section

__all__ = ["training"]

LETTER, LINE = 7, 15
"""Pixels that a letter and a line of a name need."""


def training(data: ReportData) -> Html:
    """Loss and held-out accuracy over epochs."""
    log = data.log
    if not log and data.imported:
        return section(
            "training",
            "Training",
            el("p", "The weights were imported; how they were trained is not known here."),
        )
    if not log:
        return section(
            "training",
            "Training",
            missing("There is no training log.", data.provenance.commands[0]),
        )
    last = log[-1]
    seconds = sum(epoch.seconds for epoch in log)
    return section(
        "training",
        "Training",
        draw.figure(
            lambda width: _accuracy(log, width),
            el(
                "span",
                f"Held-out accuracy of the largest network ({fixed(last.val_largest, 1)}% in the "
                f"end) and of the smallest that is open in the phase "
                f"({fixed(last.val_smallest, 1)}%), after every epoch.",
            ),
            [("key-line-a", "largest"), ("key-line-b", "smallest open")],
        ),
        draw.figure(
            lambda width: _loss(log, width),
            el(
                "span",
                f"Training loss, the mean over a step's subnets; where a larger network teaches, "
                f"what it teaches is in it. {len(log)} epochs, {_hours(seconds)}.",
            ),
        ),
        None
        if data.trained
        else missing("The training has not finished.", data.provenance.commands[0] + " --resume"),
    )


def _accuracy(log: Sequence[Epoch], width: int) -> Html:
    low, high = padded([v for epoch in log for v in (epoch.val_largest, epoch.val_smallest)])
    area = _plot(log, width, 280, (max(low, 0.0), min(high, 100.5)), "accuracy, %")
    largest = [(epoch.number + 1, epoch.val_largest) for epoch in log]
    smallest = [(epoch.number + 1, epoch.val_smallest) for epoch in log]
    marks = [
        _phases(area, log),
        draw.line(area, smallest, "line-b"),
        draw.line(area, largest, "line-a"),
    ]
    alt = (
        f"Lines over {len(log)} epochs: the largest network ends at {fixed(largest[-1][1], 1)}%, "
        f"the smallest at {fixed(smallest[-1][1], 1)}%"
    )
    return draw.chart(area, marks, alt)


def _loss(log: Sequence[Epoch], width: int) -> Html:
    area = _plot(log, width, 200, padded(epoch.loss for epoch in log), "loss")
    points = [(epoch.number + 1, epoch.loss) for epoch in log]
    alt = f"Line over {len(log)} epochs: loss from {fixed(log[0].loss)} to {fixed(log[-1].loss)}"
    return draw.chart(area, [_phases(area, log), draw.line(area, points, "line-c")], alt)


def _plot(
    log: Sequence[Epoch], width: int, height: int, y: tuple[float, float], label: str
) -> draw.Plot:
    ends = (log[0].number + 0.5, log[-1].number + 1.5)
    # Names of phases stand between the label and the plot.
    return draw.plot(width, height, ends, y, ("epoch", label), top=42)


def _phases(area: draw.Plot, log: Sequence[Epoch]) -> list[Html]:
    """Every other phase is shaded; a name too long for its phase stands upright in it."""
    marks = []
    for number, (name, epochs) in enumerate(itertools.groupby(log, lambda e: e.phase)):
        numbers = [epoch.number for epoch in epochs]
        start, stop = numbers[0] + 0.5, numbers[-1] + 1.5
        corners = [
            (start, area.y.low),
            (stop, area.y.low),
            (stop, area.y.high),
            (start, area.y.high),
        ]
        marks.append(draw.area(area, corners, "phase-odd" if number % 2 else "phase-even"))
        room = area.x(stop) - area.x(start)
        if room >= LETTER * len(name):
            marks.append(draw.note(area, start, area.y.high, name, dx=3, dy=-7))
        elif room >= LINE:
            marks.append(draw.note(area, stop, area.y.low, name, dx=-5, dy=-7, upright=True))
    return marks


def _hours(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
