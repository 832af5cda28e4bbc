"""New rows, also from a source that repeats itself."""

from __future__ import annotations

import numpy as np

import search_spaces
from nas.search.searchers.mating import FEW, SURPLUS, fresh, initial
from nas.search.searchers.stirred import PLAIN, stirred
from nas.search.seen import Seen
from search_spaces.space import Population as Rows

SPACE = search_spaces.get("small-images")


def test_a_generous_source_is_taken_as_it_is() -> None:
    rng, seen = np.random.default_rng(0), Seen()
    offered = SPACE.sample(40, rng)

    def draw(n: int) -> Rows:
        return offered[:n]

    found = fresh(SPACE, 30, stirred(SPACE, draw, rng), seen, rng)
    np.testing.assert_array_equal(found[:30], offered[:30])
    assert len(seen) == 30


def test_a_source_of_one_row_is_changed_a_little() -> None:
    rng, seen = np.random.default_rng(0), Seen()
    draws = []

    def draw(n: int) -> Rows:
        draws.append(n)
        return np.tile(SPACE.largest, (n, 1))

    found = fresh(SPACE, 40, stirred(SPACE, draw, rng), seen, rng)
    assert len(np.unique(found, axis=0)) == len(found) == 40
    np.testing.assert_array_equal(found[0], SPACE.largest)
    assert draws[: PLAIN + 1] == [40, *[max(39 * SURPLUS, FEW)] * PLAIN]
    # Random rows differ from the largest in most of 22 choices.
    differ = (found != SPACE.largest).sum(axis=1)
    assert np.median(differ) <= 4


def test_a_search_begins_with_both_ends() -> None:
    rng = np.random.default_rng(0)
    found = initial(SPACE, 10, Seen(), rng)
    assert found.shape == (10, 22)
    np.testing.assert_array_equal(found[:2], [SPACE.smallest, SPACE.largest])
    np.testing.assert_array_equal(initial(SPACE, 1, Seen(), rng), [SPACE.smallest])
