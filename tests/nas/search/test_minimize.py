from __future__ import annotations

import functools
import itertools
import subprocess
import sys
import time
import warnings

import numpy as np
import numpy.typing as npt
import pytest
from pymoo.util.nds.non_dominated_sorting import NonDominatedSorting

import nas.search
import predictors
import search_spaces
from nas.search import Population, SearchError, Task
from search_spaces import Net, Space, choice, one_of
from search_spaces.errors import InfeasibleError
from search_spaces.specs import Classifier, Conv

SPACE = search_spaces.get("small-images")
# Evolution, for it is quick; what is said here is of every search.
minimize = functools.partial(nas.search.minimize, searcher="nsga2")
Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]


def error(rows: Rows) -> Floats:
    return 10 + 5 * np.exp(-SPACE.parameters(rows) / 3e5)


def latency(rows: Rows) -> Floats:
    return SPACE.macs(rows) / 1e7


class Counted:
    """A function that remembers what it was asked."""

    def __init__(self, function: nas.search.Function) -> None:
        self.function = function
        self.rows: list[tuple[int, ...]] = []

    def __call__(self, rows: Rows) -> npt.ArrayLike:
        self.rows += map(tuple, rows.tolist())
        return self.function(rows)


def tiny() -> Space:
    net = Net(image=(3, choice("resolution", 8, 12)))
    depth = choice("depth", 1, 2)
    net("a", Conv, out=one_of(8, 16, 24))
    net("b", Conv, out=one_of(8, 16), kernel=one_of(1, 3), when=depth > 1)
    net("classifier", Classifier, classes=2)
    return Space(net, "tiny")


def test_the_front_of_a_small_space_is_the_true_one() -> None:
    space = tiny()
    sizes = [range(len(choice.values)) for choice in space.choices]
    everything = np.unique(space.canonical(list(itertools.product(*sizes))), axis=0)
    taste = np.random.default_rng(0).normal(size=everything.shape[1])
    functions = {"bad": lambda rows: rows @ taste, "macs": space.macs}
    limit = float(np.median(space.macs(everything)))
    study = minimize(space, functions, {"macs": limit}, budget=1000)
    assert len(study) == space.size == len(everything)
    feasible = everything[space.macs(everything) <= limit]
    points = np.column_stack([function(feasible) for function in functions.values()])
    best = NonDominatedSorting().do(points, only_non_dominated_front=True)
    front = study.front()
    assert {evaluation.row for evaluation in front} == set(map(tuple, feasible[best].tolist()))
    first = [evaluation.objectives["bad"] for evaluation in front]
    assert first == sorted(first)


def test_an_evaluation_says_what_and_how_good_and_whence() -> None:
    study = minimize(
        SPACE, {"error": error, "latency_ms": latency}, {"latency_ms": 0.5}, budget=60, batch=20
    )
    assert len(study) == 60
    for evaluation in study.evaluations():
        row = np.array(evaluation.row)
        assert evaluation.architecture == SPACE.decode(row)
        assert list(evaluation.objectives) == ["error", "latency_ms"]
        assert evaluation.objectives["error"] == error(row[None])[0]
        assert evaluation.constraints == {"latency_ms": evaluation.objectives["latency_ms"]}
        assert evaluation.feasible is (evaluation.objectives["latency_ms"] <= 0.5)
        assert evaluation.origin == "nsga2"
    generations = [evaluation.generation for evaluation in study.evaluations()]
    assert generations == [0] * 20 + [1] * 20 + [2] * 20
    assert all(evaluation.feasible for evaluation in study.front())


@pytest.mark.parametrize("searcher", ["nsga2", "random"])
def test_nothing_is_evaluated_twice_and_the_budget_is_kept(searcher: str) -> None:
    counted = {"error": Counted(error), "latency_ms": Counted(latency)}
    study = minimize(SPACE, counted, {"latency_ms": 0.3}, searcher=searcher, budget=333, seed=4)
    assert len(study) == 333
    for function in counted.values():
        assert len(function.rows) == len(set(function.rows))
    assert set(counted["error"].rows) == {e.row for e in study.evaluations()}


def test_equal_seeds_are_equal_searches() -> None:
    fronts = [
        minimize(
            SPACE, {"error": error, "latency_ms": latency}, {"latency_ms": 1}, budget=300, seed=seed
        ).front()
        for seed in (7, 7, 8)
    ]
    assert fronts[0] == fronts[1] != fronts[2]


def test_objectives_keep_their_order_and_constraints_may_be_on_more() -> None:
    study = minimize(
        SPACE,
        {"latency_ms": latency, "error": error},
        {"parameters": 2e5, "error": 14.9},
        budget=200,
        functions={"parameters": SPACE.parameters},
    )
    assert study.problem.names == ("latency_ms", "error", "parameters")
    front = study.front()
    assert front
    for evaluation in front:
        assert list(evaluation.objectives) == ["latency_ms", "error"]
        assert list(evaluation.constraints) == ["parameters", "error"]
        assert evaluation.constraints["parameters"] <= 2e5
        assert evaluation.constraints["error"] <= 14.9


def test_nsga2_finds_more_than_chance() -> None:
    volumes = {}
    for searcher in ("nsga2", "random"):
        study = minimize(
            SPACE, {"error": error, "latency_ms": latency}, searcher=searcher, budget=1500
        )
        points = study.problem.objective_values(study.records.values)
        volumes[searcher] = nas.search.hypervolume(points, [15, 2.0])
    assert volumes["nsga2"] > 1.02 * volumes["random"]


def test_an_infeasible_budget_is_answered_at_once() -> None:
    counted = Counted(error)
    start = time.process_time()
    with pytest.raises(InfeasibleError, match=r"no network of small-images runs within 0.001 ms"):
        minimize(
            SPACE,
            {"error": counted, "latency_ms": latency},
            {"latency_ms": 0.001},
            free=["latency_ms"],
        )
    assert time.process_time() - start < 5
    assert not counted.rows


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"objectives": {}}, "needs an objective"),
        ({"constraints": {"energy": 1.0}}, "'energy' would never be evaluated"),
        ({"constraints": {"latency_ms": np.nan}}, "finite number; got nan"),
        ({"functions": {"error": error}}, "'error' is an objective and a function"),
        ({"functions": {"macs": SPACE.macs}}, "neither an objective nor limited"),
        ({"objectives": {"error": error, "Error": error}}, "cannot be told from another"),
        ({"objectives": {"row": error}}, "reserved are"),
        ({"budget": 0}, "evaluations are 1 or more, or None; got 0"),
        ({"seed": -1}, "seed is 0 or more; got -1"),
        ({"free": ["macs"]}, "no free function 'macs'"),
        ({"equality": "rows"}, "by 'plan' or 'network'.*got 'rows'"),
        ({"piece": 0}, "piece is 1 or more; got 0"),
        ({"searcher": "nsga-2"}, "did you mean 'nsga2'"),
        ({"batch": -1}, "1 or more"),
    ],
)
def test_searches_that_make_no_sense_do_not_start(arguments: dict[str, object], says: str) -> None:
    counted = Counted(error)
    given = {"objectives": {"error": counted, "latency_ms": latency}} | arguments
    with pytest.raises(SearchError, match=says):
        minimize(SPACE, **given)  # type: ignore[arg-type]
    assert not counted.rows


def test_functions_may_not_change_the_rows_and_must_answer_for_each() -> None:
    def spoils(rows: Rows) -> Floats:
        values = error(rows)
        rows[:] = 0
        return values

    plain = minimize(SPACE, {"error": error}, budget=50)
    spoiled = minimize(SPACE, {"error": spoils}, budget=50)
    np.testing.assert_array_equal(plain.records.rows, spoiled.records.rows)
    with pytest.raises(SearchError, match=r"one number a row, shape \(\d+,\); got shape"):
        minimize(SPACE, {"error": lambda rows: error(rows)[:, None]}, budget=50)


def test_a_searcher_of_ones_own_that_repeats_itself_ends_the_search() -> None:
    class Stuck:
        def __init__(self, task: Task, rng: np.random.Generator) -> None:
            self.rows = task.space.sample(5, rng)

        def ask(self, n: int) -> Population:
            return Population(self.rows)

        def tell(self, population: Population, objectives: Floats, violations: Floats) -> None:
            assert objectives.shape == (5, 1)
            assert violations.shape == (5, 0)

    counted = Counted(error)
    steps: list[float] = []
    study = minimize(
        SPACE,
        {"error": counted},
        searcher=Stuck,
        budget=100,
        observer=lambda study, step: steps.append(step.evaluations),
    )
    assert len(study) == len(counted.rows) == 5
    assert study.ended_by == "space"
    assert steps[0] == steps[-1] == 5
    assert {evaluation.origin for evaluation in study.evaluations()} == {"Stuck"}


def test_no_feasible_network_met_is_an_empty_front() -> None:
    # Feasible is the largest alone, which chance does not meet.
    most = float(SPACE.macs(SPACE.largest)[0])
    with pytest.warns(nas.search.InfeasibleWarning, match="none of the 20 networks") as warned:
        study = minimize(
            SPACE,
            {"error": error},
            {"small": -most},
            functions={"small": lambda rows: -SPACE.macs(rows)},
            searcher="random",
            budget=20,
        )
    assert study.front() == []
    assert not study.feasible.any()
    nearest = study.nearest()
    assert nearest is not None
    said = f"small {nearest.constraints['small']:.6g} (limit {-most:.6g}): raise a limit"
    assert said in str(warned[0].message)


def test_the_nearest_network_is_one_that_was_evaluated() -> None:
    """Of those that keep the limit one function has nothing to say."""
    limit = float(np.quantile(SPACE.macs(SPACE.sample(500, np.random.default_rng(0))), 0.3))

    def picky(rows: Rows) -> Floats:
        return np.where(SPACE.macs(rows) <= limit, np.nan, error(rows))

    functions = {"macs": SPACE.macs, "error": picky}
    with pytest.warns(nas.search.InfeasibleWarning) as warned:
        study = minimize(SPACE, functions, {"macs": limit}, searcher="random", budget=60)
    above = [one.constraints["macs"] for one in study.evaluations()]
    assert 0 < len(above) < 60
    nearest = study.nearest()
    assert nearest is not None and nearest.constraints["macs"] == min(above) > limit
    assert f"none of the {len(above)} networks" in str(warned[0].message)
    assert f"macs {min(above):.6g} (limit {limit:.6g})" in str(warned[0].message)


def test_where_there_are_no_limits_none_is_too_low() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", nas.search.InfeasibleWarning)
        study = minimize(
            SPACE, {"error": lambda rows: np.full(len(rows), np.nan)}, searcher="random", budget=3
        )
    assert len(study.failures()) == 3
    assert study.nearest() is None
    assert study.infeasible() is None


def test_limits_that_exclude_each_other_are_told_where_only_evaluations_show_it() -> None:
    with pytest.warns(nas.search.InfeasibleWarning, match=r"nearest \(study.nearest\(\)\) has b "):
        study = minimize(
            SPACE,
            {"error": error, "a": lambda rows: SPACE.macs(rows), "b": lambda r: -SPACE.macs(r)},
            {"a": 1e9, "b": -2e9},
            budget=20,
        )
    assert not study.front()


def test_a_study_says_what_it_is_and_one_that_keeps_its_limits_warns_of_nothing() -> None:
    def picky(rows: Rows) -> Floats:
        return np.where(rows[:, 0] == 1, np.nan, error(rows))

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        study = minimize(SPACE, {"error": picky}, {"error": 100.0}, budget=30)
    assert repr(study) == (
        f"<Study of small-images: 30 networks, {len(study.front())} on the front, "
        f"{len(study.failures())} failures, ended by evaluations>"
    )
    assert study.failures()
    assert repr(nas.search.Study(study.problem)) == (
        "<Study of small-images: 0 networks, 0 on the front, 0 failures, not ended>"
    )


def test_twenty_thousand_evaluations_take_seconds() -> None:
    start = time.process_time()
    study = minimize(
        SPACE, {"error": error, "latency_ms": latency}, {"latency_ms": 1.0}, budget=20_000
    )
    assert len(study) == 20_000
    assert time.process_time() - start < 15


def test_searching_imports_neither_torch_nor_anything_slow() -> None:
    code = (
        "import sys, time; start = time.perf_counter(); import nas.search, predictors; "
        "print(time.perf_counter() - start, 'torch' in sys.modules, 'pymoo' in sys.modules, "
        "'sklearn' in sys.modules); import search_spaces; "
        "space = search_spaces.get('small-images'); "
        "nas.search.minimize(space, {'macs': space.macs}, budget=40); "
        "predictors.get('ridge', space).fit(space.sample(9, __import__('numpy').random"
        ".default_rng(0)), range(9)); print('torch' in sys.modules)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    first, second = out.stdout.splitlines()
    assert first.split()[1:] == ["False"] * 3
    assert second == "False"


def test_predictors_serve_as_objectives() -> None:
    rows = SPACE.sample(100, np.random.default_rng(0))
    predictor = predictors.get("auto", SPACE).fit(rows, error(rows))
    study = minimize(
        SPACE, {"error": predictor.predict, "latency_ms": latency}, {"latency_ms": 1.0}, budget=400
    )
    front = np.array([evaluation.row for evaluation in study.front()])
    found = [evaluation.objectives["error"] for evaluation in study.front()]
    np.testing.assert_allclose(found, error(front), atol=0.2)
