"""Learning rates against values by hand."""

from __future__ import annotations

import pytest

from nas.config import Phase, TrainConfig
from nas.training.schedule import peak, rate


def test_the_peak_of_a_phase() -> None:
    config = TrainConfig(learning_rate=0.2)
    assert peak(Phase("largest", 5), config) == 0.2
    assert peak(Phase("kernel", 5), config) == pytest.approx(0.06)
    assert peak(Phase("width", 5, learning_rate=0.01), config) == 0.01


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (0, 0.1),  # the first of ten steps of warm-up
        (4, 0.5),
        (9, 1.0),  # its end
        (54, 0.5),  # half of the cosine
        (99, 0.0),
    ],
)
def test_linear_up_and_cosine_down(step: int, expected: float) -> None:
    assert rate(step, 100, 2.0) == pytest.approx(2.0 * expected, abs=1e-12)


def test_a_phase_of_one_step_has_a_rate() -> None:
    assert rate(0, 1, 1.0) == pytest.approx(0.0)


def test_the_rate_never_rises_after_the_warm_up() -> None:
    rates = [rate(step, 37, 1.0) for step in range(37)]
    top = rates.index(max(rates))
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)
