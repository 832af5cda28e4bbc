"""What parts of a training bring, against numbers by hand."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest

Script = Callable[[str], ModuleType]


def training(accuracy: float, as_left: float | None = None) -> dict[str, Any]:
    def of(mean: float) -> dict[str, list[float]]:
        return {"val": [mean - 1, mean + 1], "test": [mean]}

    left = {} if as_left is None else {"as left": of(as_left)}
    took = {"passes": 20, "seconds": 60.0, "images_per_second": 500.0, "tera_macs": 3.0}
    return {"recalibrated": of(accuracy), **left, **took}


def test_the_residual_of_variants_and_seeds(script: Script) -> None:
    # What is left of both effects: (1 - 2 - 3 + 5) / 4 in each corner, with one degree of freedom.
    assert script("effects").residual(np.array([[1.0, 2.0], [3.0, 5.0]])) == (0.5, 1)
    deviation, freedom = script("effects").residual(np.array([[1.0, 2.0], [4.0, 5.0], [0.0, 1.0]]))
    assert deviation == pytest.approx(0) and freedom == 2
    assert script("effects").residual(np.array([[1.0, 2.0]])) == (0.0, 0)


def test_what_a_part_brings_with_its_interval(script: Script) -> None:
    one, other = np.array([3.0, 5.0]), np.array([1.0, 2.0])
    found = script("effects").brings(one, other, (0.5, 1))
    assert found == {"mean": 2.5, "by seed": [2.0, 3.0], "half": pytest.approx(6.353, abs=1e-3)}
    assert "half" not in script("effects").brings(one, other, (0.0, 0))


def test_two_variants_of_two_seeds_are_enough_for_an_interval(script: Script) -> None:
    rows = {
        "sandwich": {"0": training(3.0, 2.0), "1": training(5.0, 3.0)},
        "sandwich without distillation": {"0": training(1.0), "1": training(2.0)},
        "sandwich in stages": {"0": training(3.5)},
    }
    found = script("effects").summary(rows, "val")
    assert found["residual"] == [0.5, 1]
    assert found["distillation, in place"]["half"] == pytest.approx(6.353, abs=1e-3)
    assert found["stages"]["by seed"] == [0.5]
    assert found["stages"]["half"] == pytest.approx(12.7062 * 0.5 * 2**0.5, abs=1e-3)
    assert found["recalibration"]["mean"] == 1.5 and found["recalibration"]["trainings"] == 2
    assert "sorting, shrinking" not in found and "moving average" not in found
    alone = script("effects").summary({"sandwich": rows["sandwich"]}, "test")
    assert alone["residual"] == [0.0, 0]
    assert script("effects").summary({}, "val") == {"residual": [0.0, 0]}


def test_the_sandwich_is_compared_with_shrinking_by_passes_and_by_computing(script: Script) -> None:
    against = script("recipes").AGAINST
    pairs = [pair for part, pair in against.items() if part.startswith("sandwich instead")]
    assert pairs == [
        ("sandwich", "progressive shrinking"),
        ("sandwich", "progressive shrinking for longer"),
    ]
    assert {name for pair in against.values() for name in pair} <= set(script("recipes").VARIANTS)


def test_what_variants_cost(script: Script) -> None:
    rows = {"sandwich": {"0": training(1.0), "1": {**training(1.0), "seconds": 80.0}}}
    assert script("effects").costs(rows) == {
        "sandwich": {"passes": 20, "seconds": 70.0, "images_per_second": 500.0, "tera_macs": 3.0}
    }
