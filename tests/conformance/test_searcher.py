"""What every searcher promises. A new one is tested by being in the catalogue."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import search_spaces
from nas.search import Population, Problem, Searcher, Task, hypervolume, searchers
from nas.search.searchers import exchanges
from search_spaces import Net, Space, choice, one_of
from search_spaces.specs import Classifier, Conv

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]

SPACE = search_spaces.get("small-images")


def tiny() -> Space:
    """36 networks of 48 rows."""
    net = Net(image=(3, choice("resolution", 8, 12)))
    depth = choice("depth", 1, 2)
    net("a", Conv, out=one_of(8, 16, 24))
    net("b", Conv, out=one_of(8, 16), kernel=one_of(1, 3), when=depth > 1)
    net("classifier", Classifier, classes=2)
    return Space(net, "tiny")


# With a model, hundreds of evaluations take a minute; those that train a network take seconds.
LONG = ("auto", "gflownet", "linas", "mobo", "policy-gradient")
# What "auto" is here runs always.
TWINS = ("linas", "mobo")


def marked(names: Iterable[str], slow: Collection[str]) -> list[Any]:
    return [pytest.param(one, marks=[pytest.mark.slow] * (one in slow)) for one in names]


# Under limits it climbs, and here from the first networks on.
CLIMBING = "nsga2 that climbs"


@pytest.fixture(params=marked([*searchers.names(), CLIMBING], TWINS))
def name(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == CLIMBING:
        monkeypatch.setattr(exchanges, "FIRST", 10)
    return str(request.param)


@pytest.fixture(params=marked(searchers.names(), LONG))
def long_name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def make(
    name: str, space: Space, seed: int = 0, objectives: int = 2, constraints: int = 0
) -> Searcher:
    count = limited(name, constraints)
    limits = {f"limited{number}": 0.0 for number in range(count)}
    problem = Problem(space, tuple(f"bad{number}" for number in range(objectives)), limits)
    method = "nsga2" if name == CLIMBING else name
    return searchers.get(method).make(Task(problem), np.random.default_rng(seed))


def limited(name: str, constraints: int) -> int:
    """How many limits there are where so many are wanted."""
    return max(constraints, 1) if name == CLIMBING else constraints


def limit_of(name: str, space: Space) -> float:
    """What half of the networks keep, for who climbs; else 0, which is no limit."""
    if name != CLIMBING:
        return 0.0
    return float(np.median(np.log(space.macs(space.sample(200, np.random.default_rng(0))))))


def values(space: Space, rows: Rows, limit: float = 0.0) -> tuple[Floats, Floats]:
    """Two objectives that are at odds, and how far above a limit the second is."""
    macs, parameters = np.log(space.macs(rows)), np.log(space.parameters(rows))
    taste = rows @ np.random.default_rng(1).normal(size=rows.shape[1])
    objectives = np.column_stack([np.exp(12 - parameters) + np.tanh(taste), macs])
    return objectives, macs[:, None] - limit if limit else np.empty((len(rows), 0))


def run(
    searcher: Searcher, space: Space, budget: int, batch: int, limit: float = 0.0
) -> tuple[list[Rows], Floats]:
    asked, told = [], []
    while sum(map(len, asked)) < budget:
        population = searcher.ask(batch)
        objectives, violations = values(space, population.rows, limit)
        searcher.tell(population, objectives, violations)
        asked.append(population.rows)
        told.append(objectives)
        if not len(population):
            break
    return asked, np.concatenate(told)


def test_asks_canonical_rows_as_many_as_wanted_and_none_twice(name: str) -> None:
    asked, _ = run(make(name, SPACE), SPACE, 300, 30, limit_of(name, SPACE))
    assert [rows.shape for rows in asked] == [(30, len(SPACE.choices))] * 10
    rows = np.concatenate(asked)
    assert rows.dtype == np.int64
    np.testing.assert_array_equal(rows, SPACE.canonical(rows))
    assert len(np.unique(rows, axis=0)) == 300


def test_equal_seeds_ask_alike_and_others_do_not(name: str) -> None:
    limit = limit_of(name, SPACE)
    first, again, other = (
        np.concatenate(run(make(name, SPACE, seed), SPACE, 200, 20, limit)[0]) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_no_global_generator_is_asked_or_moved(name: str) -> None:
    asked, limit = [], limit_of(name, SPACE)
    for seed in (1, 2):
        np.random.seed(seed)  # noqa: NPY002
        random.seed(seed)
        before = np.random.get_state()[1:], random.getstate()  # noqa: NPY002
        asked.append(np.concatenate(run(make(name, SPACE), SPACE, 100, 20, limit)[0]))
        after = np.random.get_state()[1:], random.getstate()  # noqa: NPY002
        assert str(before) == str(after)
    np.testing.assert_array_equal(*asked)


def test_exhausts_a_small_space_and_then_asks_nothing(name: str) -> None:
    space = tiny()
    assert space.size == 30
    asked, _ = run(make(name, space), space, 1000, 8, limit_of(name, space))
    rows = np.concatenate(asked)
    assert len(np.unique(rows, axis=0)) == len(rows) == space.size
    assert not len(asked[-1])


@pytest.mark.parametrize("batch", [1, 2, 7])
def test_batches_of_any_size(name: str, batch: int) -> None:
    asked, _ = run(make(name, SPACE), SPACE, 40, batch, limit_of(name, SPACE))
    assert {len(rows) for rows in asked} == {batch}


@pytest.mark.parametrize(
    "told", [range(3), range(1), range(0), range(0, 20, 3), range(17, 20)], ids=str
)
def test_takes_a_part_of_what_it_asked(name: str, told: range) -> None:
    searcher, limit = make(name, SPACE), limit_of(name, SPACE)
    for part in (told, range(20), told, told, range(20)):
        rows = searcher.ask(20).rows
        assert len(rows) == 20
        searcher.tell(Population(rows[part]), *values(SPACE, rows[part], limit))
    assert len(searcher.ask(20)) == 20


@pytest.mark.parametrize("objectives", [1, 3])
@pytest.mark.parametrize("constraints", [0, 2])
def test_any_number_of_objectives_and_constraints(
    name: str, objectives: int, constraints: int
) -> None:
    searcher = make(name, SPACE, objectives=objectives, constraints=constraints)
    rng = np.random.default_rng(0)
    for _ in range(5):
        population = searcher.ask(12)
        assert len(population) == 12
        violations = rng.normal(size=(12, limited(name, constraints)))
        searcher.tell(population, rng.random((12, objectives)), violations)


def test_equal_values_stop_nobody(name: str) -> None:
    searcher = make(name, SPACE, constraints=1)
    for _ in range(5):
        population = searcher.ask(10)
        assert len(population) == 10
        searcher.tell(population, np.ones((10, 2)), np.ones((10, 1)))


def test_beats_random_search_or_is_it(long_name: str) -> None:
    name = long_name
    reference = np.array([60.0, 20.0])
    volumes = {}
    for who in (name, "random"):
        told = [run(make(who, SPACE, seed), SPACE, 600, 30)[1] for seed in range(3)]
        volumes[who] = np.mean([hypervolume(points, reference) for points in told])
    assert volumes[name] >= volumes["random"]


def test_finds_networks_within_a_limit_that_chance_seldom_meets(long_name: str) -> None:
    name = long_name
    if name == "random":
        return
    sample = np.log(SPACE.macs(SPACE.sample(2000, np.random.default_rng(0))))
    limit = float(np.quantile(sample, 0.01))
    shares = []
    for seed in range(3):
        asked, _ = run(make(name, SPACE, seed, constraints=1), SPACE, 400, 20, limit)
        last = np.log(SPACE.macs(np.concatenate(asked[-5:])))
        shares.append((last <= limit).mean())
    # C-TAEA means to evaluate what is not feasible: one of its two archives, which gives most of
    # the parents where limits cut off the front, knows no limits. Chance would meet 0.01.
    assert np.mean(shares) > (0.04 if name == "ctaea" else 0.4)
