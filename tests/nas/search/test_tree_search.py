"""Tree search against values that were computed by hand, and walks on a toy tree."""

from __future__ import annotations

import math

import numpy as np
import pytest

import search_spaces
from nas.search import Population, Problem, Task
from nas.search.searchers.mcts import Mcts
from nas.search.searchers.tree import NONE, Tree, summed, uct
from search_spaces import Net, Space, choice, one_of
from search_spaces.specs import Classifier, Conv

# Three rows of two choices: under the root option 0 (twice) and option 2.
ROWS = np.array([[0, 1], [2, 0], [0, 0]])
ALL = np.ones(ROWS.shape, dtype=np.bool_)


def shallow() -> Space:
    """Of depth 1 a network does not read the width of its second layer, but that of its third."""
    net = Net(image=(3, 8))
    depth = choice("depth", 1, 2)
    net("a", Conv, out=8, stride=2)
    net("b", Conv, out=one_of(8, 16, 24), when=depth > 1)
    net("c", Conv, out=one_of(8, 16, 32, 40))
    net("classifier", Classifier, classes=2)
    return Space(net, "shallow", rows_are_exact=True)


def test_paths_share_their_beginnings() -> None:
    tree = Tree(choices=2, widest=3)
    paths = tree.paths(ROWS, ALL)
    # Root 0; its options 0 and 2 become 1 and 2; their children 3, 4, 5 in the order of parents.
    np.testing.assert_array_equal(paths, [[0, 1, 4], [0, 2, 5], [0, 1, 3]])
    np.testing.assert_array_equal(tree.children[0], [1, NONE, 2])
    np.testing.assert_array_equal(tree.children[1], [3, 4, NONE])
    np.testing.assert_array_equal(tree.children[2], [5, NONE, NONE])
    assert len(tree) == 6
    again = tree.paths(np.array([[0, 1], [1, 1]]), ALL[:2])
    np.testing.assert_array_equal(again, [[0, 1, 4], [0, 6, 7]])


def test_no_rows_have_no_paths() -> None:
    tree = Tree(choices=2, widest=3)
    assert tree.paths(np.empty((0, 2), dtype=np.int64), ALL[:0]).shape == (0, 3)
    assert len(tree) == 1


def test_options_of_what_is_not_read_lead_the_same_way() -> None:
    tree = Tree(choices=3, widest=3)
    rows, used = np.array([[0, 0, 2]]), np.array([[True, False, True]])
    path = tree.paths(rows, used)[0]
    np.testing.assert_array_equal(tree.children[path[1]], [path[2]] * 3)
    np.testing.assert_array_equal(tree.children[path[2]], [NONE, NONE, path[3]])
    np.testing.assert_array_equal(tree.paths(rows, used)[0], path)


def told(rows: list[list[int]], bad: list[float]) -> Mcts:
    space = shallow()
    assert [len(one.values) for one in space.choices] == [2, 3, 4]
    searcher = Mcts(Task(Problem(space, ("bad",), {})), np.random.default_rng(0))
    searcher.tell(Population(np.array(rows)), np.array(bad)[:, None], np.empty((len(rows), 0)))
    return searcher


def test_walks_go_on_below_what_is_not_read() -> None:
    searcher = told([[0, 0, option] for option in range(4)], [3, 2, 1, 0])
    # As if depth 1 were all there is: no way that was not tried, down to the end of the tree.
    searcher._tree.children[0, 1] = searcher._tree.children[0, 0]
    worth = np.array([[0.0], [0.0], [0.0], [1.0]])
    visits, sums = summed(searcher._paths, worth, len(searcher._tree))
    off_the_tree = np.full((3, 4), 1 / 4)
    walks = np.array([searcher._walk(visits.copy(), sums[0], off_the_tree) for _ in range(60)])
    assert (walks[:, 2] == 3).all(), "the best of the last choice, whatever stands before it"
    assert len(np.unique(walks[:, 1])) == 3


def test_rows_say_nothing_of_choices_that_they_do_not_read() -> None:
    deep = [[1, width, 0] for width in range(3)]
    searcher = told([*([0, 0, option] for option in range(4)), *deep], [1.0] * 4 + [0.0] * 3)
    # Widths are worth the same wherever they are read; networks without them are worth nothing.
    chances = searcher._rollouts(np.array([[0.0]] * 4 + [[1.0]] * 3))
    np.testing.assert_allclose(chances[0, 1, :3], 1 / 3)
    assert chances[0, 0, 1] > chances[0, 0, 0]


def test_visits_and_sums_of_a_toy_tree() -> None:
    tree = Tree(choices=2, widest=3)
    worth = np.array([[1.0, 0.0], [0.5, 0.25], [0.2, 1.0]])
    visits, sums = summed(tree.paths(ROWS, ALL), worth, len(tree))
    np.testing.assert_array_equal(visits, [3, 2, 1, 1, 1, 1])
    np.testing.assert_allclose(sums[0], [1.7, 1.2, 0.5, 0.2, 1.0, 0.5])
    np.testing.assert_allclose(sums[1], [1.25, 1.0, 0.25, 1.0, 0.0, 0.25])


def test_uct_by_hand() -> None:
    # Children of the toy root: means 0.6 and 0.5 after 2 and 1 of 3 visits.
    found = uct(np.array([1.2, 0.5]), np.array([2.0, 1.0]), 3.0, 0.7)
    expected = [0.6 + 0.7 * math.sqrt(math.log(3) / 2), 0.5 + 0.7 * math.sqrt(math.log(3))]
    np.testing.assert_allclose(found, expected)
    assert expected == pytest.approx([1.118806, 1.233703], abs=1e-6)


def test_a_large_sum_of_one_choice_is_walked_down_again() -> None:
    """The first choice decides everything: after all its options, the good one is asked for."""
    space = search_spaces.get("nas-bench-macro")
    searcher = Mcts(Task(Problem(space, ("bad",), {})), np.random.default_rng(0))
    asked = []
    for _ in range(15):
        rows = searcher.ask(10).rows
        asked.append(rows)
        bad = (rows[:, 0] != 1).astype(float)[:, None]
        searcher.tell(Population(rows), bad, np.empty((len(rows), 0)))
    shares = [(rows[:, 0] == 1).mean() for rows in asked]
    assert shares[0] < 0.7
    assert np.mean(shares[-5:]) > 0.9
