"""A search at one moment as a picture for the terminal, and as a line for a log."""

from __future__ import annotations

import numpy as np

from nas.live.progress import Looked
from nas.live.scatter import scatter, sparkline
from nas.terminal import duration

__all__ = ["line", "picture"]

BAR, LEAST_BAR = 24, 6
MARGIN = 24
"""Columns that labels may take beside a chart."""
CHART = (64, 9)


def picture(title: str, looked: Looked, columns: int, *, plain: bool = False) -> str:
    """Lines of at most ``columns`` characters; ``plain`` for terminals that know ASCII alone."""
    rows = [_head(title, looked, columns, plain)]
    if looked.front is None or not len(looked.front):
        if looked.names and looked.limits:
            rows.append(f"no network within {_limits(looked)} so far")
        return "\n".join(row[:columns] for row in rows)
    rows.append(_state(looked))
    rows[-1] += "" if plain else f"  {sparkline(looked.volumes)}"
    if looked.limits:
        rows.append(f"{looked.feasible:,} networks within {_limits(looked)}")
    width = min(CHART[0], columns - MARGIN)
    if looked.front.shape[1] >= 2 and width > 10:
        # As in the report: what a network costs from left to right.
        pair = looked.front[:, [1, 0]]
        names = (looked.names[1], looked.names[0])
        rows += scatter(pair, names, width, CHART[1], plain=plain)
    if looked.front.shape[1] != 2:
        rows += _extremes(looked)
    return "\n".join(row[:columns] for row in rows)


def line(title: str, looked: Looked) -> str:
    """One line with all that is no picture."""
    parts = [f"{title}: {_counts(looked)}"]
    if looked.front is not None and len(looked.front):
        parts.append(_state(looked))
    elif looked.names and looked.limits:
        parts.append(f"no network within {_limits(looked)} so far")
    return "; ".join(parts)


def _head(title: str, looked: Looked, columns: int, plain: bool) -> str:
    """The first line. What is short of ``columns`` is taken from the bar, then from the words: the
    time left is seen last of all."""
    for counts in (_counts(looked), _counts(looked, short=True)):
        bar = "" if looked.done is None else f"{_bar(looked.done, BAR, plain)}  "
        narrow = BAR - max(0, len(title) + 2 + len(bar) + len(counts) - columns)
        if looked.done is not None and LEAST_BAR <= narrow < BAR:
            bar = f"{_bar(looked.done, narrow, plain)}  "
        if len(title) + 2 + len(bar) + len(counts) <= columns:
            return f"{title}  {bar}{counts}"
    return counts if len(title) + 2 + len(counts) > columns else f"{title}  {counts}"


def _bar(done: float, width: int, plain: bool) -> str:
    full, empty = ("#", ".") if plain else ("━", "╌")
    filled = round(width * done)
    return f"{full * filled}{empty * (width - filled)}"


def _counts(looked: Looked, short: bool = False) -> str:
    left = None if looked.left_s is None else f"{duration(looked.left_s)} left"
    if short and left is not None:
        return f"{left}, {looked.evaluations:,} evaluations"
    of = "" if looked.budget is None else f"/{looked.budget:,}"
    said = [f"{looked.evaluations:,}{of} evaluations"]
    if looked.speed is not None:
        said.append(f"{_speed(looked.speed)} a second")
    if left is not None:
        said.append(left)
    return ", ".join(said)


def _speed(speed: float) -> str:
    return f"{speed:,.0f}" if speed >= 10 else f"{speed:.2g}"


def _state(looked: Looked) -> str:
    assert looked.front is not None
    number = len(looked.front)
    said = f"front of {number} network{'s' * (number != 1)}"
    if looked.volumes:
        said += f", hypervolume {looked.volumes[-1]:.5g}, grew last at {looked.grew:,}"
    return said


def _limits(looked: Looked) -> str:
    return ", ".join(f"{name} {limit:g}" for name, limit in looked.limits)


def _extremes(looked: Looked) -> list[str]:
    """The network of the front that is best in each objective."""
    assert looked.front is not None
    rows = []
    for column, name in enumerate(looked.names):
        best = looked.front[np.argmin(looked.front[:, column])]
        others = ", ".join(
            f"{other} {value:.4g}"
            for other, value in zip(looked.names, best, strict=True)
            if other != name
        )
        rows.append(f"least {name}: {best[column]:.4g}" + (f" ({others})" if others else ""))
    return rows
