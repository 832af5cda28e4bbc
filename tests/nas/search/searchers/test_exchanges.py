"""Climbs by exchanges, against enumeration and against all sets of moves."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt
import pytest

import search_spaces
from nas.search import Population, Problem, Task, searchers
from nas.search.searchers import exchanges
from nas.search.searchers.exchanges import FIRST, Exchanges, aims
from nas.search.searchers.moves import UNPAYABLE, _prices, combined, moves
from nas.search.seen import Seen
from search_spaces import Net, Space, choice, one_of
from search_spaces.specs import Classifier, Conv

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]

MACRO = search_spaces.get("nas-bench-macro")


def deep() -> Space:
    """Two choices, and two more that only a network of two layers reads."""
    net = Net(image=(3, 8))
    depth = choice("depth", 1, 2)
    net("a", Conv, out=one_of(8, 16, 24))
    net("b", Conv, out=one_of(8, 16), kernel=one_of(1, 3), when=depth > 1)
    net("classifier", Classifier, classes=2)
    return Space(net, "deep")


def test_moves_are_all_networks_that_differ_in_one_choice() -> None:
    row = MACRO.sample(1, np.random.default_rng(0))[0]
    every = np.array(list(itertools.product(range(3), repeat=len(row))))
    beside = every[(every != row).sum(axis=1) == 1]
    wanted = {tuple(near) for near in MACRO.canonical(beside).tolist()} - {tuple(row.tolist())}
    found = moves(MACRO, row, np.random.default_rng(1))
    assert {tuple(near) for near in found.tolist()} == wanted
    assert len(found) == len(wanted)


def test_a_move_to_more_depth_comes_with_options_of_what_is_new() -> None:
    space = deep()
    names = [option.name for option in space.choices]
    found = moves(space, space.smallest, np.random.default_rng(0))
    np.testing.assert_array_equal(found, space.canonical(found))
    grown = found[found[:, names.index("depth")] == 1]
    # Two widths and two kernels of the new layer, beside which nothing changes.
    assert len(grown) == 4
    assert (grown[:, names.index("a.out")] == 0).all()


def sums(space: Space, seed: int) -> tuple[Floats, Floats]:
    """Worth and weight of every option of every choice: [choices, options] each."""
    rng = np.random.default_rng(seed)
    shape = len(space.choices), max(len(option.values) for option in space.choices)
    return rng.normal(size=shape), rng.uniform(1, 2, size=shape)


def summed(table: Floats, rows: Rows) -> Floats:
    return np.asarray(table[np.arange(rows.shape[1]), rows].sum(axis=1))


@pytest.mark.parametrize("room", [-1.0, 0.3])
def test_combinations_are_the_best_sets_of_moves_that_keep_the_limit(room: float) -> None:
    space = search_spaces.get("small-images", resolutions=[32])
    row = space.largest
    # Depths cut off what others change: left to the tests of whole climbs.
    flat = np.array([not option.name.endswith("depth") for option in space.choices])
    around = moves(space, row, np.random.default_rng(0))
    around = around[(around != row)[:, flat].sum(axis=1) == 1]
    around = around[(around != row)[:, ~flat].sum(axis=1) == 0][:18]
    rng = np.random.default_rng(2)
    gains, wins = rng.normal(size=len(around)), rng.normal(size=(len(around), 1))
    found = combined(space, row, around, gains, wins, np.array([-room]), 5)
    # The reference looks at every set.
    changed = around != row
    every = []
    for size in (1, 2, 3, 4):
        for chosen in map(list, itertools.combinations(range(len(around)), size)):
            if wins[chosen].sum() < -room or (changed[chosen].sum(axis=0) > 1).any():
                continue
            made = row.copy()
            for move in chosen:
                made[changed[move]] = around[move][changed[move]]
            every.append((gains[chosen].sum(), tuple(made.tolist())))
    best = [made for _, made in sorted(every, reverse=True)[:5]]
    assert [tuple(made) for made in found.tolist()] == best


def test_nothing_promises_anything_where_no_moves_keep_the_limit() -> None:
    row = MACRO.smallest
    around = moves(MACRO, row, np.random.default_rng(0))
    ones = np.ones(len(around))
    assert not len(combined(MACRO, row, around, ones, -ones[:, None], np.array([1.0]), 5))


@pytest.mark.parametrize("unit", [1e-9, 1.0, 1e9])
def test_prices_are_those_computed_by_hand(unit: float) -> None:
    # What costs 4 brings 8, 1 brings 3, 2 brings 2. Of 3 that there are, 1 goes where it brings
    # most, the rest into a part of the first move, so one more would bring 8 / 4. The second limit
    # binds nobody.
    gains = unit * np.array([8.0, 3.0, 2.0])
    wins, needs = np.array([[-4.0, 0.0], [-1.0, -1.0], [-2.0, 0.0]]), np.array([-3.0, -5.0])
    found = _prices(gains, wins, needs, np.array([0, 1, 2]))
    np.testing.assert_allclose(found, [2 * unit, 0], rtol=1e-9)
    # Of one choice, and 2 there are: half of either, so one more turns cheap into dear.
    gains, wins = unit * np.array([3.0, 5.0]), np.array([[-1.0], [-3.0]])
    found = _prices(gains, wins, np.array([-2.0]), np.array([0, 0]))
    np.testing.assert_allclose(found, [unit * (5 - 3) / (3 - 1)], rtol=1e-9)
    # Nothing is enough: whatever the gain, what wins most comes first.
    found = _prices(gains, wins, np.array([1.0]), np.array([0, 0]))
    np.testing.assert_allclose(found, [5 * unit * UNPAYABLE])


def wide() -> Space:
    """50 choices of three options and one of ten, all of which are always read."""
    net = Net(image=(3, 8))
    for number in range(50):
        net(f"n{number}", Conv, out=one_of(8, 16, 24))
    net("many", Conv, out=one_of(*range(8, 88, 8)))
    net("classifier", Classifier, classes=2)
    return Space(net, "wide")


WIDE = wide()


def test_of_many_moves_those_that_can_be_paid_for_are_looked_at() -> None:
    """The two best together are far from the first by gain, and gain alone finds nothing."""
    around = moves(WIDE, WIDE.smallest, np.random.default_rng(0))
    assert len(around) > 100
    gains, wins = np.ones(len(around)), np.full((len(around), 1), -10.0)
    gains[[-30, -60]], wins[[-30, -60]] = [0.5, 0.4], -0.3
    found = combined(WIDE, WIDE.smallest, around, gains, wins, np.array([-1.0]), 5)
    # No move changes what another does, because the smallest is all zeros.
    assert found[0].tolist() == (around[-30] + around[-60]).tolist()
    assert {tuple(row) for row in found[1:].tolist()} == {
        tuple(around[-30].tolist()),
        tuple(around[-60].tolist()),
    }


def test_moves_that_exclude_each_other_take_no_place() -> None:
    """Nine options of one choice promise most, but one of them can be taken."""
    around = moves(WIDE, WIDE.smallest, np.random.default_rng(0))
    many = around[:, [choice.name for choice in WIDE.choices].index("many.out")]
    around = np.concatenate([around[many > 0], around[many == 0][:10:2]])
    gains = np.array([10.0 + number for number in range(9)] + [1.0, 2.0, 3.0, 4.0, 5.0])
    wins = np.zeros((len(around), 1))
    found = combined(WIDE, WIDE.smallest, around, gains, wins, np.array([-1.0]), 1)
    assert found.tolist() == [around[[8, 11, 12, 13]].sum(axis=0).tolist()]


@pytest.mark.parametrize("seed", range(3))
def test_a_climb_ends_at_the_optimum_that_enumeration_finds(seed: int) -> None:
    worth, weight = sums(MACRO, seed)
    every = MACRO.canonical(np.array(list(itertools.product(range(3), repeat=8))))
    values, weights = summed(worth, every), summed(weight, every)
    limit = float(np.quantile(weights, 0.2))
    optimum = values[weights <= limit].min()

    climb = Exchanges(MACRO, np.random.default_rng(seed), Seen(), 0)
    rows = np.unique(MACRO.sample(FIRST, np.random.default_rng(9)), axis=0)
    asked: list[Rows] = []
    best = np.inf
    while True:
        kept = summed(weight, rows) <= limit
        best = min(best, summed(worth, rows)[kept].min(initial=np.inf))
        climb.tell(rows, summed(worth, rows)[:, None], summed(weight, rows)[:, None] - limit)
        if len(rows) and best == optimum and asked:
            break
        rows = climb.ask(64)
        if not len(rows):
            # The random ones may be fewer than it waits for.
            rows = MACRO.sample(200, np.random.default_rng(len(asked)))
        asked.append(rows)
        assert sum(map(len, asked)) < 3_000, "the optimum was not found"


def test_climbs_end_where_nothing_better_is_found() -> None:
    """A space that is known by heart has nothing new, and asking comes to an end."""
    space = deep()
    climb = Exchanges(space, np.random.default_rng(0), Seen(), 0)
    every = np.unique(space.sample(500, np.random.default_rng(0)), axis=0)
    rows = np.concatenate([every] * (FIRST // len(every) + 1))
    climb.tell(rows, space.macs(rows)[:, None], np.full((len(rows), 1), -1.0))
    for _ in range(500):
        rows = climb.ask(10)
        climb.tell(rows, space.macs(rows)[:, None], np.full((len(rows), 1), -1.0))
    assert not len(climb.ask(10))


def test_a_climb_that_would_be_the_last_is_not_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    """Around the best network four choices are changed at most, which a start seldom keeps to."""
    monkeypatch.setattr(exchanges, "PATIENCE", 1)
    best = MACRO.smallest
    climb = Exchanges(MACRO, np.random.default_rng(0), Seen(), 0)
    rows = np.concatenate([best[None], MACRO.sample(FIRST, np.random.default_rng(0))])
    asked = 0
    while len(rows):
        climb.tell(rows, rows.sum(axis=1)[:, None], np.full((len(rows), 1), -1.0))
        rows = climb.ask(10)
        assert ((rows != best).sum(axis=1) <= 4).all()
        asked += len(rows)
    assert asked
    assert climb.ended


def test_what_is_asked_and_never_told_holds_nothing_up() -> None:
    """Every second network fails, and a climb goes on with the others."""
    space = search_spaces.get("small-images", resolutions=[32])
    climb = Exchanges(space, np.random.default_rng(0), Seen(), 0)
    limit = float(np.median(space.macs(space.sample(500, np.random.default_rng(1)))))
    rows = space.sample(FIRST, np.random.default_rng(2))
    best = []
    for _ in range(60):
        told = rows[::2]
        errors, excess = -space.parameters(told), space.macs(told) / limit - 1
        climb.tell(told, errors[:, None], excess[:, None])
        best.append(min(errors[excess <= 0], default=0.0))
        rows = climb.ask(50) if len(best) > 1 else space.sample(FIRST, np.random.default_rng(3))
    assert min(best[2:]) < min(best[:2])


def test_climbs_go_on_where_more_was_told_than_is_remembered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(exchanges, "REMEMBERED", FIRST)
    space = search_spaces.get("ofa-mobilenetv3", resolutions=[224])
    worth, _ = sums(space, 0)
    limit = float(np.quantile(space.macs(space.sample(500, np.random.default_rng(0))), 0.3))
    climb = Exchanges(space, np.random.default_rng(0), Seen(), 0)
    rows = space.sample(FIRST, np.random.default_rng(1))
    best = []
    for _ in range(40):
        values = (worth[np.arange(rows.shape[1]), rows] * space.used(rows)).sum(axis=1)
        excess = space.macs(rows) / limit - 1
        best.append(values[excess <= 0].min(initial=np.inf))
        climb.tell(rows, values[:, None], excess[:, None])
        rows = climb.ask(100)
        assert len(rows)
    # What was told at first is forgotten after the first steps, and still it climbs.
    assert min(best[20:]) < min(best[:20]) < best[0]
    assert len(climb._known) == FIRST


def test_limits_are_spent_on_objectives_that_have_none() -> None:
    assert aims(("error", "latency_ms"), ("latency_ms",)) == [0]
    assert aims(("latency_ms", "error", "flops"), ("latency_ms",)) == [1, 2]
    assert aims(("latency_ms",), ("latency_ms",)) == [0]
    # Limited is what is above it with some confidence.
    assert aims(("error", "latency_ms"), ("latency_ms_upper", "macs")) == [0]
    # An objective may itself have such a name.
    assert aims(("latency_ms_upper", "error"), ("latency_ms_upper",)) == [1]


def test_nsga2_finds_more_under_a_limit_than_evolution_alone() -> None:
    """The same functions as a limit and as an objective, or as objectives alone."""
    space = search_spaces.get("ofa-mobilenetv3", resolutions=[224])
    worth, _ = sums(space, 0)
    pairs = np.random.default_rng(1).normal(size=(len(space.choices),) * 2)

    def error(rows: Rows) -> Floats:
        used = space.used(rows)
        return np.asarray((worth[np.arange(rows.shape[1]), rows] * used).sum(axis=1)) + 0.3 * (
            ((rows * used) @ pairs) * rows * used
        ).sum(axis=1)

    limit = float(np.quantile(space.macs(space.sample(2_000, np.random.default_rng(0))), 0.3))
    ends = {}
    for limited in (True, False):
        problem = Problem(space, ("error", "macs"), {"macs": limit} if limited else {})
        searcher = searchers.get("nsga2").make(Task(problem), np.random.default_rng(0))
        best = np.inf
        for _ in range(40):
            rows = searcher.ask(100).rows
            errors, macs = error(rows), space.macs(rows)
            best = min(best, errors[macs <= limit].min(initial=np.inf))
            excess = (macs / limit - 1)[:, None] if limited else np.empty((len(rows), 0))
            searcher.tell(Population(rows), np.column_stack([errors, macs]), excess)
        ends[limited] = best
    assert ends[True] < ends[False]
