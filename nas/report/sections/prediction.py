"""How far predictions were from what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from latency_lut import mape
from nas.report.data import ReportData
from nas.report.draw import chart as draw
from nas.report.draw.markup import Html, el
from nas.report.draw.numbers import fixed, significant
from nas.report.draw.scale import padded, spread
from nas.report.fronts import Front
from nas.report.sections.common import command, elsewhere, missing, search_command, section

__all__ = ["prediction"]

BAND = 0.05


@dataclass(frozen=True)
class Pair:
    """A prediction with its deviation, and the measurement."""

    predicted: float
    std: float
    measured: float
    text: str


def prediction(data: ReportData) -> Html:
    """Predicted against measured: latency, and accuracy."""
    front = data.front
    latency = [
        Pair(p.predicted_latency_ms, p.predicted_latency_std or 0.0, p.latency_ms, f"#{i + 1}")
        for i, p in enumerate(front.points if front else ())
        if p.predicted_latency_ms is not None
    ]
    accuracy = [
        Pair(100 - p.predicted_error, p.predicted_error_std or 0.0, p.val_accuracy, f"#{i + 1}")
        for i, p in enumerate(front.points if front else ())
        if p.predicted_error is not None and p.val_accuracy is not None
    ]
    held = [
        (network.predicted_ms, network.measured_ms)
        for table in data.tables
        for network in table.networks
        if not network.fitted
    ]
    if not latency and not held:
        how = search_command(data) if data.tables else command(data, "measure")
        return section(
            "prediction",
            "Predicted against measured",
            missing("Nothing was predicted and measured yet.", how),
        )
    return section(
        "prediction",
        "Predicted against measured",
        el(
            "div",
            draw.figure(
                lambda width: _latency(latency, held, _side(width)),
                _latency_caption(latency, held),
                _legend(bool(latency), bool(held)),
            ),
            draw.figure(
                lambda width: _accuracy(accuracy, _side(width)),
                _accuracy_caption(accuracy),
                [("key-val", "front, ±1 deviation")],
            )
            if accuracy
            else _no_accuracy(data),
            class_="pair",
        ),
        *_rounds(front),
    )


def _rounds(front: Front | None) -> list[Html]:
    """How search and measurement went on until predictions held, or did not."""
    if front is None or not front.rounds:
        return []
    each = ", ".join(f"{fixed(100 * off, 1)}%" for off in front.rounds)
    number = len(front.rounds)
    said = (
        "One round of search and measurement: predictions of the front were off by at most "
        if number == 1
        else f"{number} rounds of search and measurement, each by a table corrected by what was "
        "measured before: predictions of the front were off by at most "
    )
    held = (
        "They hold: by the last of these tables every point is within 2% of its measurement. The "
        "figure shows what was predicted before each was measured."
        if front.settled
        else "Not every point is within 2% of its measurement; the measured values count."
    )
    return [el("p", f"{said}{each}. {held}", class_="rounds")]


def _no_accuracy(data: ReportData) -> Html:
    if data.front is not None and not data.images:
        return el("p", "Without images no accuracy was measured to compare with.")
    return elsewhere(data) or missing("No accuracy was predicted.", search_command(data))


def _side(width: int) -> int:
    return 370 if width == draw.WIDE else draw.NARROW


def _legend(front: bool, held: bool) -> list[tuple[str, str]]:
    legend = [("key-val", "front, ±1 deviation")] if front else []
    return legend + ([("key-held", "held-out networks")] if held else [])


def _latency(pairs: Sequence[Pair], held: Sequence[tuple[float, float]], side: int) -> Html:
    values = [v for p in pairs for v in (p.predicted - p.std, p.predicted + p.std, p.measured)]
    values += [value for pair in held for value in pair]
    log = spread(values)
    low, high = padded(values, log=log)
    low = low if log else max(low, 0.0)
    area = draw.plot(
        side,
        side,
        (low, high),
        (low, high),
        ("measured latency, ms", "predicted latency, ms"),
        log=(log, log),
    )
    marks = [
        draw.area(area, _band(low, high), "band"),
        draw.line(area, [(low, low), (high, high)], "identity"),
        draw.circles(
            area,
            [(m, p, f"predicted {significant(p)} ms, took {significant(m)} ms") for p, m in held],
            "mark held",
            3,
        ),
        *_marks(area, pairs, "ms"),
    ]
    alt = (
        f"Scatter of {len(pairs) + len(held)} networks along the identity line, from "
        f"{significant(low)} to {significant(high)} ms"
    )
    return draw.chart(area, marks, alt)


def _band(low: float, high: float) -> list[tuple[float, float]]:
    """The corners of what is at most 5% off, cut where it leaves the square."""
    above = [(low, low), (low, low * (1 + BAND)), (high / (1 + BAND), high), (high, high)]
    return [*above, (high, high * (1 - BAND)), (low / (1 - BAND), low)]


def _accuracy(pairs: Sequence[Pair], side: int) -> Html:
    values = [v for p in pairs for v in (p.predicted - p.std, p.predicted + p.std, p.measured)]
    low, high = padded(values)
    area = draw.plot(
        side, side, (low, high), (low, high), ("validation accuracy, %", "predicted accuracy, %")
    )
    marks = [draw.line(area, [(low, low), (high, high)], "identity"), *_marks(area, pairs, "%")]
    alt = f"Scatter of {len(pairs)} networks: predicted against validation accuracy"
    return draw.chart(area, marks, alt)


def _marks(area: draw.Plot, pairs: Sequence[Pair], unit: str) -> list[Html]:
    bars = [
        draw.bar(
            area, (p.measured, p.predicted - p.std), (p.measured, p.predicted + p.std), "error val"
        )
        for p in pairs
    ]
    said = [
        (
            p.measured,
            p.predicted,
            f"{p.text}: predicted {significant(p.predicted)} {unit}, "
            f"measured {significant(p.measured)} {unit}",
        )
        for p in pairs
    ]
    return [*bars, draw.circles(area, said, "mark val", 4.2)]


def _latency_caption(pairs: Sequence[Pair], held: Sequence[tuple[float, float]]) -> Html:
    said = []
    if pairs:
        off = _percent_off([(p.predicted, p.measured) for p in pairs])
        said.append(f"{off} on the {len(pairs)} networks of the front")
    if held:
        said.append(f"{_percent_off(held)} on {len(held)} networks that no fit has seen")
    return el(
        "span", "Latency, mean absolute error (MAPE): ", "; ".join(said), ". The band is ±5%."
    )


def _percent_off(pairs: Sequence[tuple[float, float]]) -> str:
    predicted, measured = np.array(pairs).T
    return f"{fixed(100 * mape(predicted, measured), 1)}%"


def _accuracy_caption(pairs: Sequence[Pair]) -> Html:
    error = sum(abs(p.predicted - p.measured) for p in pairs) / len(pairs)
    return el(
        "span",
        f"Accuracy, mean absolute error: {fixed(error)} points on {len(pairs)} networks. The "
        "search prefers what is predicted too well, so points tend to lie above the line.",
    )
