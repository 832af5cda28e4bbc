"""Directions that spread evenly, against pymoo's and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from pymoo.util.ref_dirs import get_reference_directions

from nas.search.searchers.directions import directions, lattice


@pytest.mark.parametrize(
    ("objectives", "most", "parts"), [(1, 9, 1), (2, 8, 7), (3, 12, 3), (4, 35, 4), (5, 2, 1)]
)
def test_lattices_are_das_and_dennis(objectives: int, most: int, parts: int) -> None:
    expected = get_reference_directions("das-dennis", objectives, n_partitions=parts)
    np.testing.assert_array_equal(lattice(objectives, most), expected)


def test_two_objectives_have_as_many_as_are_wanted() -> None:
    np.testing.assert_allclose(
        np.sort(directions(2, 5), axis=0)[:, 0], [0, 0.25, 0.5, 0.75, 1], atol=1e-12
    )


def test_one_objective_has_one() -> None:
    np.testing.assert_array_equal(directions(1, 50), [[1.0]])


def test_three_objectives_have_the_finest_lattice_that_fits() -> None:
    # Quarters: 15 triples of them sum to 1, of fifths 21.
    found = directions(3, 20)
    quarters = {(i, j, 4 - i - j) for i in range(5) for j in range(5 - i)}
    assert {tuple(np.rint(4 * one).astype(int)) for one in found} == quarters
    assert len(found) == 15


@pytest.mark.parametrize(("objectives", "most"), [(2, 1), (3, 2), (5, 40), (8, 100), (10, 4)])
def test_they_sum_to_one_and_none_is_there_twice(objectives: int, most: int) -> None:
    found = directions(objectives, most)
    np.testing.assert_allclose(found.sum(axis=1), 1)
    assert (found >= 0).all()
    assert len(np.unique(found.round(9), axis=0)) == len(found) <= max(most, objectives)


def test_many_objectives_have_directions_inside_too() -> None:
    # With parts of a third no direction of five has weight on all five.
    assert (directions(5, 60) > 0).all(axis=1).any()
