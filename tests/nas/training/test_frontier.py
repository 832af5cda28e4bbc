"""The frontier that losses predict, against one by counting all networks."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from nas.config import Phase, TrainConfig
from nas.training.frontier import Frontier
from nas.training.sampling import Front
from nas.training.trainer import Trainer
from search_spaces import Space
from search_spaces.space import Population
from tests.nas.tiny import tiny
from tests.nas.training.test_strategies import images


def every(space: Space) -> Population:
    options = (range(len(choice.values)) for choice in space.choices)
    rows = np.array(list(itertools.product(*options)))
    return np.unique(space.canonical(rows), axis=0)


def lost(space: Space, rows: Population) -> np.ndarray:
    """Every option above the first helps by so much; image sizes and one width by nothing."""
    helps = np.linspace(0.05, 0.2, len(space.choices))
    helps[[c.name in ("resolution", "b.width") for c in space.choices]] = 0
    loss: np.ndarray = 3.0 - np.where(space.used(rows), rows, 0) @ helps
    return loss


def told(
    space: Space, steps: int, noise: float = 0.0, epochs: int = 1, number: int = 0
) -> Frontier:
    """One that was told of steps of six networks, whose losses rise and fall with the images."""
    frontier = Frontier(space, number)
    rng = np.random.default_rng(0)
    for _ in range(epochs):
        frontier.begin(0)
        for _ in range(steps):
            middle = space.sample(4, rng)
            rows = np.concatenate([space.largest[None], middle, space.smallest[None]])
            step = lost(space, rows) + rng.normal(0, 1) + rng.normal(0, noise, len(rows))
            frontier.note(rows, step)
    return frontier


def dominated(space: Space, rows: Population) -> np.ndarray:
    """How many of all networks are as good and cheaper, or as cheap and better: [n]."""
    all_ = every(space)
    loss, macs = lost(space, all_), space.macs(all_)
    mine, cost = lost(space, rows)[:, None], space.macs(rows)[:, None]
    return ((loss <= mine + 1e-9) & (macs <= cost) & ((loss < mine - 1e-9) | (macs < cost))).sum(1)


def test_it_is_the_frontier_of_all_networks() -> None:
    space = tiny()
    front = told(space, 40).begin(1).rows
    assert len(front) > 5
    assert (np.diff(space.macs(front)) >= 0).all()
    assert np.array_equal(front, space.canonical(front))
    # A predictor never quite says what it was told: of 960 networks a few are a little better.
    assert dominated(space, front).max() <= 3


def test_it_is_found_below_noise() -> None:
    space = tiny()
    front = told(space, 300, noise=0.1).begin(1).rows
    anywhere = dominated(space, space.sample(200, np.random.default_rng(3))).mean()
    assert dominated(space, front).mean() < 0.1 * anywhere


def test_little_knowledge_is_none() -> None:
    space = tiny()
    assert Frontier(space, 0).begin(0).rows.shape == (0, len(space.choices))
    assert len(told(space, 11).begin(1).rows) == 0
    assert len(told(space, 12).begin(1).rows) > 0


def test_networks_that_all_lose_the_same_say_nothing() -> None:
    space = tiny()
    frontier = Frontier(space, 0)
    frontier.begin(0)
    for _ in range(40):
        frontier.note(space.sample(6, np.random.default_rng(1)), np.ones(6))
    assert len(frontier.begin(1).rows) == 0


def test_what_is_older_than_two_epochs_is_forgotten() -> None:
    space = tiny()
    frontier = told(space, 12, epochs=2)
    assert len(frontier.state()["epochs"]) == 2
    for _ in range(2):
        assert len(frontier.begin(0).rows)
    assert len(frontier.begin(0).rows) == 0


def test_a_state_says_all_of_it() -> None:
    space = tiny()
    frontier, other = told(space, 20, noise=0.1, epochs=2), Frontier(space, 0)
    other.load(frontier.state())
    assert np.array_equal(frontier.begin(7).rows, other.begin(7).rows)
    assert Frontier(space, 0).state()["epochs"] == []


def test_it_settles_once_on_networks_spread_over_macs() -> None:
    space = tiny()
    whole = told(space, 40).begin(1).rows
    frontier = told(space, 40, number=4)
    assert not frontier.begin(1).settled
    frontier = told(space, 40, number=4)
    front = frontier.begin(1, settle=True)
    assert front.settled and 2 <= len(front.rows) <= 4
    known = {tuple(row) for row in whole.tolist()}
    chosen = [tuple(row) for row in front.rows.tolist()]
    assert set(chosen) <= known and len(set(chosen)) == len(chosen)
    ends = {tuple(space.smallest.tolist()), tuple(space.largest.tolist())}
    assert not ends & set(chosen)
    # By hand: the nearest of the frontier to each of four equal steps between the ends.
    inner = np.array(sorted(known - ends, key=lambda row: space.macs(np.array([row]))[0]))
    macs = [float(np.log(space.macs(inner[i : i + 1])[0])) for i in range(len(inner))]
    low, high = (float(np.log(space.macs(end[None])[0])) for end in (space.smallest, space.largest))
    nearest = set()
    for step in range(1, 5):
        wanted = low + (high - low) * step / 5
        nearest.add(min(range(len(inner)), key=lambda i: abs(macs[i] - wanted)))
    assert sorted(space.macs(front.rows)) == sorted(space.macs(inner[sorted(nearest)]))
    # Whatever it is told later; and so does one that goes on from its state.
    for _ in range(3):
        frontier.note(space.sample(6, np.random.default_rng(5)), np.arange(6.0))
        again = frontier.begin(2)
        assert again.settled and np.array_equal(again.rows, front.rows)
    other = Frontier(space, 4)
    other.load(frontier.state())
    assert other.begin(3).settled and np.array_equal(other.begin(3).rows, front.rows)


def test_what_is_not_known_does_not_settle() -> None:
    space = tiny()
    assert not told(space, 11, number=4).begin(1, settle=True).settled
    assert not told(space, 40, number=0).begin(1, settle=True).settled


@pytest.mark.parametrize("subnets", [2, 60])
def test_a_training_goes_by_what_it_saw(subnets: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the second epoch on, if a step has more than the largest and the smallest."""
    known: list[int] = []
    told: list[tuple[bool, bool]] = []
    begin = Frontier.begin

    def noted(frontier: Frontier, seed: int, settle: bool) -> Front:
        front = begin(frontier, seed, settle)
        known.append(len(front.rows))
        told.append((settle, front.settled))
        return front

    monkeypatch.setattr(Frontier, "begin", noted)
    phases = (Phase("all", 2),)
    config = TrainConfig("frontier", batch_size=16, subnets=subnets, threads=1, phases=phases)
    run = Trainer(tiny(), images(), config)
    for epoch in range(2):
        run.one_epoch(0, epoch, 2, lambda _: None)
    assert known[0] == 0 and (known[1] > 0) == (subnets > 2)
    assert told == [(False, False), (True, subnets > 2)]
    assert run.learner.frontier is not None
    noted_rows = [len(one["rows"]) for one in run.learner.frontier.state()["epochs"]]
    # A step of the second epoch has the settled networks, of which there are fewer.
    assert noted_rows == ([subnets - 2, known[1]] if subnets > 2 else [0, 0])
