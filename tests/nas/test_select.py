"""Which networks are measured, and which of the measured ones is named, by looking at all."""

from __future__ import annotations

import numpy as np
import pytest

from nas.jobs import select


def front(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Latencies and errors of a predicted front, in no order."""
    rng = np.random.default_rng(seed)
    latency = np.exp(rng.uniform(-2, 2, n))
    return latency, 30 - 5 * np.log(latency)


@pytest.mark.parametrize("n", [1, 2, 3, 7, 20])
@pytest.mark.parametrize("size", [1, 2, 8, 50])
def test_candidates_are_distinct_and_as_many_as_asked(n: int, size: int) -> None:
    latency, error = front(size)
    chosen = select.candidates(latency, error, n)
    assert len(set(chosen.tolist())) == len(chosen) == min(n, size)
    assert set(chosen.tolist()) <= set(range(size))


def test_half_of_the_candidates_are_the_most_accurate() -> None:
    latency, error = front(50)
    chosen = select.candidates(latency, error, 9)
    assert set(chosen[:5].tolist()) == set(np.argsort(error)[:5].tolist())
    assert latency[chosen].min() == latency.min()


def test_the_other_half_is_spread_over_the_logarithm_of_latency() -> None:
    latency, error = front(400)
    chosen = select.candidates(latency, error, 20)
    spread = np.sort(np.log(latency[chosen[10:]]))
    gaps = np.diff(np.append(spread, np.log(latency[chosen[:10]]).min()))
    assert gaps.max() < 2 * gaps.min()


def test_points_on_a_front_are_those_that_none_beats() -> None:
    rng = np.random.default_rng(1)
    latency, accuracy = rng.integers(1, 8, 40).tolist(), rng.integers(50, 60, 40).tolist()
    expected = []
    for ms, percent in zip(latency, accuracy, strict=True):
        faster = [b for a, b in zip(latency, accuracy, strict=True) if a < ms]
        as_fast = [b for a, b in zip(latency, accuracy, strict=True) if a == ms]
        expected.append(percent > max(faster, default=0) and percent == max(as_fast))
    assert select.on_front(latency, accuracy) == expected
    assert any(expected) and not all(expected)


def test_the_best_is_the_most_accurate_within_the_budget() -> None:
    latency, accuracy = [1.0, 2.0, 3.0, 2.5], [70.0, 80.0, 90.0, 80.0]
    assert select.best(latency, accuracy, 2.9) == 1  # As accurate as the last one, and faster.
    assert select.best(latency, accuracy, 3.0) == 2  # The budget itself is within it.
    assert select.best(latency, accuracy, 1.5) == 0
    assert select.best(latency, accuracy, 0.5) is None
    assert select.best([], [], 1.0) is None


def test_few_images_lean_on_the_prediction_and_many_on_the_count() -> None:
    few = select.expected_accuracy(98.0, 100, 96.0, 0.5)
    many = select.expected_accuracy(98.0, 100_000, 96.0, 0.5)
    assert 96.0 < few < 97.0 < many < 98.0
    # By hand: a count of 50% of 100 has a variance of 25, the prediction here has the same.
    assert select.expected_accuracy(50.0, 100, 60.0, 5.0) == pytest.approx(55.0)
    assert select.expected_accuracy(100.0, 10, 90.0, 0.0) == pytest.approx(90.0)
