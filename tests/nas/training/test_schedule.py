"""Learning rates against values by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nas.config import Phase, TrainConfig
from nas.data.augment import AugmentOptions
from nas.training.schedule import harder, hardness, peak, rate, resolutions, settles


def test_the_peak_of_a_phase() -> None:
    phases = (Phase("largest", 5), Phase("kernel", 5), Phase("width", 5, learning_rate=0.01))
    config = TrainConfig(learning_rate=0.2, phases=phases)
    assert [peak(phase, config) for phase in phases] == [0.2, pytest.approx(0.06), 0.01]
    whole = TrainConfig("sandwich", learning_rate=0.2)
    assert peak(whole.schedule[0], whole) == 0.2


def test_images_grow_harder_in_equal_stages() -> None:
    assert [hardness(epoch, 8, 4) for epoch in range(8)] == pytest.approx(
        [0, 0, 1 / 3, 1 / 3, 2 / 3, 2 / 3, 1, 1]
    )
    assert [hardness(epoch, 5, 1) for epoch in range(5)] == [1.0] * 5
    assert [hardness(epoch, 3, 8) for epoch in range(3)] == [0, 0.5, 1], "no more than epochs"
    assert hardness(0, 1, 8) == 1.0
    assert [resolutions(3, hard) for hard in (0, 1 / 3, 2 / 3, 1)] == [1, 2, 2, 3]
    options = AugmentOptions(shift=2, randaugment=2, magnitude=0.6)
    assert harder(options, 0.4, 0.25, 0.0) == (replace(options, magnitude=0.15), pytest.approx(0.1))
    assert harder(options, 0.4, 0.25, 1.0) == (options, 0.4)


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


def test_the_second_half_of_the_last_phase_that_has_epochs_settles() -> None:
    phases = (Phase("largest", 4), Phase("depth", 3), Phase("width", 0))
    asked = [(i, epoch) for i, phase in enumerate(phases) for epoch in range(phase.epochs)]
    assert [one for one in asked if settles(phases, *one)] == [(1, 2)]
    assert settles((Phase("all", 4),), 0, 2) and not settles((Phase("all", 4),), 0, 1)
    assert settles((Phase("all", 1),), 0, 0) is False
