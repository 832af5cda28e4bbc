"""Recipes of networks alone and of ablations, and what they compute."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import numpy as np
import pytest

from nas.config import Phase, TrainConfig
from search_spaces import Space
from search_spaces.alone import alone

Script = Callable[[str], ModuleType]


def of(space: Space, largest: bool, resolution: int) -> int:
    """MACs of the largest or the smallest network on images of ``resolution``."""
    row = (space.largest if largest else space.smallest).copy()
    column = [choice.name for choice in space.choices].index("resolution")
    row[column] = space.choices[column].values.index(resolution)
    return space.lower_row(row).macs


CONFIG = TrainConfig(
    "sandwich",
    optimizer="muon",
    weight_decay=0.02,
    subnets=2,
    stages=2,
    extremes=0.5,
    phases=(Phase("all", 9, learning_rate=0.07),),
)


def test_a_network_alone_has_the_rate_of_the_first_phase(script: Script) -> None:
    found = script("lone").recipe(CONFIG, 5, 3)
    assert (found.strategy, found.seed, found.subnets) == ("single-path", 3, None)
    assert found.schedule == (Phase("all", 5),)
    assert (found.highest_rate, found.decay, found.stages) == (0.07, 0.02, 2)
    # What says nothing to one network is not part of what its result belongs to.
    assert found.extremes == TrainConfig().extremes
    usual = script("lone").recipe(TrainConfig(optimizer="sgd"), 5, 0)
    assert (usual.learning_rate, usual.weight_decay) == (0.1, 0.0005)


def test_variants_have_the_rate_and_decay_of_the_configuration(script: Script) -> None:
    recipes = script("recipes")
    for name, variant in recipes.VARIANTS.items():
        found = variant(recipes.base(CONFIG), 20)
        expected = (0.1, 0.0005) if name == "sandwich with SGD" else (0.07, 0.02)
        assert (found.highest_rate, found.decay) == expected, name
        assert sum(phase.epochs for phase in found.schedule) == 20
        assert found.stages == (3 if name.endswith("in stages") else 1)
    assert [phase.epochs for phase in recipes.shrinking(25)] == [12, 1, 1, 1, 1, 1, 8]


def test_every_phase_of_shrinking_has_a_pass(script: Script) -> None:
    recipes = script("recipes")
    assert [phase.epochs for phase in recipes.shrinking(15)] == [7, 1, 1, 1, 1, 1, 3]
    with pytest.raises(SystemExit, match=r"takes 15 epochs or more, .* got 14: raise --epochs"):
        recipes.shrinking(14)


def test_one_network(script: Script, space: Space) -> None:
    compute = script("compute")
    assert compute.of_one(2e6, 10, 1000) == pytest.approx(0.06)
    assert compute.of_one(2e6, 10, 1000, teacher=4e6) == pytest.approx(0.1)
    plan = space.lower_row(space.largest)
    config = TrainConfig("single-path", phases=(Phase("all", 10),))
    found = compute.of_supernet(alone(plan, "alone"), config, 1000)
    assert found == pytest.approx(compute.of_one(plan.macs, 10, 1000))


def test_a_sandwich_of_two_is_the_largest_and_the_smallest(script: Script, space: Space) -> None:
    ends = of(space, True, 10) + of(space, False, 8)
    found = script("compute").of_supernet(space, script("recipes").base(CONFIG), 10**6)
    # In the first of two stages, five of nine epochs, images have the smaller size.
    small = of(space, True, 8) + of(space, False, 8)
    assert found == pytest.approx(3e-6 * (5 * small + 4 * ends))


def test_a_frontier_is_spread_over_the_logarithm_of_macs(script: Script, space: Space) -> None:
    config = TrainConfig("frontier", subnets=42, phases=(Phase("all", 1),))
    small, large = space.macs(np.stack([space.smallest, space.largest]))
    between = (large - small) / np.log(large / small)
    anywhere = space.macs(space.sample(2000, np.random.default_rng(1))).mean()
    expected = 3e-6 * (small + large + 40 * (0.75 * between + 0.25 * anywhere))
    # A tenth of the choices of those near the frontier is drawn anew as well.
    assert script("compute").of_supernet(space, config, 10**6) == pytest.approx(expected, rel=0.1)


def test_a_teacher_looks_on_from_when_choices_open(script: Script, space: Space) -> None:
    plan = space.lower_row(space.largest)
    one = alone(plan, "alone")
    phases = (Phase("largest", 2), Phase("width", 3))
    config = TrainConfig(phases=phases)
    found = script("compute").of_supernet(one, config, 10**6)
    assert found == pytest.approx(1e-6 * plan.macs * (2 * 3 + 3 * 4))
    alone_taught = TrainConfig(phases=phases, distillation=0.0)
    found = script("compute").of_supernet(one, alone_taught, 10**6)
    assert found == pytest.approx(1e-6 * plan.macs * 5 * 3)


def test_shrinking_for_longer_computes_as_much_as_the_sandwich(
    script: Script, space: Space
) -> None:
    recipes, compute = script("recipes"), script("compute")
    passes = recipes.passes_of(recipes.LONGER, space, recipes.base(CONFIG), 40)
    assert recipes.passes_of("sandwich", space, recipes.base(CONFIG), 40) == 40
    longer, sandwich = (
        compute.of_supernet(space, recipes.VARIANTS[name](CONFIG, epochs), 1)
        for name, epochs in ((recipes.LONGER, passes), ("sandwich", 40))
    )
    assert longer == pytest.approx(sandwich, rel=0.05)
