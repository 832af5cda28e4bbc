from __future__ import annotations

import functools
import itertools
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

import nas.search
import search_spaces
from nas.search import reachable, smallest
from nas.search.reachable import require_reachable, require_together
from search_spaces import Net, Space, choice, one_of
from search_spaces.errors import InfeasibleError
from search_spaces.specs import Classifier, Conv

SPACE = search_spaces.get("small-images")
# Evolution, for it is quick; what is said here is of every search.
minimize = functools.partial(nas.search.minimize, searcher="nsga2")
Rows = npt.NDArray[np.int64]


def tiny() -> Space:
    net = Net(image=(3, choice("resolution", 8, 12)))
    depth = choice("depth", 1, 2)
    net("a", Conv, out=one_of(8, 16, 24))
    net("b", Conv, out=one_of(8, 16), kernel=one_of(1, 3), when=depth > 1)
    net("classifier", Classifier, classes=2)
    return Space(net, "tiny")


@pytest.mark.parametrize("seed", range(5))
def test_the_minimum_of_a_small_space_is_found(seed: int) -> None:
    space = tiny()
    sizes = [range(len(choice.values)) for choice in space.choices]
    everything = np.array(list(itertools.product(*sizes)))
    # Any metric of the specs, so that the smallest row is not the fastest.
    metric = np.random.default_rng(seed).random(len(space.specs))
    metric[0] = 0
    row, value, finished = smallest(
        space, lambda rows: space.total(metric, rows), np.random.default_rng(0)
    )
    assert finished
    assert value == space.total(metric, everything).min() == space.total(metric, row)[0]


def test_costs_that_fall_when_options_grow_are_followed() -> None:
    row, value, _ = smallest(SPACE, lambda rows: -SPACE.macs(rows), np.random.default_rng(0))
    assert -value == SPACE.macs(SPACE.largest)[0]
    np.testing.assert_array_equal(row, SPACE.largest)


def test_looking_stops_where_it_is_enough() -> None:
    asked = []

    def macs(rows: Rows) -> npt.NDArray[np.float64]:
        asked.append(len(rows))
        return SPACE.macs(rows)

    require_reachable(SPACE, "macs", macs, 1e9, np.random.default_rng(0))
    assert asked == [1]


def test_what_nobody_reaches_is_said_with_what_can_be_reached() -> None:
    floor = SPACE.macs(SPACE.smallest)[0] / 1e6
    rng = np.random.default_rng(0)

    def latency(rows: Rows) -> npt.NDArray[np.float64]:
        return SPACE.macs(rows) / 1e6

    with pytest.raises(
        InfeasibleError,
        match=rf"no network of small-images runs within 0.01 ms on this table; "
        rf"the smallest reaches {floor:.4g} ms",
    ):
        require_reachable(SPACE, "latency_ms", latency, 0.01, rng)
    with pytest.raises(InfeasibleError, match="keeps size within 0.01; the smallest reaches"):
        require_reachable(SPACE, "size", latency, 0.01, rng)
    require_reachable(SPACE, "latency_ms", latency, floor, rng)


@dataclass
class Clocks:
    """Times that pass when a function is asked, a second for each row."""

    processor: float
    wall: float
    asked: list[int] = field(default_factory=list)

    def thread_time(self) -> float:
        return self.processor * sum(self.asked)

    def monotonic(self) -> float:
        return self.wall * sum(self.asked)

    def slow(self, rows: Rows) -> npt.NDArray[np.float64]:
        self.asked.append(len(rows))
        return np.ones(len(rows))


# The processor is at it for as long; or something else is, and the clock's seconds are worth less.
@pytest.mark.parametrize(("processor", "wall"), [(1, 1), (0, reachable.WAITING)])
def test_a_slow_function_is_not_asked_for_long(
    monkeypatch: pytest.MonkeyPatch, processor: float, wall: float
) -> None:
    clocks = Clocks(processor, wall)
    monkeypatch.setattr(reachable, "time", clocks)
    require_reachable(SPACE, "error", clocks.slow, 0.5, np.random.default_rng(0))
    assert clocks.asked == [1]
    clocks.asked.clear()
    _, value, finished = smallest(SPACE, clocks.slow, np.random.default_rng(0), seconds=5.0)
    assert (value, finished) == (1.0, False)
    clocks.asked.clear()
    problem = nas.search.Problem(SPACE, (), {"one": 0.5, "other": 0.5})
    functions = {"one": clocks.slow, "other": clocks.slow}
    require_together(problem, functions, np.random.default_rng(0))
    assert clocks.asked == [1, 1]


def test_a_busy_machine_knows_as_much(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who gets the processor for an eighth of the time is no slow function."""
    clocks = Clocks(1e-5, 8e-5)
    monkeypatch.setattr(reachable, "time", clocks)

    def macs(rows: Rows) -> npt.NDArray[np.float64]:
        clocks.slow(rows)
        return SPACE.macs(rows)

    with pytest.raises(InfeasibleError, match="keeps macs within 1; the smallest reaches"):
        require_reachable(SPACE, "macs", macs, 1.0, np.random.default_rng(0))
    assert sum(clocks.asked) >= 20_000


def test_limits_that_nobody_keeps_leave_no_file(tmp_path: Path) -> None:
    path = tmp_path / "study.sqlite"
    with pytest.raises(InfeasibleError):
        minimize(SPACE, {"macs": SPACE.macs}, {"macs": 1.0}, budget=10, path=path)
    assert not path.exists()
    assert len(minimize(SPACE, {"macs": SPACE.macs}, {"macs": 1e9}, budget=10, path=path)) == 10


def test_limits_that_exclude_each_other_are_named_before_anything_is_evaluated() -> None:
    asked = []

    def error(rows: Rows) -> npt.NDArray[np.float64]:
        asked.append(len(rows))
        return SPACE.macs(rows)

    macs, parameters = SPACE.macs(SPACE.smallest)[0], SPACE.parameters(SPACE.largest)[0]
    limits = {"macs": 1.5 * macs, "less": -0.9 * parameters}
    functions = {"macs": SPACE.macs, "less": lambda rows: -SPACE.parameters(rows)}
    with pytest.raises(InfeasibleError, match=r"keeps all limits together.*macs .*less .*raise"):
        minimize(SPACE, {"error": error}, limits, functions=functions, free=["macs", "less"])
    assert not asked
    # Each by itself can be kept.
    for name in limits:
        minimize(
            SPACE,
            {"error": error},
            {name: limits[name]},
            functions={name: functions[name]},
            free=[name],
            budget=10,
        )


def test_limits_that_few_networks_keep_together_are_not_refused() -> None:
    # The limits of a network of a space that is enumerated: whoever keeps both is rare.
    space = search_spaces.get("nas-bench-macro")
    everything = np.array(list(itertools.product(range(3), repeat=8)))
    macs, parameters = space.macs(everything), space.parameters(everything)
    for number in np.random.default_rng(0).integers(len(everything), size=20):
        limits = {"macs": macs[number], "less": -parameters[number]}
        keep = (macs <= macs[number]) & (parameters >= parameters[number])
        assert keep.any()
        problem = nas.search.Problem(space, ("error",), limits)
        functions = {"macs": space.macs, "less": lambda rows: -space.parameters(rows)}
        require_together(problem, functions, np.random.default_rng(1))
