"""Optima against all networks of small spaces, one by one."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

import latency_lut
import predictors
import search_spaces
from latency_lut.entries import block_key
from latency_lut.fit import LEADING, Posterior, Scales
from latency_lut.spill import weights_mb
from latency_lut.table import Campaign, Fit
from nas.search import SearchError
from nas.search.exact import Pairwise, optimum, own_form
from search_spaces import Net, Space, choice, one_of
from search_spaces.errors import InfeasibleError
from search_spaces.specs import Classifier, Conv

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]
Function = Callable[[Rows], Floats]


def elastic() -> Space:
    """Depth, a width that two stages share, kernels, and two resolutions."""
    net = Net(image=(3, choice("resolution", 8, 12)))
    depth = choice("depth", 1, 2, 3)
    width = choice("width", 8, 16, 24)
    net("a", Conv, out=width, kernel=one_of(1, 3), stride=2)
    net("b", Conv, out=one_of(8, 16, 32), kernel=one_of(1, 3, 5), when=depth > 1)
    net("c", Conv, out=one_of(8, 24), kernel=one_of(1, 3), when=depth > 2)
    net("d", Conv, out=width, kernel=one_of(1, 3, 5))
    net("classifier", Classifier, classes=2)
    return Space(net, "elastic", rows_are_exact=True)


ELASTIC = elastic()
MACRO = search_spaces.get("nas-bench-macro")
FEW = ELASTIC.sample(60, np.random.default_rng(0))


def everything(space: Space) -> Rows:
    sizes = [range(len(choice.values)) for choice in space.choices]
    rows = np.unique(space.canonical(np.array(list(itertools.product(*sizes)))), axis=0)
    assert len(rows) == space.size
    return rows


@pytest.fixture(params=[ELASTIC, MACRO], ids=lambda space: str(space.name))
def space(request: pytest.FixtureRequest) -> Space:
    found: Space = request.param
    return found


def ridge(space: Space, seed: int, towards: float = -2.0) -> predictors.Predictor:
    """Fitted on errors that fall with size (``towards`` below 0), with a taste for decisions."""
    rng = np.random.default_rng(seed)
    X = space.sample(200, rng)
    taste = rng.normal(size=len(space.choices))
    y = 30 + towards * np.log(space.macs(X)) + np.tanh((X * space.used(X)) @ taste)
    return predictors.get("ridge", space).fit(X, y + 0.1 * rng.normal(size=len(X)))


def best(value: Floats, limited: Floats, limit: float) -> float:
    return float(value[limited <= limit].min())


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("towards", [-2.0, 2.0], ids=["less by size", "more by size"])
def test_a_ridge_predictor_under_a_limit(space: Space, seed: int, towards: float) -> None:
    predictor, rows = ridge(space, seed, towards), everything(space)
    errors, macs = predictor.predict(rows), space.macs(rows)
    for share in (0.02, 0.3, 1.0):
        limit = float(np.quantile(macs, share))
        found = optimum(
            space, {"error": predictor.predict}, {"macs": limit}, functions={"macs": space.macs}
        )
        assert found.value == pytest.approx(best(errors, macs, limit), abs=1e-4)
        assert found.bound == pytest.approx(found.value, abs=1e-4)
        assert found.bound <= errors[macs <= limit].min() + 1e-5
        assert found.proven
        assert found.limited["macs"] <= limit
        row = np.array(found.row)
        np.testing.assert_array_equal(space.canonical(row)[0], row)
        assert predictor.predict(row)[0] == found.value


def test_a_predicted_error_may_be_the_limit(space: Space) -> None:
    predictor, rows = ridge(space, 0), everything(space)
    errors, macs = predictor.predict(rows), space.macs(rows)
    limit = float(np.quantile(errors, 0.3))
    found = optimum(
        space, {"macs": space.macs}, {"error": limit}, functions={"error": predictor.predict}
    )
    assert found.value == best(macs, errors, limit)
    # Beyond what the predictor says of anything every network keeps it.
    free = optimum(
        space, {"macs": space.macs}, {"error": 1e9}, functions={"error": predictor.predict}
    )
    assert free.value == macs.min()


def table(space: Space, threshold_mb: float, price: float) -> latency_lut.LatencyTable:
    """A layer takes a time of its own, a network a start, and weights above a threshold."""
    rng = np.random.default_rng(0)
    fits = {}
    for image in space.images:
        specs = space.reachable(image)
        ms = np.array([0.5, price, *rng.uniform(0.1, 1.0, len(specs))])
        none = np.zeros((LEADING + len(specs), 1))
        posterior = Posterior(ms, 0.01 * ms, none, none.T, Scales(), 0.0)
        spilled = tuple(rng.uniform(0, 1e-3, len(specs)).tolist())
        fits[image.shape[-1]] = Fit(tuple(map(block_key, specs)), posterior, threshold_mb, spilled)
    campaign = Campaign("", 1, 1, 0.0, 1.0, 0.0, False, {})
    here = latency_lut.device("cpu").fingerprint()
    return latency_lut.LatencyTable(space, here, campaign, {}, (), fits, {}, ())


@pytest.mark.parametrize("price", [0.0, 50.0, -20.0])
def test_a_table_whose_weights_spill(price: float) -> None:
    space, rows = ELASTIC, everything(ELASTIC)
    size = np.array([weights_mb(spec) if i else 0.0 for i, spec in enumerate(space.specs)])
    threshold = float(np.median(space.total(size, rows)))
    measured, predictor = table(space, threshold, price), ridge(space, 1)
    errors, ms = predictor.predict(rows), measured.predict(rows)
    for share in (0.01, 0.1, 0.5):
        limit = float(np.quantile(ms, share))
        found = optimum(
            space,
            {"error": predictor.predict},
            {"latency_ms": limit},
            functions={"latency_ms": measured.predict},
        )
        assert found.proven
        assert found.value == pytest.approx(best(errors, ms, limit), abs=1e-4)
    least = optimum(space, {"latency_ms": measured.predict})
    assert least.value == pytest.approx(ms.min(), rel=1e-9)


def test_two_limits_at_once() -> None:
    space, rows = ELASTIC, everything(ELASTIC)
    predictor = ridge(space, 2)
    errors, macs, parameters = predictor.predict(rows), space.macs(rows), space.parameters(rows)
    limits = {"macs": float(np.quantile(macs, 0.2)), "parameters": float(np.median(parameters))}
    keeps = (macs <= limits["macs"]) & (parameters <= limits["parameters"])
    found = optimum(
        space,
        {"error": predictor.predict},
        limits,
        functions={"macs": space.macs, "parameters": space.parameters},
    )
    assert found.value == pytest.approx(errors[keeps].min(), abs=1e-4)


@pytest.mark.parametrize("seed", [0, *(pytest.param(n, marks=pytest.mark.slow) for n in (1, 2))])
def test_decisions_that_are_worth_something_in_pairs(space: Space, seed: int) -> None:
    rng, rows = np.random.default_rng(seed), everything(space)
    options = sum(len(choice.values) for choice in space.choices)
    function = Pairwise(
        space, 1.0, rng.normal(size=options), np.triu(rng.normal(size=(options, options)), 1)
    )
    values, macs = function(rows), space.macs(rows)
    limit = float(np.quantile(macs, 0.3))
    found = optimum(space, {"bad": function}, {"macs": limit}, functions={"macs": space.macs})
    assert found.proven
    assert found.value == pytest.approx(best(values, macs, limit), abs=1e-4)


def test_pairs_are_counted_by_hand() -> None:
    worth = np.zeros((8 * 3, 8 * 3))
    worth[2, 3 + 1] = 10.0  # l0 is mb_e6_k5 and l1 mb_e3_k3
    single = np.arange(8 * 3, dtype=np.float64)
    function = Pairwise(MACRO, 0.5, single, worth)
    row = np.array([[2, 1, 1, 1, 1, 1, 1, 1]])
    expected = 0.5 + 2 + 4 + 7 + 10 + 13 + 16 + 19 + 22 + 10
    assert function(row)[0] == expected


def test_any_sum_is_found_out_by_asking(space: Space) -> None:
    rows = everything(space)
    rng = np.random.default_rng(0)
    metric = rng.uniform(size=len(space.specs))
    metric[0] = 0

    def mine(X: Rows) -> Floats:
        return 3.0 - space.total(metric, X) + 0.1 * np.where(space.used(X), X, 0).sum(axis=1)

    limit = float(np.quantile(space.macs(rows), 0.4))
    found = optimum(
        space,
        {"mine": mine},
        {"gmacs": limit / 1e9},
        functions={"gmacs": lambda X: space.macs(X) / 1e9},
    )
    assert found.value == pytest.approx(best(mine(rows), space.macs(rows), limit), abs=1e-6)


@pytest.mark.parametrize(
    "function",
    [
        lambda X: ELASTIC.macs(X) ** 2,
        lambda X: (X**2).sum(axis=1) * X[:, -1].astype(np.float64),
        predictors.get("gp", ELASTIC)
        .fit(FEW, np.log(ELASTIC.macs(FEW)) + np.sin(FEW[:, 0]))
        .predict,
    ],
    ids=["square", "product", "Gaussian process"],
)
def test_what_is_no_sum_is_refused(function: Function) -> None:
    with pytest.raises(SearchError, match="'odd' is no sum over the layers and decisions"):
        optimum(ELASTIC, {"odd": function})


def test_limits_that_no_network_keeps_are_named_with_what_can_be_reached() -> None:
    rows = everything(ELASTIC)
    least = ELASTIC.macs(rows).min()
    with pytest.raises(
        InfeasibleError, match=f"keeps macs within 1; the smallest reaches {least:.6g}"
    ):
        optimum(ELASTIC, {"macs": ELASTIC.macs}, {"macs": 1.0})
    # The smallest by MACs has more parameters than the smallest by parameters.
    rng = np.random.default_rng(3)
    weights = rng.uniform(1, 2, (2, len(ELASTIC.specs)))
    weights[:, 0] = 0
    a, b = (lambda X: ELASTIC.total(weights[0], X)), (lambda X: -ELASTIC.total(weights[1], X))
    limits = {"a": float(a(rows).min()), "b": float(b(rows).min())}
    assert not ((a(rows) <= limits["a"]) & (b(rows) <= limits["b"])).any()
    with pytest.raises(InfeasibleError, match="keeps a, b within their limits at once"):
        optimum(ELASTIC, {"macs": ELASTIC.macs}, limits, functions={"a": a, "b": b})


def test_one_objective_and_enough_time() -> None:
    with pytest.raises(SearchError, match="an optimum is of one objective; got macs, parameters"):
        optimum(ELASTIC, {"macs": ELASTIC.macs, "parameters": ELASTIC.parameters})
    with pytest.raises(SearchError, match="give it more seconds"):
        optimum(ELASTIC, {"macs": ELASTIC.macs}, seconds=0.0)


def test_rows_that_a_space_holds_equal_to_others_are_no_optima() -> None:
    """Widths that round alike are one network, whatever an option that never stands is worth."""
    space = search_spaces.get(
        "ofa-resnet50",
        resolutions=[32],
        num_classes=10,
        widths=[0.15, 0.2, 0.25],
        expands=[0.25],
        depths=[0, 2],
    )
    rows = everything(space)
    raw = int(np.prod([len(choice.values) for choice in space.choices]))
    assert raw > 2 * len(rows)
    options = sum(len(choice.values) for choice in space.choices)
    for seed in range(3):
        rng = np.random.default_rng(seed)
        function = Pairwise(space, 0.0, rng.normal(size=options), np.zeros((options, options)))
        macs = space.macs(rows)
        limit = float(np.quantile(macs, 0.3))
        found = optimum(space, {"bad": function}, {"macs": limit}, functions={"macs": space.macs})
        assert found.proven
        assert found.value == pytest.approx(best(function(rows), macs, limit), abs=1e-6)
        assert list(found.row) in rows.tolist()


@pytest.mark.parametrize("tried", [2, 8])
def test_cuts_that_are_not_certain_prove_nothing(
    tried: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a form of its own is asked about some completions, networks may be cut off with it."""
    monkeypatch.setattr(own_form, "TRIED", tried)
    space = MACRO
    rows = everything(space)
    options = sum(len(choice.values) for choice in space.choices)
    uncertain = 0
    for seed in range(4):
        rng = np.random.default_rng(seed)
        function = Pairwise(space, 0.0, rng.normal(size=options), np.zeros((options, options)))
        found = optimum(space, {"bad": function})
        least = float(function(rows).min())
        assert found.bound <= least + 1e-9
        assert not found.proven or found.value == pytest.approx(least, abs=1e-4)
        uncertain += not found.proven
    assert uncertain


def test_a_limit_on_what_is_the_same_everywhere() -> None:
    def nothing(rows: Rows) -> Floats:
        return np.zeros(len(rows))

    found = optimum(
        ELASTIC, {"macs": ELASTIC.macs}, {"nothing": 1.0}, functions={"nothing": nothing}
    )
    assert found.proven and found.value == ELASTIC.macs(everything(ELASTIC)).min()
    with pytest.raises(InfeasibleError, match="keeps nothing within -1; the smallest reaches 0"):
        optimum(ELASTIC, {"macs": ELASTIC.macs}, {"nothing": -1.0}, functions={"nothing": nothing})


def test_a_function_that_is_a_sum_on_most_networks_alone() -> None:
    space = search_spaces.get("ofa-mobilenetv3", resolutions=[128])

    def mostly(rows: Rows) -> Floats:
        return space.macs(rows) + 1e12 * (rows == space.smallest).all(axis=1)

    with pytest.raises(SearchError, match="of one that is best by the sum it says 1"):
        optimum(space, {"odd": mostly})
    with pytest.raises(SearchError, match="'odd' is no sum over the layers and decisions"):
        optimum(space, {"macs": space.macs}, {"odd": 1e12}, functions={"odd": mostly})


def test_in_a_space_of_any_size_no_sample_is_below_the_bound() -> None:
    space = search_spaces.get("ofa-mobilenetv3", resolutions=[128, 160])
    predictor, rows = ridge(space, 0), space.sample(5_000, np.random.default_rng(1))
    macs = space.macs(rows)
    limit = float(np.quantile(macs, 0.3))
    found = optimum(
        space, {"error": predictor.predict}, {"macs": limit}, functions={"macs": space.macs}
    )
    assert found.proven
    assert found.value - found.bound == found.gap <= 1e-4
    assert found.bound < predictor.predict(rows[macs <= limit]).min()
    assert space.macs(np.array(found.row))[0] == found.limited["macs"] <= limit
    assert space.encode(found.architecture).tolist() == list(found.row)
