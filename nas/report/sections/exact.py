"""How far a search stopped from the true optimum of what it went by."""

from __future__ import annotations

from nas.report.course import Exact
from nas.report.draw.markup import Html, el
from nas.report.draw.numbers import significant
from nas.report.fronts import Front
from nas.report.sections.common import table
from nas.scale import name_and_unit

__all__ = ["exact"]


def exact(front: Front, found: Exact) -> Html:
    """The table of the optimum, its bound and the search's best."""
    name, unit = name_and_unit(found.scale)
    short = found.score - found.searched
    stopped = f"{front.searcher} stopped {significant(short, 2)} {unit} below it"
    if short <= 0:
        stopped = f"{front.searcher} met it"
    said = (
        f"The best network within the limits by the {front.guide} and the table of the last "
        f"round, solved as an integer programme in {found.seconds:.1f} s, has "
        f"{significant(found.score, 6)} {unit} at {significant(found.latency_ms)} ms (predicted "
        f"both); {stopped}. {_proof(found, unit)}"
    )
    rows = [
        ("optimum", significant(found.score, 6)),
        ("best that the search met", significant(found.searched, 6)),
        ("no network is predicted above", _bound(found)),
    ]
    header = "of networks", f"{name}, {unit}"
    return el("div", el("p", said), table("The exact optimum", header, rows))


def _proof(found: Exact, unit: str) -> str:
    if found.proven:
        return "The solver proved that no network within the limits is predicted better."
    if found.bound is None:
        return "Nothing was proven about others."
    left = significant(found.bound - found.score, 2)
    return f"That is not proven: another network may be better by up to {left} {unit}."


def _bound(found: Exact) -> str:
    return "" if found.bound is None else significant(found.bound, 6)
