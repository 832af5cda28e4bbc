"""What each choice of the chosen network costs and buys."""

from __future__ import annotations

import math
from collections.abc import Sequence

from nas.report.course import Change, Neighbours
from nas.report.draw.markup import Child, Html, el
from nas.report.draw.numbers import fixed, significant
from nas.report.fronts import Front
from nas.report.sections.common import table
from nas.scale import capitalised, name_and_unit

__all__ = ["neighbours"]

SHOWN = 20
"""Changes that stand on the page; the smaller ones can be unfolded."""


def neighbours(front: Front) -> list[Html]:
    """A table with bars: every network that differs from the chosen one in a single choice."""
    found = front.neighbours
    if found is None or not found.changes:
        return []
    most = _most(found.changes)
    ordered = sorted(found.changes, key=lambda change: -_effect(change, most))
    first, rest = ordered[:SHOWN], ordered[SHOWN:]
    made = [
        el("h3", "What each choice costs and buys"),
        el("p", _sentence(front, found)),
        _table("The chosen network with one choice changed", first, most, found),
    ]
    if rest:
        unfold = el("summary", f"{len(rest)} changes that make less of a difference")
        further = _table("Further changes of one choice", rest, most, found)
        made.append(el("details", unfold, further))
    return made


def _sentence(front: Front, found: Neighbours) -> str:
    changes = found.changes
    name, _ = name_and_unit(found.scale)
    free = [c for c in changes if c.latency_ms <= 0 and c.score > 0]
    over = [c for c in changes if found.latency_ms + c.latency_ms > front.budget_ms]
    text = (
        f"{len(changes)} networks differ from the chosen one in a single choice. Each row says by "
        f"how much the latency and the {name} would change, as the table and the {front.guide} "
        "predict; what only the other option asks for takes its first option. "
    )
    if over:
        text += (
            f"{len(over)} of them would exceed the budget"
            f"{'' if len(over) == len(changes) else ' by prediction'}. "
        )
    better = [
        c for c in changes if c.score > 0 and found.latency_ms + c.latency_ms <= front.budget_ms
    ]
    if free:
        best = max(free, key=lambda c: c.score)
        text += (
            f"{len(free)} would be no slower and better by prediction, by up to "
            f"{significant(best.score, 2)} ({best.choice} {best.now} → {best.instead}): networks "
            "are chosen by what was measured, and differences as small as these may be the "
            "predictor's error."
        )
    elif not better:
        text += "By prediction none of them is better within the budget."
    else:
        text += "By prediction none of them is both no slower and better."
    return text


def _table(
    caption: str, changes: Sequence[Change], most: tuple[float, float], found: Neighbours
) -> Html:
    name, unit = name_and_unit(found.scale)
    rows: list[Sequence[Child]] = [
        (
            change.choice,
            f"{change.now}\u00a0→\u00a0{change.instead}",
            _signed(change.latency_ms, most[0]),
            _bar(change.latency_ms, most[0], "bar-latency"),
            _signed(change.score, most[1]),
            _bar(change.score, most[1], "bar-score"),
        )
        for change in changes
    ]
    score = f"{capitalised(name)}, {'points' if unit == '%' else unit}"
    return table(caption, ("choice", "change", "Latency, ms", "", score, ""), rows)


def _bar(value: float, most: float, class_: str) -> Html:
    """A bar from the middle: to the left what is less, to the right what is more."""
    share = 50 * abs(value) / most if most else 0.0
    side = "less" if value < 0 else "more"
    fill = el("span", style=f"width:{share:.1f}%", class_=f"fill {side}")
    return el("span", fill, class_=f"diverging {class_}", aria_hidden="true")


def _signed(value: float, most: float) -> str:
    """With as many decimals as give the largest of its column three digits or so."""
    decimals = max(0, 2 - math.floor(math.log10(most))) if most else 0
    text = fixed(value, decimals)
    return f"{'+' if float(text) > 0 else ''}{text}".replace("-", "\u2212")


def _most(changes: Sequence[Change]) -> tuple[float, float]:
    return (
        max(abs(change.latency_ms) for change in changes),
        max(abs(change.score) for change in changes),
    )


def _effect(change: Change, most: tuple[float, float]) -> float:
    """How large a change is among all, in what it changes most: from 0 to 1."""
    pairs = zip((change.latency_ms, change.score), most, strict=True)
    return max(abs(value) / (limit or 1.0) for value, limit in pairs)
