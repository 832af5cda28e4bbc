from __future__ import annotations

import itertools

import numpy as np
import pytest

import search_spaces
from search_spaces.choices import choice, layer, one_of, path
from search_spaces.net import Net
from search_spaces.space import Space
from search_spaces.specs import Classifier, Conv, LayerSpec, MBConv, Tensor


def shared_and_conditional() -> Space:
    net = Net(image=(3, choice("resolution", 8, 16)))
    net("stem", Conv, out=8, stride=2)
    depth, width = choice("depth", 1, 2), choice("width", 8, 16)
    net("a.0", MBConv, out=width, expand=one_of(1, 2), stride=2)
    net("a.1", MBConv, out=width, expand=one_of(1, 2), kernel=one_of(3, 5), when=depth > 1)
    net("b", path(conv=layer(Conv, out=width, kernel=one_of(1, 3)), none=None))
    net("classifier", Classifier, classes=4)
    return Space(net, "conditional")


def enumerated(space: Space) -> tuple[set[LayerSpec], dict[int, set[LayerSpec]]]:
    options = [range(len(choice.values)) for choice in space.choices]
    rows = np.array(list(itertools.product(*options)))
    every: set[LayerSpec] = set()
    by_side: dict[int, set[LayerSpec]] = {}
    for row in rows:
        plan = space.lower_row(row)
        specs = {node.spec for node in plan.nodes}
        every |= specs
        by_side.setdefault(plan.image.shape[-1], set()).update(specs)
    return every, by_side


def test_reachable_specs_are_those_of_all_networks() -> None:
    space = shared_and_conditional()
    every, by_side = enumerated(space)
    assert set(space.reachable()) == every
    assert list(space.reachable()) == [spec for spec in space.specs if spec in every]
    assert {tensor.shape[-1] for tensor in space.images} == set(by_side) == {8, 16}
    for tensor in space.images:
        assert set(space.reachable(tensor)) == by_side[tensor.shape[-1]]
    assert space.reachable(Tensor((3, 99, 99))) == ()


@pytest.mark.parametrize("name", search_spaces.names())
def test_no_sample_shows_a_layer_that_cannot_be_reached(name: str) -> None:
    space = search_spaces.get(name)
    seen = np.unique(space.index(space.sample(2000, np.random.default_rng(0))))
    assert {space.specs[i] for i in seen if i} <= set(space.reachable())
