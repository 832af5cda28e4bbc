"""Against brute force and pymoo."""

from __future__ import annotations

import time

import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from pymoo.indicators.hv import HV
from pymoo.util.nds.non_dominated_sorting import NonDominatedSorting

from nas.search import hypervolume, nondominated
from search_spaces.errors import NasLoopError

Floats = npt.NDArray[np.float64]
# Few distinct values, so that ties and equal points are common.
POINTS = hnp.arrays(
    np.float64,
    st.tuples(st.integers(0, 25), st.integers(1, 4)),
    elements=st.one_of(st.integers(0, 4).map(float), st.floats(-1e3, 1e3)),
)


@given(POINTS)
@settings(max_examples=200, deadline=None)
def test_nondominated_is_what_brute_force_says(points: Floats) -> None:
    expected = [not any((q <= p).all() and (q < p).any() for q in points) for p in points]
    assert nondominated(points).tolist() == expected


@pytest.mark.parametrize("objectives", [2, 3])
def test_a_hundred_thousand_points_as_pymoo_sorts_them_and_fast(objectives: int) -> None:
    points = np.random.default_rng(0).random((100_000, objectives))
    start = time.process_time()
    mask = nondominated(points)
    assert time.process_time() - start < 2
    front = NonDominatedSorting().do(points, only_non_dominated_front=True)
    np.testing.assert_array_equal(np.flatnonzero(mask), np.sort(front))


def test_scales_do_not_matter() -> None:
    points = np.random.default_rng(1).random((300, 3))
    np.testing.assert_array_equal(nondominated(points), nondominated(points * [1e9, 1, 1e-9]))


@given(hnp.arrays(np.float64, st.tuples(st.integers(1, 20), st.just(2)), elements=st.floats(0, 1)))
@settings(max_examples=100, deadline=None)
def test_hypervolume_is_pymoos(points: Floats) -> None:
    reference = np.array([0.9, 0.8])
    expected = HV(ref_point=reference)(points)
    assert hypervolume(points, reference) == pytest.approx(expected, abs=1e-12)


def test_hypervolume_by_hand() -> None:
    assert hypervolume([[1, 3], [2, 1], [2, 2], [9, 9]], [4, 4]) == 3 * 1 + 2 * 2
    assert hypervolume(np.empty((0, 2)), [1, 1]) == 0
    assert hypervolume([[3], [1], [9]], [4]) == 3
    # Two boxes of 1 x 2 x 3 and 2 x 1 x 1 below (3, 3, 3), which share 1 x 1 x 1.
    assert hypervolume([[2, 1, 0], [1, 2, 2], [3, 0, 0]], [3, 3, 3]) == pytest.approx(6 + 2 - 1)


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(NasLoopError, match="NaN"):
        nondominated([[1, np.nan]])
    with pytest.raises(NasLoopError, match="points are"):
        nondominated([1, 2, 3])
    with pytest.raises(NasLoopError, match=r"each of 3 objectives; got shape \(2,\)"):
        hypervolume([[1, 2, 3]], [1, 2])
