"""Searchers with a model ask what their model says, and learn where not to ask."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from nas.search import Population, Problem, Searcher, Task
from nas.search.searchers.assisted import Assisted, first
from nas.search.searchers.auto import auto
from nas.search.searchers.catalogue import Maker
from nas.search.searchers.linas import linas
from nas.search.searchers.memetic import Memetic
from nas.search.searchers.mobo import mobo
from search_spaces import Net, Space, one_of
from search_spaces.specs import Classifier, Conv

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]


def plain() -> Space:
    """1,296 networks of four layers, each with two choices that are always read."""
    net = Net(image=(3, 8))
    for name in "abcd":
        net(name, Conv, out=one_of(8, 16, 24), kernel=one_of(1, 3))
    net("classifier", Classifier, classes=2)
    return Space(net, "plain")


SPACE = plain()
EVERY = np.indices([len(c.values) for c in SPACE.choices]).reshape(len(SPACE.choices), -1).T
WEIGHTS = np.random.default_rng(5).normal(size=len(SPACE.choices))


def linear(rows: Rows) -> Floats:
    return np.asarray(rows @ WEIGHTS, dtype=np.float64)


def asked(searcher: Searcher, budget: int, batch: int, limit: float | None = None) -> Rows:
    """Rows asked for ``linear``, small where ``np.log(macs)`` is below ``limit``."""
    rows = []
    for _ in range(budget // batch):
        population = searcher.ask(batch)
        excess = np.empty((batch, 0))
        if limit is not None:
            excess = np.log(SPACE.macs(population.rows))[:, None] - limit
        searcher.tell(population, linear(population.rows)[:, None], excess)
        rows.append(population.rows)
    return np.concatenate(rows)


@pytest.mark.parametrize("maker", [linas, mobo, auto])
def test_the_best_of_a_linear_function_is_asked_right_after_the_start(maker: Maker) -> None:
    task = Task(Problem(SPACE, ("bad",), {}), evaluations=200)
    rows = asked(maker(task, np.random.default_rng(0)), first(task) + 5, 5)
    assert linear(rows).min() == pytest.approx(linear(EVERY).min())
    # The start did not find it: that was the model.
    assert linear(rows[: first(task)]).min() > linear(EVERY).min()


def test_linas_asks_the_rows_with_the_best_predictions() -> None:
    task = Task(Problem(SPACE, ("bad",), {}), evaluations=200)
    searcher = linas(task, np.random.default_rng(0))
    before = asked(searcher, first(task), first(task))
    known = {tuple(row) for row in before.tolist()}
    left = EVERY[[tuple(row) not in known for row in EVERY.tolist()]]
    best = np.sort(linear(left))
    chosen = np.sort(linear(searcher.ask(5).rows))
    assert chosen[0] == pytest.approx(best[0])
    assert (chosen <= best[25]).all()


@pytest.mark.parametrize("free", [True, False])
@pytest.mark.parametrize("maker", [linas, mobo])
def test_what_is_not_feasible_is_avoided(maker: Maker, free: bool) -> None:
    logarithms = np.log(SPACE.macs(EVERY))
    limit = float(np.quantile(logarithms, 0.2))
    known = {"size": lambda rows: np.log(SPACE.macs(rows))} if free else {}
    problem = Problem(SPACE, ("bad",), {"size": limit})
    task = Task(problem, known, evaluations=100)
    # The best networks of all are large, so that the objective pulls away from the limit.
    rows = asked(maker(task, np.random.default_rng(0)), 60, 5, limit)
    kept = np.log(SPACE.macs(rows)) <= limit
    # By chance it is one of five. What is not free is tried where much could be gained.
    assert kept[-20:].mean() >= (1.0 if free else 0.4)
    best = linear(EVERY[logarithms <= limit]).min()
    assert linear(rows[kept]).min() == pytest.approx(best)


def test_the_default_has_a_model_only_of_what_is_not_free() -> None:
    problem = Problem(SPACE, ("bad",), {"size": 1.0})
    rng = np.random.default_rng(0)
    everything = {"bad": linear, "size": SPACE.macs}
    assert isinstance(auto(Task(problem, everything), rng), Memetic)
    assert isinstance(auto(Task(problem, {"bad": linear}), rng), Assisted)
    assert isinstance(auto(Task(problem), rng), Assisted)


def test_what_was_asked_and_never_told_is_not_asked_again() -> None:
    task = Task(Problem(SPACE, ("bad",), {}), evaluations=100)
    searcher = mobo(task, np.random.default_rng(0))
    rows = []
    for _ in range(10):
        population = searcher.ask(8)
        rows.append(population.rows)
        # Every other evaluation fails.
        told = population.rows[::2]
        searcher.tell(Population(told), linear(told)[:, None], np.empty((len(told), 0)))
    assert len(np.unique(np.concatenate(rows), axis=0)) == 80


@pytest.mark.parametrize(("budget", "count"), [(10, 4), (100, 20), (400, 30), (None, 30)])
def test_how_many_come_first(budget: int | None, count: int) -> None:
    assert first(Task(Problem(SPACE, ("bad",), {}), evaluations=budget)) == count
