from __future__ import annotations

import numpy as np
import pytest

from latency_lut.latency import disagreement, latencies, latency
from latency_lut.seam import Sample
from latency_lut.windows import (
    DRIFT,
    Window,
    offsets,
    paces,
    series,
    steady_counts,
    usual,
)


def window(before: float, after: float, *minima: float) -> Window:
    """A window with references of 1 and 10 ms, slowed by ``before`` and ``after``."""
    visits = tuple(Sample(f"m{i}", (2 * ms, ms)) for i, ms in enumerate(minima))
    return Window(0, (before, 10 * before), (after, 10 * after), visits)


def test_pace_is_the_references_time_over_their_usual_time() -> None:
    windows = [window(1, 1), window(1, 1), window(1, 1), window(1.5, 1.2)]
    np.testing.assert_allclose(usual(windows), [1, 10])
    np.testing.assert_allclose(paces(windows, [1, 10])[3], [1.5, 1.2])
    # Disagreeing references are averaged geometrically.
    odd = Window(0, (2.0, 10.0), (1.0, 10.0), ())
    np.testing.assert_allclose(paces([odd], [1, 10]), [[np.sqrt(2), 1]])


def test_a_window_counts_as_unsteady_if_the_pace_moves_in_it_or_is_far_from_usual() -> None:
    still, moving, slow, slower = paces(
        [window(1, 1), window(1, 1.04), window(1.08, 1.08), window(1.3, 1.3)], [1, 10]
    )
    found = offsets(np.array([still, moving, slow, slower]))
    assert list(found <= DRIFT) == [True, False, True, False]


def test_times_are_corrected_by_the_pace_and_unsteady_windows_left_out() -> None:
    windows = [window(1, 1, 3.0)] * 4 + [window(1.05, 1.05, 3.15)] * 2 + [window(1.0, 1.6, 9.0)]
    found = series(windows, usual(windows))["m0"]
    np.testing.assert_allclose(found.minimum_ms[:6], 3.0)
    np.testing.assert_allclose(found.best(3), 3.0)
    assert len(found.best(3)) == 6, "all steady visits are used, even if fewer were asked"
    assert len(found.best(7)) == 7, "unsteady ones fill up"
    assert steady_counts(windows) == {"m0": 6}
    assert steady_counts([]) == {}


def test_latency_is_the_median_of_the_rounds_minima() -> None:
    one = latency(np.array([1.0, 5.0, 3.0, 2.0, 4.0]), np.random.default_rng(0))
    assert one.latency_ms == 3.0
    assert one.floor_ms == 1.0
    assert one.halves_ms == (3.0, 3.0)
    assert one.rounds == 5
    twice = one.scaled(2)
    assert (twice.latency_ms, twice.halves_ms, twice.rounds) == (6.0, (6.0, 6.0), 5)
    single = latency(np.array([2.0]), np.random.default_rng(0))
    assert (single.latency_ms, single.error_ms, single.halves_ms) == (2.0, 0.0, (2.0, 2.0))


def test_the_bootstrap_error_is_that_of_a_median() -> None:
    rng = np.random.default_rng(0)
    errors = [latency(rng.normal(10, 1, 101), rng).error_ms for _ in range(20)]
    # The asymptotic standard error of a normal sample's median, sqrt(pi / 2 n).
    assert np.mean(errors) == pytest.approx(np.sqrt(np.pi / 202), rel=0.15)


def test_disagreement_is_between_the_first_and_the_second_half() -> None:
    windows = [window(1, 1, 2.0, 1.0)] * 4 + [window(1, 1, 2.2, 1.0)] * 4
    measured = latencies(windows, 8, np.random.default_rng(0))
    assert disagreement([measured["m0"]]) == pytest.approx(0.2 / 2.1)
    assert disagreement([measured["m1"]]) == 0
