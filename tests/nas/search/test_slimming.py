"""The greedy way down, against one walked by hand."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nas.search import Population, Problem, Task
from nas.search.searchers.slimming import Slimming
from search_spaces import Net, Space, one_of
from search_spaces.specs import Classifier, Conv

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]

# What the upper options of four choices lose and win, so that ratios are 4, 1, 0.5 and 2.
LOST, WON = np.array([4.0, 1.0, 2.0, 6.0]), np.array([1.0, 1.0, 4.0, 3.0])


def four() -> Space:
    """Four convolutions with two kernels each: 16 networks."""
    net = Net(image=(3, 8))
    for name in "abcd":
        net(name, Conv, out=8, kernel=one_of(1, 3))
    net("classifier", Classifier, classes=2)
    return Space(net, "four")


SPACE = four()


def values(rows: Rows) -> tuple[Floats, Floats]:
    error, latency = 20 - rows @ LOST, 2 + rows @ WON
    return np.column_stack([error, latency]), np.empty((len(rows), 0))


def test_the_first_batch_is_the_largest_the_smallest_and_all_steps() -> None:
    searcher = Slimming(Task(Problem(SPACE, ("error", "ms"), {})), np.random.default_rng(0))
    rows = searcher.ask(6).rows
    expected = [[1, 1, 1, 1], [0, 0, 0, 0]]
    expected += [[0, 1, 1, 1], [1, 0, 1, 1], [1, 1, 0, 1], [1, 1, 1, 0]]
    np.testing.assert_array_equal(rows, expected)


def test_the_way_down_takes_the_least_loss_for_what_is_won() -> None:
    searcher = Slimming(Task(Problem(SPACE, ("error", "ms"), {})), np.random.default_rng(0))
    population = searcher.ask(6)
    asked = [population.rows]
    searcher.tell(population, *values(population.rows))
    # c loses 0.5 a millisecond, then b 1, then d 2; of each network the next steps are tried, those
    # that promise most first, and half of a batch goes to other networks.
    for n in (4, 2):
        population = searcher.ask(n)
        asked.append(population.rows)
        searcher.tell(population, *values(population.rows))
    np.testing.assert_array_equal(asked[1][0], [1, 0, 0, 1])
    assert [1, 0, 0, 0] in np.concatenate(asked).tolist()


def limited(rows: Rows, limit: float) -> tuple[Floats, Floats]:
    error, latency = 20 - rows @ LOST, 2 + rows @ WON
    return error[:, None], latency[:, None] / limit - 1


def test_with_one_objective_the_limit_is_what_is_won() -> None:
    limit = 6.5
    rows = np.array([[a, b, c, d] for a in (0, 1) for b in (0, 1) for c in (0, 1) for d in (0, 1)])
    error, above = limited(rows, limit)
    best = rows[np.where(above[:, 0] <= 0, error[:, 0], np.inf).argmin()]
    task = Task(Problem(SPACE, ("error",), {"ms": limit}))
    searcher = Slimming(task, np.random.default_rng(0))
    asked: list[tuple[int, ...]] = []
    for _ in range(4):
        population = searcher.ask(3)
        searcher.tell(population, *limited(population.rows, limit))
        asked += map(tuple, population.rows.tolist())
    assert tuple(best.tolist()) in asked


def test_a_network_that_cannot_be_evaluated_is_left() -> None:
    searcher = Slimming(Task(Problem(SPACE, ("error", "ms"), {})), np.random.default_rng(0))
    rows = searcher.ask(6).rows[1:]  # The largest failed.
    searcher.tell(Population(rows), *values(rows))
    more = searcher.ask(10).rows
    assert len(more) == 10
    searcher.tell(Population(more), *values(more))
    assert not len(searcher.ask(1))
