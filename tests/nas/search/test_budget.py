"""When a search ends, and what counts towards it."""

from __future__ import annotations

import functools
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import numpy.typing as npt
import pytest

import nas.search
import search_spaces
from nas.search import (
    Budget,
    Graded,
    InfeasibleWarning,
    Population,
    SearchError,
    Study,
    Task,
    session,
)
from nas.search.budget import Stagnation
from search_spaces.errors import NasLoopError

SPACE = search_spaces.get("small-images")
# Evolution, for it is quick; what is said here is of every search.
minimize = functools.partial(nas.search.minimize, searcher="nsga2")
Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]


def error(rows: Rows) -> Floats:
    return 10 + 5 * np.exp(-SPACE.parameters(rows) / 3e5)


OBJECTIVES = {"error": error, "macs": SPACE.macs}


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({}, "got none of it"),
        ({"evaluations": 0}, "evaluations are 1 or more, or None; got 0"),
        ({"stagnation": -1}, "stagnation are 1 or more"),
        ({"evaluations": float("inf")}, "evaluations are 1 or more, or None; got inf"),
        ({"evaluations": float("nan")}, "evaluations are 1 or more, or None; got nan"),
        ({"stagnation": 2.5}, "stagnation are 1 or more, or None; got 2.5"),
        ({"seconds": 0}, "seconds are above 0 and finite, or None; got 0"),
        ({"seconds": float("nan")}, "got nan"),
        ({"seconds": float("inf")}, "got inf"),
    ],
)
def test_budgets_that_make_no_sense(given: dict[str, float], says: str) -> None:
    with pytest.raises(SearchError, match=says):
        Budget(**given)  # type: ignore[arg-type]


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[Rows]:
    """What was asked; the clock of a search goes on a second with each network of it."""
    asked: list[Rows] = []
    clock = SimpleNamespace(monotonic=lambda: float(sum(map(len, asked))))
    monkeypatch.setattr(session, "time", clock)
    return asked


def test_time_ends_a_search_and_goes_on_counting_when_it_is_resumed(
    tmp_path: Path, counted: list[Rows]
) -> None:
    def slow(rows: Rows) -> Floats:
        counted.append(rows)
        return error(rows)

    path = tmp_path / "study.sqlite"
    steps: list[nas.search.Step] = []

    def run(seconds: float) -> Study:
        steps.clear()
        return minimize(
            SPACE,
            {"error": slow},
            budget=Budget(seconds=seconds),
            batch=10,
            path=path,
            observer=lambda study, step: steps.append(step),
        )

    first = run(35)
    assert first.ended_by == "seconds"
    assert [step.seconds for step in steps] == [10, 20, 30, 40]
    resumed = run(75)
    # What was known is replayed; what the first run took counts.
    assert [step.seconds for step in steps] == [40, 40, 40, 40, 50, 60, 70, 80]
    assert (len(first), len(resumed)) == (40, 80)
    again = run(35)
    assert len(again) == 80
    assert [step.seconds for step in steps] == [80]


def test_no_piece_is_begun_when_the_time_is_up(tmp_path: Path, counted: list[Rows]) -> None:
    def slow(rows: Rows) -> Floats:
        counted.append(rows)
        return error(rows)

    path = tmp_path / "study.sqlite"
    search = functools.partial(minimize, SPACE, {"error": slow}, batch=30, piece=2, path=path)
    study = search(budget=Budget(seconds=15))
    assert [len(rows) for rows in counted] == [2] * 8
    assert (len(study), study.ended_by) == (16, "seconds")
    # It goes on with the rest of the batch, and ends as if it had not been stopped.
    resumed = search(budget=60)
    whole = minimize(SPACE, {"error": error}, budget=60, batch=30)
    assert sum(map(len, counted)) == 60
    np.testing.assert_array_equal(resumed.records.rows, whole.records.rows)


def test_a_search_that_stands_still_ends() -> None:
    study = minimize(SPACE, OBJECTIVES, budget=Budget(stagnation=100), batch=20)
    assert study.ended_by == "stagnation"
    assert 100 < len(study) < 5000
    values = study.records.values
    # The reference point as it is described: the worst of the first batch and a tenth more.
    low, high = values[:20].min(axis=0), values[:20].max(axis=0)
    corner = high + 0.1 * (high - low)
    volumes = [nas.search.hypervolume(values[:n], corner) for n in (len(study) - 100, len(study))]
    assert volumes[1] - volumes[0] < 1e-3 * volumes[1]
    before = [nas.search.hypervolume(values[:n], corner) for n in range(20, len(study) - 19, 20)]
    grown = [late - early >= 1e-3 * late for early, late in zip(before, before[5:], strict=False)]
    assert all(grown)


def test_whichever_comes_first() -> None:
    both = minimize(SPACE, OBJECTIVES, budget=Budget(evaluations=60, stagnation=1000), batch=20)
    assert (len(both), both.ended_by) == (60, "evaluations")


def test_growth_by_hand() -> None:
    standing = Stagnation()
    # Reference (4.3, 2.1), which moves to (4.3, 3.2) with the worst of the last three.
    for evaluations, points in (
        (20, [[1.0, 2.0], [4.0, 1.0]]),
        (30, [[2.0, 1.0]]),
        (40, [[3.0, 3.0]]),
    ):
        standing.add(np.array(points), np.empty((len(points), 0)), evaluations)
    expected = [3.3 * 1.2 + 0.3 * 1, 3.3 * 1.2 + 2.3 * 1, 3.3 * 1.2 + 2.3 * 1]
    assert standing.growth.history == [
        (at, pytest.approx(volume)) for at, volume in zip((20, 30, 40), expected, strict=True)
    ]
    assert standing.stands_still(10)
    assert not standing.stands_still(20)
    assert not standing.stands_still(21), "so long it has not been at it"


def test_without_a_feasible_network_nearing_the_limits_is_getting_on() -> None:
    standing = Stagnation()
    for evaluations, least in ((10, 3.0), (20, 2.0), (30, 2.0), (40, 2.5)):
        standing.add(np.ones((2, 1)), np.array([[least, -5.0], [9.0, 9.0]]), evaluations)
    assert standing.growth.history[-1] == (40, 0.0)
    assert standing.stands_still(20)
    assert not standing.stands_still(30)
    standing.add(np.ones((1, 1)), np.array([[-1.0, 0.0]]), 50)
    assert not standing.stands_still(10), "the first that is feasible"


def test_a_search_that_never_meets_its_limits_ends_too() -> None:
    with pytest.warns(InfeasibleWarning, match="the nearest"):
        study = minimize(
            SPACE,
            OBJECTIVES,
            {"never": 1.0},
            functions={"never": lambda rows: 2 + SPACE.macs(rows) / 1e9},
            budget=Budget(stagnation=200),
            batch=20,
        )
    assert study.ended_by == "stagnation"
    assert study.front() == []
    least = np.minimum.accumulate(study.records.values[:, -1] - 1)
    assert least[-201] - least[-1] < 1e-3 * least[-201]


def test_one_network_at_a_time_is_judged_by_more_than_the_first() -> None:
    """The first network's own neighbourhood is no measure: fronts grow at their ends."""
    study = minimize(
        SPACE, OBJECTIVES, searcher="random", budget=Budget(stagnation=200), batch=1, seed=3
    )
    values = study.records.values
    low, high = values[:20].min(axis=0), values[:20].max(axis=0)
    corner = high + 0.1 * (high - low)
    volumes = [nas.search.hypervolume(values[: n + 1], corner) for n in range(len(study))]
    grown = [
        late - early >= 1e-3 * late for early, late in zip(volumes, volumes[200:], strict=False)
    ]
    assert all(grown[:-1]) and not grown[-1]


class Halves:
    """Asks for random rows at a quarter of the cost, and for the better half again, whole."""

    def __init__(self, task: Task, rng: np.random.Generator) -> None:
        assert task.graded
        self.task, self.rng = task, rng
        self.promoted: Rows | None = None

    def ask(self, n: int) -> Population:
        if self.promoted is not None:
            return Population(self.promoted, np.ones(len(self.promoted)))
        return Population(self.task.space.sample(n, self.rng), np.full(n, 0.25))

    def tell(self, population: Population, objectives: Floats, violations: Floats) -> None:
        assert population.fidelity is not None
        if population.fidelity[0] == 1:
            self.promoted = None
        else:
            best = objectives[:, 0].argsort()[: len(population) // 2]
            self.promoted = population.rows[best]


def test_cheaper_trials_count_as_their_share_and_are_no_part_of_the_front(tmp_path: Path) -> None:
    asked: list[Floats] = []

    def graded(rows: Rows, fidelity: Floats) -> Floats:
        asked.append(fidelity)
        return error(rows) - (1 - fidelity)

    path = tmp_path / "study.sqlite"
    study = minimize(
        SPACE, {"error": Graded(graded)}, searcher=Halves, budget=18, batch=8, path=path
    )
    # Three times eight quarters and four wholes.
    assert [fidelity.tolist() for fidelity in asked] == [[0.25] * 8, [1.0] * 4] * 3
    assert len(study) == 36
    whole = study.feasible
    assert whole.sum() == 12
    (best,) = study.front()
    assert best.fidelity == 1
    assert best.objectives["error"] == error(study.records.rows[whole]).min()
    asked.clear()
    resumed = minimize(
        SPACE, {"error": Graded(graded)}, searcher=Halves, budget=18, batch=8, path=path
    )
    assert not asked
    np.testing.assert_array_equal(resumed.records.fidelity, study.records.fidelity)
    assert resumed.front() == study.front()


@pytest.mark.parametrize("shares", [[0.0, 1.0], [1.0, 1.5], [np.nan, 1.0], [1.0]])
def test_a_trial_is_a_share_of_a_whole_one(shares: list[float]) -> None:
    with pytest.raises(NasLoopError, match="above 0 and at most 1, one for each of 2 rows"):
        Population(SPACE.sample(2, np.random.default_rng(0)), np.array(shares))
