"""What is free is known exactly, what is not is learned, limits are kept by probability."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.stats import norm

import search_spaces
from nas.search import Population, Problem, Task
from nas.search.surrogate import Believer, History

SPACE = search_spaces.get("small-images")
RNG = np.random.default_rng(0)
ROWS = SPACE.sample(60, RNG)
TASTE = RNG.normal(size=ROWS.shape[1])


def taste(rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    return np.asarray(rows @ TASTE, dtype=np.float64)


def believer(problem: Problem, free: tuple[str, ...]) -> tuple[Believer, History]:
    """Told of all rows but the last ten."""
    known = {"taste": taste, "macs": SPACE.macs}
    values = np.column_stack([known[name](ROWS[:50]) for name in problem.names])
    history = History(SPACE)
    history.add(Population(ROWS[:50]), problem.objective_values(values), problem.violations(values))
    found = Believer(Task(problem, {name: known[name] for name in free}))
    found.learn(history, np.random.default_rng(0))
    return found, history


def test_free_columns_are_exact_and_others_nearly_follow_a_line() -> None:
    found, history = believer(Problem(SPACE, ("taste", "macs"), {}), ("macs",))
    beliefs = found(ROWS[50:])
    np.testing.assert_array_equal(beliefs.std[:, 1], 0)
    assert (beliefs.std[:, 0] > 0).all()
    # Scales are monotone: the order is that of the truth.
    order = np.argsort(SPACE.macs(ROWS[50:]))
    assert (np.diff(beliefs.mean[order, 1]) >= 0).all()
    assert np.corrcoef(beliefs.mean[:, 0], taste(ROWS[50:]))[0, 1] > 0.9
    np.testing.assert_allclose(found.told(history).mean(axis=0), 0, atol=0.2)


def test_a_known_limit_divides_exactly_and_an_unknown_one_by_chance() -> None:
    macs = np.sort(SPACE.macs(ROWS[50:]))
    limit = float((macs[4] + macs[5]) / 2)
    kept = SPACE.macs(ROWS[50:]) <= limit
    known, _ = believer(Problem(SPACE, ("taste",), {"macs": limit}), ("macs",))
    beliefs = known(ROWS[50:])
    np.testing.assert_array_equal(beliefs.possible, kept)
    np.testing.assert_array_equal(beliefs.log_feasible()[kept], 0)
    assert (beliefs.log_feasible()[~kept] < -900).all()
    unknown, _ = believer(Problem(SPACE, ("taste",), {"macs": limit}), ())
    beliefs = unknown(ROWS[50:])
    assert beliefs.possible.all()
    expected = norm.logcdf(-beliefs.excess[:, 0] / beliefs.std[:, 1])
    np.testing.assert_allclose(beliefs.log_feasible(), expected)
    assert beliefs.log_feasible()[kept].min() > beliefs.log_feasible()[~kept].max()


def test_a_limited_objective_is_one_column() -> None:
    limit = float(np.median(taste(ROWS)))
    found, _ = believer(Problem(SPACE, ("taste", "macs"), {"taste": limit}), ("macs",))
    beliefs = found(ROWS[:50])
    assert beliefs.mean.shape == (50, 2)
    assert beliefs.excess.shape == (50, 1)
    agreed = (beliefs.excess[:, 0] <= 0) == (taste(ROWS[:50]) <= limit)
    assert agreed.mean() > 0.9
