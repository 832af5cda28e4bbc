"""New rows from a source that repeats itself, and what searchers remember."""

from __future__ import annotations

import numpy as np

import search_spaces
from nas.search import Population
from nas.search.searchers.fresh import PLAIN, fresh
from nas.search.searchers.history import History
from nas.search.searchers.mating import initial
from nas.search.seen import Seen
from search_spaces.space import Population as Rows

SPACE = search_spaces.get("small-images")


def test_a_generous_source_is_taken_as_it_is() -> None:
    rng, seen = np.random.default_rng(0), Seen()
    offered = SPACE.sample(40, rng)

    def draw(n: int) -> Rows:
        return offered[:n]

    found = fresh(30, draw, SPACE, rng, seen)
    np.testing.assert_array_equal(found[:30], offered[:30])
    assert len(seen) == 30


def test_a_source_of_one_row_is_changed_a_little() -> None:
    rng, seen = np.random.default_rng(0), Seen()
    draws = []

    def draw(n: int) -> Rows:
        draws.append(n)
        return np.tile(SPACE.largest, (n, 1))

    found = fresh(40, draw, SPACE, rng, seen)
    assert len(np.unique(found, axis=0)) == len(found) == 40
    np.testing.assert_array_equal(found[0], SPACE.largest)
    assert draws[: PLAIN + 1] == [40, *[39] * PLAIN]
    # Random rows differ from the largest in most of 22 choices.
    differ = (found != SPACE.largest).sum(axis=1)
    assert np.median(differ) <= 4


def test_a_search_begins_with_both_ends() -> None:
    rng = np.random.default_rng(0)
    found = initial(SPACE, 10, Seen(), rng)
    assert found.shape == (10, 22)
    np.testing.assert_array_equal(found[:2], [SPACE.smallest, SPACE.largest])
    np.testing.assert_array_equal(initial(SPACE, 1, Seen(), rng), [SPACE.smallest])


def test_history_keeps_the_order_and_skips_nothing() -> None:
    told = History()
    rows = SPACE.sample(5, np.random.default_rng(0))
    values, over = (
        np.arange(10.0).reshape(5, 2),
        np.array([[1, -1], [-2, -3], [0, 0], [2, 3], [0, 1]]),
    )
    for part in (slice(0, 2), slice(2, 2), slice(2, 5)):
        told.add(Population(rows[part]), values[part], over[part].astype(float))
    assert len(told) == 5
    np.testing.assert_array_equal(told.rows, rows)
    np.testing.assert_array_equal(told.objectives, values)
    np.testing.assert_array_equal(told.violations, over)
