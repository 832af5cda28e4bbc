"""Every cost of every point, and why no single one will do."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from nas.quantities import plain
from nas.report.data import ReportData, Test
from nas.report.draw import chart as draw
from nas.report.draw.markup import Html, el
from nas.report.draw.numbers import fixed, significant
from nas.report.draw.scale import padded
from nas.report.fronts import Front, Point, Sought
from nas.report.sections.common import elsewhere, missing, search_command, section, table, untested
from nas.report.statistics import contradiction
from predictors.ranks import kendall

__all__ = ["costs"]

ALIKE = 0.05
"""Costs that differ by so much are counted as equal."""

Column = tuple[str, Callable[[Point], str]]
FIRST: tuple[Column, ...] = (
    ("latency, ms", lambda p: significant(p.latency_ms, 4)),
    ("low, ms", lambda p: significant(p.latency_low, 4)),
    ("high, ms", lambda p: significant(p.latency_high, 4)),
)
# The columns of accuracies, or scores, stand between the two.
LAST: tuple[Column, ...] = (
    ("predicted, ms", lambda p: significant(p.predicted_latency_ms, 4)),
    ("median, ms", lambda p: significant(p.median_ms, 4)),
    ("p90, ms", lambda p: significant(p.p90_ms, 4)),
    ("p99, ms", lambda p: significant(p.p99_ms, 4)),
    ("one by one, images/s", lambda p: significant(p.throughput, 4)),
    ("MMACs", lambda p: significant(p.macs / 1e6, 4)),
    ("parameters", lambda p: f"{p.parameters:.0f}"),
    ("model, MB", lambda p: significant(p.model_mb)),
    ("memory, MB", lambda p: significant(p.peak_memory_mb)),
)


def costs(data: ReportData) -> Html:
    """The table of all costs and the pictures that show where they disagree."""
    front = data.front
    if front is None:
        return section(
            "costs",
            "Every cost side by side",
            elsewhere(data) or missing("Nothing is measured yet.", search_command(data)),
        )
    return section(
        "costs",
        "Every cost side by side",
        untested(data),
        table(
            "Every point of the front, fastest first; the chosen one is marked",
            ("network", *_titles(FIRST), *_judged_titles(front), *_titles(_last(front))),
            _rows(front, data.test),
            front.chosen,
            broad=True,
        ),
        el(
            "p",
            "Latency is the median over rounds of each round's minimum, corrected by reference "
            "networks, with its interval; median, p90 and p99 are of single runs, and images a "
            "second of one image after another, which says nothing of batches. MMACs are million "
            "multiply-accumulates of one image; memory is by how much loading and running "
            "the model raised the process's peak.",
            class_="small",
        ),
        _limits(front),
        el("h3", "One cost alone misleads"),
        _misleading(data, front),
    )


KNOWN = ("macs", "parameters", "model_mb", "peak_memory_mb", "accuracy")
"""Quantities that have a column, whoever asks."""


def _last(front: Front) -> tuple[Column, ...]:
    """The usual columns, and those of what else was asked for."""
    return (*LAST, *(_column(one) for one in front.sought if one.name not in KNOWN))


def _column(one: Sought) -> Column:
    unit = f", {one.unit}" if one.unit else ""
    title = f"{one.name}{unit} ({one.basis})"
    return title, lambda point: significant(point.quantities.get(one.name), 4)


def _limits(front: Front) -> Html | None:
    """What was asked for beside accuracy and latency, and how far it is to be believed."""
    if not front.sought:
        return None
    said = [_asked(one) for one in front.sought]
    text = f"Asked for beside accuracy and latency: {'; '.join(said)}."
    if any(one.basis == "predicted" for one in front.sought):
        text += (
            " What is predicted was not measured: latencies and costs of another device are what "
            "its table says."
        )
    return el("p", text, class_="small")


def _breaks(point: Point, one: Sought) -> bool:
    value = point.score if one.name == "accuracy" else point.quantities.get(one.name)
    if value is None or one.limit is None:
        return False
    return value < one.limit if one.least else value > one.limit


def _asked(one: Sought) -> str:
    unit = f"{'' if one.unit in ('', '%') else ' '}{one.unit}"
    most = f"at {'least' if one.least else 'most'} {plain(one.limit or 0.0)}{unit}"
    parts = ["an objective" if one.objective else "", most if one.limit is not None else ""]
    return f"{one.name} ({', '.join([*filter(None, parts), one.basis])})"


def _rows(front: Front, test: Test | None) -> list[list[str]]:
    rows = []
    for number, point in enumerate(front.points):
        name = f"#{number + 1}"
        if number == front.chosen:
            name += " chosen"
        elif point.latency_ms > front.budget_ms:
            name += " over budget"
        elif any(_breaks(point, one) for one in front.sought):
            name += " beyond a limit"
        judged = [significant(point.score, 4)]
        if front.tried:
            judged = [
                fixed(point.val_accuracy),
                fixed(test.accuracy[number] if test else None),
            ]
        first, last = ([cell(point) for _, cell in columns] for columns in (FIRST, _last(front)))
        rows.append([name, *first, *judged, *last])
    return rows


def _judged_titles(front: Front) -> tuple[str, ...]:
    return ("validation, %", "test, %") if front.tried else (front.scale,)


def _titles(columns: Sequence[Column]) -> list[str]:
    return [title for title, _ in columns]


def _misleading(data: ReportData, front: Front) -> Html:
    def macs(point: Point) -> float:
        return point.macs / 1e6

    def parameters(point: Point) -> float:
        return point.parameters / 1e3

    others = [network for table in data.tables for network in table.networks]
    by_macs = [(network.macs / 1e6, network.measured_ms) for network in others]
    by_parameters = [(network.parameters / 1e3, network.measured_ms) for network in others]
    legend = [("key-val", "front"), ("key-ring", "chosen")]
    if others:
        legend.append(("key-held", "networks of the latency table"))
    pictures = [
        draw.figure(
            lambda width, cost=cost, faint=faint, unit=unit: _scatter(  # type: ignore[misc]
                front, faint, cost, unit, 370 if width == draw.WIDE else draw.NARROW
            ),
            _caption(front, faint, cost, name),
            legend,
        )
        for name, unit, cost, faint in (
            ("multiply-accumulates", "MACs, million", macs, by_macs),
            ("parameters", "parameters, thousand", parameters, by_parameters),
        )
    ]
    return el("div", pictures, class_="pair")


def _caption(
    front: Front,
    others: Sequence[tuple[float, float]],
    cost: Callable[[Point], float],
    name: str,
) -> Html:
    points, chosen = front.points, front.best
    ranked = [*((cost(point), point.latency_ms) for point in points), *others]
    text = f"Latency against {name}"
    if len(ranked) > 2:
        agreement = kendall(*zip(*ranked, strict=True))
        text += f": Kendall's tau {fixed(agreement)} over {len(ranked)} networks"
    pair = contradiction(points, cost)
    if pair is None:
        text += ". No two points of the front contradict each other beyond their intervals."
    else:
        text += (
            f". #{pair.cheap + 1} has {100 * (1 - 1 / pair.cost_ratio):.0f}% fewer {name} than "
            f"#{pair.costly + 1} and still takes {100 * (pair.latency_ratio - 1):.0f}% longer."
        )
    alike = [ms for value, ms in ranked if abs(value / cost(chosen) - 1) <= ALIKE]
    if len(alike) > 2:
        text += (
            f" {len(alike)} networks with as many {name} as the chosen one (±{100 * ALIKE:.0f}%) "
            f"take {significant(min(alike))} to {significant(max(alike))} ms."
        )
    return el("span", text)


def _scatter(
    front: Front,
    others: Sequence[tuple[float, float]],
    cost: Callable[[Point], float],
    unit: str,
    side: int,
) -> Html:
    shown = [*((cost(p), p.latency_ms) for p in front.points), *others]
    area = draw.plot(
        side,
        side,
        padded(x for x, _ in shown),
        padded(y for _, y in shown),
        (unit, "measured latency, ms"),
    )
    points = [
        (cost(p), p.latency_ms, f"#{i + 1}: {significant(cost(p))}, {significant(p.latency_ms)} ms")
        for i, p in enumerate(front.points)
    ]
    best = front.best
    marks = [
        draw.circles(
            area,
            [(x, y, f"{significant(x)}, {significant(y)} ms") for x, y in others],
            "mark held",
            3,
        ),
        draw.circles(area, points, "mark val", 4.2),
        draw.ring(area, cost(best), best.latency_ms),
    ]
    return draw.chart(area, marks, f"Scatter of measured latency against {unit}")
