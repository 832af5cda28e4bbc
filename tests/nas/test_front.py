"""Which networks of a predicted front are measured, on a device that is slower than predicted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from nas.jobs import candidates
from nas.jobs.front import figures, measured_front
from nas.jobs.guide import Guide

# A row is a number of layers: each takes a millisecond and saves a percent.
ROWS = np.arange(1, 41)[:, None]


class Layers:
    """Both a table and what a search goes by."""

    def __init__(self, start: float, step: float) -> None:
        self.start, self.step = start, step

    def predict(self, X: np.ndarray) -> np.ndarray:
        return self.start + self.step * X[:, 0]


TABLE: Any = Layers(0, 1)
GUIDE = Guide("layers", "layers", Layers(50, -1))  # type: ignore[arg-type]


@dataclass
class Device:
    """``slowness`` is by how much networks take longer than the table says."""

    slowness: float = 1.0
    asked: list[list[int]] = field(default_factory=list)

    def measure(self, _: Any, table: Layers, __: Any, X: np.ndarray, *___: Any) -> list[Any]:
        self.asked.append(sorted(X[:, 0].tolist()))
        return [
            {
                "layers": int(row[0]),
                "predicted_latency_ms": float(ms),
                "latency_ms": float(ms) * self.slowness,
                "score": 50.0 + float(row[0]),
            }
            for row, ms in zip(X, table.predict(X), strict=True)
        ]


def measured(device: Device, budget: float, n: int, monkeypatch: Any) -> list[dict[str, Any]]:
    monkeypatch.setattr(candidates, "measure_candidates", device.measure)
    arguments: Any = (None, TABLE, GUIDE, ROWS, budget, n, device, None)
    return measured_front(*arguments)


def test_once_is_enough_where_predictions_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    device = Device()
    points = measured(device, 20.0, 6, monkeypatch)
    (asked,) = device.asked
    assert len(asked) == 6 and asked[-3:] == [18, 19, 20]
    assert [point["layers"] for point in points] != [] and max(asked) == 20


@pytest.mark.parametrize("slowness", [1.1, 1.3, 2.0])
def test_further_ones_are_measured_where_all_are_above_the_budget(
    monkeypatch: pytest.MonkeyPatch, slowness: float
) -> None:
    device = Device(slowness)
    points = measured(device, 20.0, 4, monkeypatch)
    within = [point["layers"] for point in points if point["latency_ms"] <= 20.0]
    assert max(within) == int(20 / slowness)  # The largest network that there is within it.
    layers = [point["layers"] for point in points]
    assert len(set(layers)) == len(layers) <= 4 + 2 + 2
    latency, accuracy = figures(points)
    assert latency == [n * slowness for n in layers] and accuracy == [50.0 + n for n in layers]


def test_it_ends_where_nothing_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    device = Device(100.0)
    points = measured(device, 3.0, 8, monkeypatch)
    assert [point["layers"] for point in points] != [] and device.asked == [[1, 2, 3]]
