"""One network for many devices: what it takes on each, and what each loses by it."""

from __future__ import annotations

from nas.report.data import ReportData
from nas.report.draw.markup import Html, el
from nas.report.draw.numbers import fixed, significant
from nas.report.fronts import Fleet, FleetPoint
from nas.report.sections.common import command, missing, section, table
from nas.report.sections.compared import compared

__all__ = ["fleet"]


def fleet(data: ReportData) -> Html:
    """The part with the devices of a fleet, and the networks that were measured for it."""
    found = data.fleet
    if found is None:
        how = command(data, "search", "--fleet TABLE=MS", "--fleet TABLE=MS")
        return section("fleet", "One network for many devices", missing("There is none.", how))
    return section(
        "fleet",
        "One network for many devices",
        el("p", _explained(found)),
        table(
            "Every device with its own best network, and with the one for all",
            (
                *(
                    "device",
                    "budget, ms",
                    "latencies are",
                    "its best, ms",
                    f"its best: {_expected(found)}",
                ),
                *("one for all, ms", f"one for all: {_expected(found)}", "regret"),
            ),
            [_device(found, position) for position in range(len(found.devices))],
        ),
        table(
            "Every network that was measured, the best first; the one for all is marked",
            ("network", *_qualities(found), *_titles(found), "on the front of"),
            [_row(found, position) for position in _order(found)],
            _order(found).index(found.compromise),
            broad=True,
        ),
        compared(found.told.searcher or "", f"the {found.guide} and the tables", found.curves)
        if found.curves
        else None,
    )


def _explained(found: Fleet) -> str:
    text = (
        "The regret of a network on a device is by how much it is worse than the best of the "
        "measured networks that keeps the device's budget; it has none where it breaks the budget. "
        "The one for all has the smallest worst regret."
    )
    if _tried(found):
        text += (
            " What is compared are expected accuracies: the one that was measured on validation "
            "images and, where the search went by predicted ones, the predicted one, weighted by "
            "how exact they are. A regret is the difference of two expected accuracies, in points, "
            "and not of two validation accuracies."
        )
    predicted = [one.name for one in found.devices if one.basis == "predicted"]
    if predicted:
        text += (
            f" Latencies on {', '.join(predicted)} are predictions of the tables alone: nothing "
            "was measured there for this search."
        )
    return text


def _tried(found: Fleet) -> bool:
    return found.points[0].val_accuracy is not None


def _expected(found: Fleet) -> str:
    """The title of what regrets are made of."""
    return "expected, %" if _tried(found) else found.scale


def _qualities(found: Fleet) -> tuple[str, ...]:
    return (_expected(found), "validation, %") if _tried(found) else (_expected(found),)


def _quality(point: FleetPoint) -> str:
    return significant(point.score, 4) if point.val_accuracy is None else fixed(point.score, 3)


def _regret(point: FleetPoint, device: str) -> str:
    # With as many decimals as accuracies have, whose difference it is.
    regret = point.regret[device]
    return significant(regret) if point.val_accuracy is None else fixed(regret, 3)


def _device(found: Fleet, position: int) -> list[str]:
    one = found.devices[position]
    best, chosen = found.points[one.best], found.points[found.compromise]
    return [
        one.name,
        significant(one.limit_ms, 4),
        one.basis,
        significant(best.latency_ms[one.name], 4),
        _quality(best),
        significant(chosen.latency_ms[one.name], 4),
        _quality(chosen),
        _regret(chosen, one.name),
    ]


def _titles(found: Fleet) -> list[str]:
    pairs = [(f"{one.name}, ms ({one.basis})", f"{one.name}, regret") for one in found.devices]
    return [title for pair in pairs for title in pair]


def _order(found: Fleet) -> list[int]:
    return sorted(range(len(found.points)), key=lambda i: -found.points[i].score)


def _row(found: Fleet, position: int) -> list[str]:
    point = found.points[position]
    cells = [
        (significant(point.latency_ms[one.name], 4), _regret(point, one.name))
        for one in found.devices
    ]
    name = f"#{_order(found).index(position) + 1}"
    if position == found.compromise:
        name += " for all"
    on = [one.name for one in found.devices if position in one.front]
    return [
        name,
        _quality(point),
        *([fixed(point.val_accuracy)] if _tried(found) else []),
        *(cell for pair in cells for cell in pair),
        ", ".join(on) or "none",
    ]
