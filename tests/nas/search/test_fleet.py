"""Regret against brute force, and the search for a compromise against every network there is."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest

import search_spaces
from nas import search
from nas.search import fleet as pure
from nas.search.fleet_search import require_fleet, search_fleet
from nas.search.searcher import Floats, Rows
from nas.search.seen import Seen
from search_spaces.errors import InfeasibleError
from tests.latency_lut.synthetic import every_row

SPACE = search_spaces.get("nas-bench-macro")
EVERY = every_row(SPACE)
BUDGET = 300

Function = Callable[[Rows], Floats]


def made_up(seed: int) -> tuple[Function, dict[str, Function]]:
    """An error and latencies on three devices: prices of choices and of pairs of them."""
    rng = np.random.default_rng(seed)
    width = len(SPACE.choices)
    gain, pairs = rng.uniform(0.2, 2, width), rng.normal(0, 0.4, (width, width))
    prices = {name: rng.uniform(0.1, 2, width) for name in ("pi4", "pixel", "watch")}

    def error(rows: Rows) -> Floats:
        return np.asarray(30 - rows @ gain - np.einsum("ni,ij,nj->n", rows, pairs, rows))

    return error, {name: lambda rows, p=p: 1 + rows @ p for name, p in prices.items()}  # type: ignore[misc]


def limits_of(latencies: dict[str, Function], share: float) -> dict[str, float]:
    return {name: float(np.quantile(of(EVERY), share)) for name, of in latencies.items()}


def test_regret_by_hand() -> None:
    errors = [10.0, 12.0, 9.0, 15.0]
    latency = [[5.0, 9.0], [4.0, 6.0], [8.0, 7.0], [1.0, 1.0]]
    limits = [5.0, 7.0]
    assert pure.least_errors(errors, latency, limits).tolist() == [10.0, 9.0]
    expected: list[list[float]] = [[0, math.inf], [2, 3], [math.inf, 0], [5, 6]]
    assert pure.regrets(errors, latency, limits).tolist() == expected
    assert pure.compromise(expected) == 1
    known = pure.regrets(errors, latency, limits, least=[8.0, 8.0])
    assert known[1].tolist() == [4, 4]


def test_errors_may_depend_on_the_device() -> None:
    # The first is the better one on average, the second on its worst device.
    errors = [[10.0, 14.0], [13.0, 13.0], [10.0, 10.0]]
    latency = [[1.0, 1.0], [1.0, 1.0], [1.0, 9.0]]
    regret = pure.regrets(errors, latency, [5.0, 5.0])
    assert regret.tolist() == [[0, 1], [3, 0], [0, math.inf]]
    assert pure.compromise(regret) == 0
    assert pure.compromise([[0.0, 3.0], [3.0, 1.0], [3.0, 0.5]]) == 0, "ties by the mean"
    assert pure.compromise([[3.0, 3.0], [3.0, 1.0], [1.0, 3.0]]) == 1, "and then the first"


def test_nothing_keeps_all_limits() -> None:
    regret = pure.regrets([1.0, 2.0], [[1.0, 9.0], [9.0, 1.0]], [5.0, 5.0])
    assert regret.tolist() == [[0, math.inf], [math.inf, 0]]
    for none in (regret, np.empty((0, 2))):
        with pytest.raises(InfeasibleError, match="no network keeps the limits of all devices"):
            pure.compromise(none)


def test_a_device_that_nothing_serves_makes_no_numbers_up() -> None:
    regret = pure.regrets([1.0, 2.0], [[1.0, 9.0], [2.0, 9.0]], [5.0, 5.0])
    assert regret.tolist() == [[0, math.inf], [1, math.inf]]


@pytest.mark.parametrize("seed", range(3))
def test_fronts_and_compromise_by_comparing_every_pair(seed: int) -> None:
    rng = np.random.default_rng(seed)
    errors, latency = rng.integers(0, 12, 60) / 1.0, rng.integers(0, 12, (60, 3)) / 1.0
    limits = np.array([6.0, 7.0, 8.0])
    for device, front in enumerate(pure.fronts(errors, latency)):
        beaten = {
            i
            for i, j in itertools.product(range(60), repeat=2)
            if latency[j, device] <= latency[i, device]
            and errors[j] <= errors[i]
            and (latency[j, device], errors[j]) != (latency[i, device], errors[i])
        }
        assert set(front) == set(range(60)) - beaten
        assert (np.diff(latency[front, device]) >= 0).all()
    within = [i for i in range(60) if (latency[i] <= limits).all()]
    best = [min(errors[i] for i in range(60) if latency[i, d] <= limits[d]) for d in range(3)]
    worst = {i: max(errors[i] - best[d] for d in range(3)) for i in within}
    chosen = pure.compromise(pure.regrets(errors, latency, limits))
    assert worst[chosen] == min(worst.values())


def test_shapes_that_do_not_fit() -> None:
    with pytest.raises(
        search.SearchError, match=r"errors are \[n\].*got \(2,\), \(2, 2\) and \(3,\)"
    ):
        pure.regrets([1.0, 2.0], np.ones((2, 2)), [1.0, 2.0, 3.0])


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("share", [0.15, 0.5])
def test_the_search_finds_what_looking_at_every_network_finds(seed: int, share: float) -> None:
    error, latencies = made_up(seed)
    limits = limits_of(latencies, share)
    asked = Seen()

    def watched(rows: Rows) -> Floats:
        asked.add(rows)
        return error(rows)

    found = search_fleet(SPACE, watched, latencies, limits, budget=BUDGET, seed=seed)
    assert len(asked) < 0.6 * len(EVERY)
    errors = error(EVERY)
    times = np.stack([of(EVERY) for of in latencies.values()], axis=1)
    within = times <= np.array(list(limits.values()))
    best = [errors[within[:, device]].min() for device in range(3)]
    assert found.errors[found.best] == pytest.approx(best)
    least_worst = min((errors[i] - best).max() for i in np.flatnonzero(within.all(axis=1)))
    assert found.regret[found.compromise].max() == pytest.approx(least_worst)
    row = found.rows[found.compromise][None]
    assert found.errors[found.compromise] == pytest.approx(error(row)[0])
    assert all(of(row)[0] <= limits[name] for name, of in latencies.items())


@pytest.mark.parametrize("how", ["nan", "raise"])
def test_networks_without_values_are_left_out(how: str) -> None:
    error, latencies = made_up(0)

    def sometimes(rows: Rows) -> Floats:
        bad = rows[:, 2] == 1
        if how == "raise" and bad.any():
            raise ValueError("out of luck")
        return np.where(bad, np.nan, error(rows))

    limits = limits_of(latencies, 0.3)
    found = search_fleet(SPACE, sometimes, latencies, limits, budget=BUDGET, seed=1)
    assert np.isfinite(found.errors).all() and not (found.rows[:, 2] == 1).any()
    assert len(found.rows) == len(np.unique(found.rows, axis=0))
    times = np.stack([of(EVERY) for of in latencies.values()], axis=1)
    good = (EVERY[:, 2] != 1)[:, None] & (times <= np.array(list(limits.values())))
    errors = error(EVERY)
    best = [errors[good[:, device]].min() for device in range(3)]
    assert found.errors[found.best] == pytest.approx(best)
    assert len(pure.fronts(found.errors, found.latency_ms)) == 3


def test_a_device_that_no_known_network_serves_has_no_best() -> None:
    known = pure.Fleet(
        EVERY[:2], np.array([1.0, 2.0]), np.array([[1.0, 9.0]] * 2), {"a": 5, "b": 5}
    )
    with pytest.raises(InfeasibleError, match="no network that is known keeps 5 ms on b"):
        assert known.best is None


def test_equal_seeds_equal_fleets() -> None:
    error, latencies = made_up(0)
    limits = limits_of(latencies, 0.3)
    one, two = (search_fleet(SPACE, error, latencies, limits, budget=60, seed=5) for _ in range(2))
    assert np.array_equal(one.rows, two.rows) and one.compromise == two.compromise


def test_limits_that_cannot_be_kept_are_answered_with_what_can() -> None:
    error, latencies = made_up(1)
    fastest = float(latencies["pixel"](EVERY).min())
    limits = {**limits_of(latencies, 0.5), "pixel": 0.5 * fastest}
    with pytest.raises(InfeasibleError, match=rf"latency@pixel within .* reaches {fastest:.4g} ms"):
        search_fleet(SPACE, error, latencies, limits)


def test_limits_that_contradict_each_other() -> None:
    """One device is fast where the other is slow."""
    last = len(SPACE.choices) - 1
    latencies = {
        "here": lambda rows: 1.0 + rows[:, last],
        "there": lambda rows: 3.0 - rows[:, last],
    }
    require_fleet(SPACE, latencies, {"here": 2.0, "there": 2.0})
    with pytest.raises(
        InfeasibleError, match=r"all limits together.*the nearest has latency@here 1"
    ):
        require_fleet(SPACE, latencies, {"here": 1.5, "there": 2.5})


def test_every_device_has_a_latency_and_a_limit() -> None:
    error, latencies = made_up(0)
    for limits in ({}, {"pi4": 3.0}, {**limits_of(latencies, 0.5), "tv": 1.0}):
        with pytest.raises(search.SearchError, match="every device has a latency and a limit"):
            search_fleet(SPACE, error, latencies, limits)
