"""Local search, ageing evolution and OFA's evolution, on spaces that can be enumerated."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

import search_spaces
from nas.search import Population, Problem, Task, minimize, nondominated
from nas.search.searchers import operators
from nas.search.searchers.ageing import Ageing
from nas.search.searchers.constrained import Constrained
from nas.search.searchers.local_search import LocalSearch
from search_spaces.errors import InfeasibleError

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]

SPACE = search_spaces.get("nas-bench-macro")
SMALL = search_spaces.get("small-images")
EVERY = np.unique(SPACE.canonical(np.indices((3,) * 8).reshape(8, -1).T), axis=0)


def rugged(rows: Rows, objectives: int) -> Floats:
    """Values without any order, the same for the same row."""
    table = np.random.default_rng(0).random((3**8, objectives))
    return table[rows @ 3 ** np.arange(8)]


def none(rows: Rows) -> Floats:
    return np.empty((len(rows), 0))


def task(objectives: int) -> Task:
    return Task(Problem(SPACE, tuple(f"bad{number}" for number in range(objectives)), {}))


@pytest.mark.parametrize("objectives", [1, 2, 3])
def test_local_search_ends_in_a_local_optimum(objectives: int) -> None:
    searcher = LocalSearch(task(objectives), np.random.default_rng(1))
    told: list[Rows] = []
    while True:
        front = searcher.front
        rows = searcher.ask(10).rows
        if told and not len(searcher.front):
            break
        searcher.tell(Population(rows), rugged(rows, objectives), none(rows))
        told.append(rows)
    known = np.concatenate(told)
    assert 10 < len(known) < len(EVERY)
    best = known[nondominated(rugged(known, objectives))]
    np.testing.assert_array_equal(np.unique(front, axis=0), np.unique(best, axis=0))
    # By brute force: of all networks those that differ in one choice, as any of their rows does.
    asked = {tuple(row) for row in known.tolist()}
    for row in front:
        near = np.repeat(row[None], 24, axis=0)
        near[np.arange(24), np.arange(24) // 3] = np.arange(24) % 3
        near = SPACE.canonical(near)
        assert {tuple(one) for one in near.tolist()} <= asked
        mine, theirs = rugged(row[None], objectives), rugged(near, objectives)
        assert not ((theirs <= mine).all(axis=1) & (theirs < mine).any(axis=1)).any()


def test_local_search_begins_again_elsewhere() -> None:
    searcher = LocalSearch(task(1), np.random.default_rng(2))
    starts = 0
    for _ in range(100):
        rows = searcher.ask(10).rows
        starts += not len(searcher.front)
        searcher.tell(Population(rows), rugged(rows, 1), none(rows))
    assert starts > 3


def test_local_search_goes_to_where_limits_are_kept() -> None:
    limit = float(np.quantile(SPACE.macs(EVERY), 0.02))
    searcher = LocalSearch(task(1), np.random.default_rng(3))
    for _ in range(12):
        rows = searcher.ask(10).rows
        excess = SPACE.macs(rows)[:, None] / limit - 1
        searcher.tell(Population(rows), -SPACE.macs(rows)[:, None], excess)
    assert (SPACE.macs(searcher.front) <= limit).all()


def test_the_oldest_die_however_good_they_are() -> None:
    searcher = Ageing(task(1), np.random.default_rng(0), size=4)
    rows = EVERY[:7]
    # The first is by far the best; its time is over when four have come after it.
    values = np.array([0.0, 5, 6, 7, 8, 9, 10])[:, None]
    searcher.tell(Population(rows[:4]), values[:4], none(rows[:4]))
    np.testing.assert_array_equal(searcher.rows, rows[:4])
    searcher.tell(Population(rows[4:5]), values[4:5], none(rows[4:5]))
    np.testing.assert_array_equal(searcher.rows, rows[1:5])
    searcher.tell(Population(rows[5:]), values[5:], none(rows[5:]))
    np.testing.assert_array_equal(searcher.rows, rows[3:7])


def test_the_best_of_a_sample_is_a_parent() -> None:
    searcher = Ageing(task(1), np.random.default_rng(0), size=12)
    rows, values = EVERY[:12], np.arange(12.0)[::-1, None]
    # Samples of 3 of 12. Nobody may be feasible but the last two, which are the best anyway.
    violations = np.where(np.arange(12) < 10, 1.0, 0.0)[:, None]
    searcher.tell(Population(rows), values, violations)
    share = np.bincount(searcher.winners(20_000), minlength=12) / 20_000
    # Number 11 wins wherever it is: in 3 of 12 samples; number 10 where 11 is not: 9/12 * 3/11.
    assert share[11] == pytest.approx(1 / 4, abs=0.015)
    assert share[10] == pytest.approx(9 / 12 * 3 / 11, abs=0.015)
    # The two that are worst never are the best of three.
    assert share[0] == share[1] == 0


def test_its_children_differ_from_a_member_in_one_choice() -> None:
    searcher = Ageing(task(1), np.random.default_rng(0), size=10)
    for _ in range(6):
        queue = searcher.rows
        rows = searcher.ask(5).rows
        if len(queue) == 10:
            around = np.concatenate([operators.neighbours(SPACE, row) for row in queue])
            assert {tuple(row) for row in rows.tolist()} <= {tuple(row) for row in around.tolist()}
        searcher.tell(Population(rows), rugged(rows, 1), none(rows))


def test_one_mutation_changes_one_choice_that_is_read() -> None:
    rng = np.random.default_rng(0)
    rows = SMALL.sample(500, rng)
    mutated = operators.mutate_one(SMALL, rows, rng)
    SMALL.checked(mutated)
    changed = mutated != rows
    assert (changed.sum(axis=1) == 1).all()
    assert SMALL.used(rows)[changed].all()
    assert changed.any(axis=0).all()


def limited(limits: dict[str, float], free: tuple[str, ...]) -> Task:
    functions = {"macs": SPACE.macs, "parameters": SPACE.parameters}
    problem = Problem(SPACE, ("error",), limits)
    return Task(problem, {name: functions[name] for name in free})


@pytest.mark.parametrize("also_free", [(), ("error",)])
def test_nothing_above_a_free_limit_is_ever_asked(also_free: tuple[str, ...]) -> None:
    """Nor is a free objective without a limit asked about what is not evaluated."""
    asked: list[Rows] = []

    def error(rows: Rows) -> Floats:
        asked.append(rows)
        return rugged(rows, 1)[:, 0]

    macs, parameters = (
        float(np.quantile(cost(EVERY), 0.3)) for cost in (SPACE.macs, SPACE.parameters)
    )
    study = minimize(
        SPACE,
        {"error": error},
        {"macs": macs, "parameters": parameters},
        "ofa",
        300,
        functions={"macs": SPACE.macs, "parameters": SPACE.parameters},
        free=("macs", "parameters", *also_free),
    )
    rows = np.concatenate(asked)
    assert len(study) == len(rows) == 300
    assert (SPACE.macs(rows) <= macs).all()
    assert (SPACE.parameters(rows) <= parameters).all()


def test_what_is_within_tight_limits_is_found_to_the_last() -> None:
    macs = np.sort(SPACE.macs(EVERY))[6]
    within = EVERY[SPACE.macs(EVERY) <= macs]
    assert 7 <= len(within) < 20
    searcher = Constrained(limited({"macs": macs}, ("macs",)), np.random.default_rng(0))
    asked = []
    for _ in range(5):
        rows = searcher.ask(8).rows
        asked.append(rows)
        searcher.tell(Population(rows), rugged(rows, 1), SPACE.macs(rows)[:, None] - macs)
    assert not len(asked[-1])
    found = np.concatenate(asked)
    assert len(found) == len(within)
    np.testing.assert_array_equal(np.unique(found, axis=0), within)


def test_limits_that_chance_never_meets_are_met() -> None:
    """Of a space too large for chance, the few thousand smallest networks."""
    space = search_spaces.get("ofa-mobilenetv3")
    limit = 1.02 * space.macs(space.smallest)[0]
    assert (space.macs(space.sample(20_000, np.random.default_rng(0))) > limit).all()
    problem = Problem(space, ("error",), {"macs": float(limit)})
    searcher = Constrained(Task(problem, {"macs": space.macs}), np.random.default_rng(0))
    for _ in range(3):
        rows = searcher.ask(20).rows
        assert len(rows)
        assert (space.macs(rows) <= limit).all()
        searcher.tell(Population(rows), rows[:, :1].astype(float), np.zeros((len(rows), 1)))


def test_limits_that_contradict_each_other_are_named() -> None:
    # The networks with the fewest parameters are not those with the fewest MACs.
    macs, parameters = SPACE.macs(EVERY), SPACE.parameters(EVERY)
    least = {"macs": float(macs.min()), "parameters": float(parameters.min())}
    if ((macs <= least["macs"]) & (parameters <= least["parameters"])).any():
        least["macs"] = float(macs.min()) * 0.99
    searcher = Constrained(limited(least, ("macs", "parameters")), np.random.default_rng(0))
    with pytest.raises(InfeasibleError, match="macs <= .* parameters <= .* raise a limit"):
        searcher.ask(10)


def test_parents_are_the_best_quarter() -> None:
    searcher = Constrained(task(1), np.random.default_rng(0))
    told = []
    for _ in range(4):
        rows = searcher.ask(40).rows
        searcher.tell(Population(rows), rugged(rows, 1), none(rows))
        told.append(rows)
    values = rugged(np.concatenate(told), 1)[:, 0]
    assert searcher._elite is not None
    np.testing.assert_array_equal(searcher._elite.objectives[:, 0], np.sort(values)[:10])
