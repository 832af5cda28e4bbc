from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from pymoo.algorithms.moo.nsga2 import binary_tournament
from pymoo.core.population import Population

import search_spaces
from nas.search.searchers import operators
from nas.search.seen import Seen, keys, unseen
from search_spaces.space import Space
from tests.nas.tiny import tiny

SPACE = search_spaces.get("small-images")


def test_children_have_the_genes_of_their_parents_and_all_of_them() -> None:
    rng = np.random.default_rng(0)
    a, b = np.zeros((200, 9), dtype=np.int64), np.ones((200, 9), dtype=np.int64)
    children = operators.crossover(a, b, rng)
    assert children.shape == (400, 9)
    # What one child has of a parent the other has of the other.
    np.testing.assert_array_equal(children[:200] + children[200:], 1)
    copies = (children[:200] == children[:200, :1]).all(axis=1)
    assert 0.05 < copies.mean() < 0.35
    assert 0.3 < children[:200].mean() < 0.7


def test_two_points_and_uniform_both_happen() -> None:
    zeros = np.zeros((500, 40), dtype=np.int64)
    children = operators.crossover(zeros, zeros + 1, np.random.default_rng(1), chance=1.0)[:500]
    changes = np.abs(np.diff(children, axis=1)).sum(axis=1)
    assert ((changes <= 2).mean(), (changes > 8).mean()) == pytest.approx((0.5, 0.5), abs=0.08)


def test_a_mutation_takes_another_option_once_a_row_on_average() -> None:
    rng = np.random.default_rng(2)
    rows = rng.integers(0, operators.sizes(SPACE), (5000, len(SPACE.choices)))
    mutated = operators.mutate(SPACE, rows, rng)
    SPACE.checked(mutated)
    changed = mutated != rows
    assert changed.sum(axis=1).mean() == pytest.approx(1, abs=0.1)
    assert changed.any(axis=0).all()
    wide = operators.sizes(SPACE) == 3
    step = (mutated - rows)[:, wide][changed[:, wide]] % 3
    assert (step == 1).mean() == pytest.approx(0.5, abs=0.05)


def test_what_is_not_read_is_drawn_and_the_network_stays() -> None:
    rng = np.random.default_rng(3)
    rows = SPACE.sample(200, rng)
    filled = operators.fill_unread(SPACE, rows, rng)
    assert (filled != rows).any()
    np.testing.assert_array_equal(SPACE.canonical(filled), rows)


def test_a_tournament_is_decided_as_pymoo_decides_it() -> None:
    rng = np.random.default_rng(4)
    objectives = rng.integers(0, 3, (40, 2)).astype(float)
    violation = np.where(rng.random(40) < 0.5, 0, rng.integers(0, 3, 40)).astype(float)
    crowding = rng.permutation(40).astype(float)
    crowding[:4] = np.inf
    crowding[violation > 0] = np.nan
    drawn = []

    class Fixed:
        """A generator whose permutation is kept, for pymoo to judge the same pairs."""

        def permuted(self, x: np.ndarray, axis: int) -> np.ndarray:
            drawn.append(rng.permuted(x, axis=axis))
            return drawn[0]

        def random(self, n: int) -> np.ndarray:
            return rng.random(n)

    winners = operators.tournament(300, objectives, violation, crowding, Fixed())  # type: ignore[arg-type]
    a, b = drawn[0].ravel()[:600].reshape(2, 300)
    assert ((winners == a) | (winners == b)).all()
    individuals = Population.new(
        F=objectives, CV=violation[:, None], crowding=crowding, rank=np.zeros(40)
    )

    class Algorithm:
        tournament_type = "comp_by_dom_and_crowding"
        random_state = rng

    expected = binary_tournament(individuals, np.column_stack([a, b]), Algorithm())[:, 0]
    tie = (violation[a] == violation[b]) & ((violation[a] > 0) | (a == b))
    tie |= (violation[a] == 0) & (violation[b] == 0) & np.isinf(crowding[a] + crowding[b])
    assert tie.mean() < 0.5
    np.testing.assert_array_equal(winners[~tie], expected[~tie])


def test_everyone_takes_part_equally_often() -> None:
    counts = np.zeros(10)
    for seed in range(50):
        rng = np.random.default_rng(seed)
        same = np.zeros((10, 2))
        winners = operators.tournament(5, same, np.zeros(10), np.ones(10), rng)
        assert len(set(winners.tolist())) == 5
        counts += np.bincount(winners, minlength=10)
    assert counts.min() > 10


def test_rows_are_seen_once() -> None:
    seen = Seen()
    rows = np.array([[1, 2], [1, 2], [2, 1]])
    assert seen.add(rows).tolist() == [True, False, True]
    assert seen.add(rows).tolist() == [False] * 3
    assert len(seen) == 2
    assert keys(rows)[0] in seen
    assert keys(rows)[0] == keys(rows)[1] != keys(rows)[2]
    assert keys(rows[:0]) == []
    assert keys(np.asfortranarray(rows)) == keys(rows)


def test_unseen_rows_are_new_canonical_and_remembered() -> None:
    seen, rng = Seen(), np.random.default_rng(5)
    first = unseen(SPACE, 50, rng, seen)
    second = unseen(SPACE, 50, rng, seen)
    assert len(np.unique(np.concatenate([first, second]), axis=0)) == 100 == len(seen)
    assert unseen(SPACE, 0, rng, seen).shape == (0, len(SPACE.choices))


def one_other(space: Space, row: npt.NDArray[np.int64]) -> dict[tuple[int, ...], set[int]]:
    """Every network with another option of one choice, read or not, and the choices to change."""
    found: dict[tuple[int, ...], set[int]] = {}
    for choice, values in enumerate(space.choices):
        for option in range(len(values.values)):
            changed = row.copy()
            changed[choice] = option
            other = space.canonical(changed[None])[0]
            if (other != row).any():
                found.setdefault(tuple(other.tolist()), set()).add(choice)
    return found


@pytest.mark.parametrize(
    "space",
    [tiny(), search_spaces.get("nas-bench-macro"), search_spaces.get("ofa-mobilenetv3")],
    ids=lambda space: space.name,
)
def test_changes_and_neighbours_are_all_networks_with_one_other_option(space: Space) -> None:
    for row in space.sample(5, np.random.default_rng(1)):
        wanted = one_other(space, row)
        pairs, rows = operators.changes(space, row)
        assert {tuple(other) for other in rows.tolist()} == wanted.keys()
        assert len(pairs) == sum(map(len, wanted.values()))
        for (choice, option), other in zip(pairs.tolist(), rows, strict=True):
            assert choice in wanted[tuple(other.tolist())]
            changed = row.copy()
            changed[choice] = option
            np.testing.assert_array_equal(space.canonical(changed[None])[0], other)
        around = operators.neighbours(space, row)
        assert {tuple(other) for other in around.tolist()} == {*wanted, tuple(row.tolist())}
        assert len(around) == len(wanted) + 1
