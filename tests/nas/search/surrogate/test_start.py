"""The first rows are of all sizes, and keep the limits that can be known."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

import search_spaces
from nas.search import Problem, Task
from nas.search.seen import Seen
from nas.search.surrogate import Start
from nas.search.surrogate.start import van_der_corput

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]

SPACE = search_spaces.get("small-images")


def test_sizes_run_from_the_smallest_to_the_largest_in_even_steps() -> None:
    start = Start(Task(Problem(SPACE, ("error",), {})), np.random.default_rng(0))
    sizes = np.log(SPACE.macs(start(17, Seen())))
    ends = np.log(SPACE.macs(np.stack([SPACE.smallest, SPACE.largest])))
    np.testing.assert_allclose(sizes[:2], ends)
    random = np.log(SPACE.macs(SPACE.sample(1000, np.random.default_rng(1))))
    assert np.std(sizes) > 1.3 * np.std(random)


def test_known_limits_are_kept_from_the_first_row_on() -> None:
    random = SPACE.macs(SPACE.sample(2000, np.random.default_rng(1)))
    limit = float(np.quantile(random, 0.005))
    task = Task(Problem(SPACE, ("error",), {"macs": limit}), {"macs": SPACE.macs})
    rows = Start(task, np.random.default_rng(0))(20, Seen())
    assert len(np.unique(rows, axis=0)) == 20
    assert (SPACE.macs(rows) <= limit).all()


def test_what_is_unlikely_to_be_evaluated_is_left_out_unless_too_little_is_left() -> None:
    small = int(np.quantile(SPACE.macs(SPACE.sample(500, np.random.default_rng(1))), 0.05))

    def chance(rows: Rows) -> Floats:
        return np.where(SPACE.macs(rows) <= small, 0.9, 0.9 * 1e6 / SPACE.macs(rows))

    task = Task(Problem(SPACE, ("error",), {}))
    few = Start(task, np.random.default_rng(0))(10, Seen(), chance)
    assert (SPACE.macs(few) <= small).all()
    seen, start = Seen(), Start(task, np.random.default_rng(0))
    rows = start(200, seen, chance)
    assert len(np.unique(rows, axis=0)) == 200
    # Beside all that are likely, the next likeliest: the next in size.
    sizes = SPACE.macs(rows)
    assert (sizes <= small).sum() < 150
    left = start(1_000, seen)
    assert (SPACE.macs(left) >= sizes.max()).all()


def test_nobody_is_asked_where_nothing_is_wanted() -> None:
    def chance(rows: Rows) -> Floats:
        raise AssertionError("asked for no row")

    start = Start(Task(Problem(SPACE, ("error",), {})), np.random.default_rng(0))
    assert start(0, Seen(), chance).shape == (0, len(SPACE.choices))


@pytest.mark.parametrize(("number", "place"), [(1, 0.5), (2, 0.25), (3, 0.75), (6, 0.375)])
def test_van_der_corput(number: int, place: float) -> None:
    assert van_der_corput(number) == place
