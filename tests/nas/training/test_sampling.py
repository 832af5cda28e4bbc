"""Which subnets a step trains: counts and places by hand."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest

import search_spaces
from nas.training.phases import Options, largest
from nas.training.sampling import (
    Draw,
    Front,
    Sampler,
    attentive,
    bounded,
    fair,
    near_frontier,
    sandwich,
    uniform,
)
from search_spaces import Space
from search_spaces.space import Population


@functools.cache
def space() -> Space:
    return search_spaces.get("small-images", resolutions=(8, 12))


def unused(rows: Population) -> np.ndarray:
    raise AssertionError("nobody asked for losses")


def drawn(
    sampler: Sampler,
    n: int,
    seed: int = 0,
    low: Options | None = None,
    losses: Callable[[Population], np.ndarray] = unused,
    frontier: Front | None = None,
) -> Population:
    low = np.zeros(len(space().choices), np.int64) if low is None else low
    high = largest(space())
    return sampler(Draw(space(), low, high, n, np.random.default_rng(seed), losses, frontier))


def flops(rows: Population) -> np.ndarray:
    return space().macs(rows)


SAMPLERS: dict[str, Sampler] = {
    "uniform": uniform,
    "bounded": bounded(0.25),
    "sandwich": sandwich,
    "fair": fair,
    "best": attentive(best=True),
    "worst": attentive(best=False),
    "frontier": near_frontier,
}


@pytest.mark.parametrize("name", SAMPLERS)
def test_rows_are_canonical_open_and_those_of_the_generator(name: str) -> None:
    depth = [choice.name in ("s1.depth", "s3.depth") for choice in space().choices]
    low = np.where(depth, 0, largest(space()))
    rows = drawn(SAMPLERS[name], 4, 1, low, flops)
    assert rows.shape == (4, len(space().choices))
    assert np.array_equal(rows, space().canonical(rows))
    closed = space().used(rows) & ~np.array(depth)
    assert (rows[closed] == np.broadcast_to(largest(space()), rows.shape)[closed]).all()
    assert np.array_equal(rows, drawn(SAMPLERS[name], 4, 1, low, flops))
    many = np.concatenate([drawn(SAMPLERS[name], 4, seed, low, flops) for seed in range(40)])
    assert {tuple(row) for row in many} == {
        tuple(row) for row in space().canonical(every(low, largest(space())))
    }


def every(low: Options, high: Options) -> Population:
    axes = [np.arange(a, b + 1) for a, b in zip(low, high, strict=True)]
    return np.stack([axis.ravel() for axis in np.meshgrid(*axes, indexing="ij")], axis=1)


def test_extremes_are_as_frequent_as_asked() -> None:
    rows = drawn(bounded(0.25), 4000, 2)
    ends = [(rows == end).all(axis=1).mean() for end in (space().smallest, space().largest)]
    assert ends == pytest.approx([0.125, 0.125], abs=0.02)
    none = drawn(bounded(0.0), 4000, 2)
    assert not (none == space().largest).all(axis=1).any()


def test_a_network_that_is_alone_open_is_trained_once_a_step_at_any_resolution() -> None:
    resolution = np.array([choice.name == "resolution" for choice in space().choices])
    low = np.where(resolution, 0, largest(space()))
    rows = [drawn(bounded(0.25), 4, seed, low) for seed in range(40)]
    assert {len(step) for step in rows} == {1}
    found = np.unique(np.concatenate(rows), axis=0)
    assert len(found) == 2 and len(np.unique(found[:, ~resolution], axis=0)) == 1
    # One other choice, and there are several networks to a step again.
    low[[choice.name for choice in space().choices].index("s4.0.kernel")] = 0
    assert len(drawn(bounded(0.25), 4, 0, low)) == 4


def test_a_sandwich_has_the_largest_first_and_the_smallest_last() -> None:
    for sampler in (sandwich, attentive(best=True), attentive(best=False), near_frontier):
        rows = drawn(sampler, 4, losses=flops)
        assert np.array_equal(rows[0], space().largest)
        assert np.array_equal(rows[-1], space().smallest)
        assert len({tuple(row) for row in rows}) == 4
        assert len(drawn(sampler, 2, losses=flops)) == 2


def test_fairness_is_strict() -> None:
    column = [choice.name for choice in space().choices].index("s4.width")
    kernel = [choice.name for choice in space().choices].index("s4.0.kernel")
    orders = set()
    for seed in range(50):
        rows = drawn(fair, 4, seed)
        assert sorted(rows[:, column]) == [0, 1, 2, 3]
        assert sorted(rows[:, kernel]) == [0, 0, 1, 1]
        orders.add(tuple(rows[:, column]))
        odd = Counter(drawn(fair, 6, seed)[:, column].tolist())
        assert sorted(odd.values()) == [1, 1, 2, 2]
    assert len(orders) > 15


def test_attention_goes_to_the_best_or_the_worst_of_networks_of_like_macs() -> None:
    asked: list[Population] = []

    def losses(rows: Population) -> np.ndarray:
        asked.append(rows)
        return rows[:, 5].astype(float) + 0.01 * np.arange(len(rows))

    for best in (True, False):
        asked.clear()
        rows = drawn(attentive(best), 8, 3, losses=losses)
        assert len(asked) == 6
        for group, chosen in zip(asked, rows[1:-1], strict=True):
            assert 1 <= len(group) <= 3
            macs = space().macs(group)
            assert np.ptp(macs) < 0.1 * (space().macs(space().largest)[0])
            order = [losses_of(row, i) for i, row in enumerate(group)]
            index = int(np.argmin(order) if best else np.argmax(order))
            assert np.array_equal(group[index], chosen)


def test_the_middle_is_near_the_frontier_and_spread_over_its_macs() -> None:
    names = [choice.name for choice in space().choices]
    of = {"s3.depth": 2, "s4.depth": 2}
    sizes = largest(space()) + 1
    # Of three networks the first two cost about the same, so that most MACs are near the third.
    narrow = np.array([of.get(name, 0) for name in names])
    wider = np.where([name == "s1.width" for name in names], 1, narrow)
    known = space().canonical(np.stack([narrow, wider, largest(space())]))
    order = np.log(space().macs(known))
    assert (np.diff(order) > 0).all()
    rows = drawn(near_frontier, 6000, 4, frontier=Front(known))[1:-1]
    apart = (rows[:, None] != known).mean(axis=2)
    kept = apart.min(axis=1) < 0.3
    # Drawn anew are a quarter as a whole, and of the others a tenth of the choices.
    assert kept.mean() == pytest.approx(0.75, abs=0.06)
    shares = np.bincount(apart[kept].argmin(axis=1), minlength=3) / kept.sum()
    halfway = (order[1:] + order[:-1]) / 2
    bounds = np.diff([order[0], *halfway, order[-1]]) / np.ptp(order)
    assert shares == pytest.approx(bounds, abs=0.05)
    last = rows[kept][apart[kept].argmin(axis=1) == 2]
    width = names.index("s4.width")
    changed = (last[:, width] != sizes[width] - 1).mean()
    assert changed == pytest.approx(0.1 * (1 - 1 / sizes[width]), abs=0.02)


def test_blocks_that_a_change_adds_near_the_frontier_are_any() -> None:
    names = [choice.name for choice in space().choices]
    depth, expand = names.index("s3.depth"), names.index("s3.2.expand")
    rows = drawn(near_frontier, 8000, 6, frontier=Front(space().smallest[None]))[1:-1]
    # Not those that were drawn anew as a whole.
    near = rows[((rows != 0) & (np.arange(len(names)) != depth)).sum(axis=1) < 4]
    deeper = near[near[:, depth] == 2][:, expand]
    assert len(deeper) > 60 and set(deeper.tolist()) == {0, 1, 2}
    assert (deeper == 0).mean() < 0.6


def test_what_is_closed_stays_so_near_the_frontier() -> None:
    low = np.where([choice.name.endswith("width") for choice in space().choices], 0, 1)
    low = np.minimum(low, largest(space()))
    for settled in (False, True):
        known = Front(space().smallest[None], settled)
        rows = drawn(near_frontier, 200, 5, low, frontier=known)
        assert (rows >= np.where(space().used(rows), low, 0)).all()


def test_a_settled_frontier_is_trained_itself_each_network_as_often() -> None:
    known = space().canonical(np.unique(space().sample(6, np.random.default_rng(0)), axis=0))
    seen: Counter[bytes] = Counter()
    for seed in range(400):
        rows = drawn(near_frontier, 4, seed, frontier=Front(known, settled=True))
        assert np.array_equal(rows[0], space().largest)
        assert np.array_equal(rows[-1], space().smallest)
        middle = [row.tobytes() for row in rows[1:-1]]
        assert len(set(middle)) == 2
        seen.update(middle)
    assert set(seen) == {row.tobytes() for row in known}
    assert all(times == pytest.approx(800 / len(known), rel=0.25) for times in seen.values())
    # No network twice in a step, even if fewer are left than a step has room for.
    assert len(drawn(near_frontier, 20, 0, frontier=Front(known, settled=True))) == len(known) + 2


def losses_of(row: np.ndarray, i: int) -> float:
    return float(row[5]) + 0.01 * i
