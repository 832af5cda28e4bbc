"""Random networks from a grammar of layers: whatever converts is the network itself."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from search_spaces.convert import from_module
from tests.search_spaces.networks import Squeeze, shaken


class Branches(nn.Module):
    """Two ways that meet: a sum, or one beside the other."""

    def __init__(self, left: nn.Module, right: nn.Module, join: str) -> None:
        super().__init__()
        self.left, self.right, self.join = left, right, join

    def forward(self, x: Tensor) -> Tensor:
        left, right = self.left(x), self.right(x)
        return left + right if self.join == "sum" else torch.cat((left, right), 1)


ACTS = (nn.ReLU, nn.ReLU6, nn.Hardswish, nn.SiLU, nn.Hardsigmoid, nn.Sigmoid, nn.Identity)


@st.composite
def same_shape(draw: st.DrawFn, channels: int, depth: int) -> nn.Module:
    """Layers that keep the shape [channels, H, W]."""
    kind = draw(st.sampled_from(["conv", "depthwise", "grouped", "norm", "act", "se", "sum"]))
    bias = draw(st.booleans())
    kernel = draw(st.sampled_from([1, 3, 5]))
    if kind == "sum" and depth:
        left = draw(st.sampled_from(["short", "way"]))
        ways = [nn.Identity() if left == "short" else draw(same_shape(channels, depth - 1))]
        return Branches(ways[0], nn.Sequential(*draw(ways_of(channels, depth - 1))), "sum")
    if kind == "conv":
        inner = draw(st.sampled_from([8, 16, 20]))
        return nn.Sequential(
            nn.Conv2d(channels, inner, kernel, padding=kernel // 2, bias=bias),
            draw(st.sampled_from(ACTS))(),
            nn.Conv2d(inner, channels, 1, bias=not bias),
            nn.BatchNorm2d(channels),
        )
    if kind == "depthwise":
        return nn.Conv2d(
            channels, channels, kernel, padding=kernel // 2, groups=channels, bias=bias
        )
    if kind == "grouped":
        return nn.Conv2d(channels, channels, 3, padding=2, dilation=2, groups=channels // 4)
    if kind == "norm":
        return nn.BatchNorm2d(channels, eps=1e-3)
    if kind == "se":
        return Squeeze(channels, 8, nn.Hardsigmoid())
    return draw(st.sampled_from(ACTS))()


@st.composite
def ways_of(draw: st.DrawFn, channels: int, depth: int) -> list[nn.Module]:
    return [draw(same_shape(channels, depth)) for _ in range(draw(st.integers(1, 3)))]


@st.composite
def networks(draw: st.DrawFn) -> nn.Module:
    channels = draw(st.sampled_from([8, 16, 24]))
    layers: list[nn.Module] = [nn.Conv2d(3, channels, 3, 2, 1)]
    for _ in range(draw(st.integers(1, 3))):
        layers += draw(ways_of(channels, 2))
        change = draw(st.sampled_from(["conv", "beside", "pool", "none"]))
        if change == "conv":
            layers += [nn.Conv2d(channels, 32, 2, 2, bias=False), nn.BatchNorm2d(32), nn.ReLU()]
            channels = 32
        elif change == "beside":
            right = nn.Conv2d(channels, 8, 1)
            layers += [Branches(draw(same_shape(channels, 1)), right, "beside")]
            channels += 8
        elif change == "pool":
            layers += [draw(st.sampled_from([nn.MaxPool2d(3, 1, 1), nn.AvgPool2d(2)]))]
        if channels > 40 or change == "pool":
            break
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(), nn.Linear(channels, 3)]
    return nn.Sequential(*layers)


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Tiny layers gain nothing from more, and lose much where others use the cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@settings(max_examples=15, deadline=None)
@given(networks(), st.integers(0, 99))
def test_any_network_is_its_largest_subnet(network: nn.Module, seed: int) -> None:
    network = shaken(network, seed)
    space, supernet = from_module(network, (24,), sort=False)
    largest = space.decode(space.largest)
    x = torch.randn(2, 3, 24, 24, generator=torch.Generator().manual_seed(seed))
    with torch.no_grad():
        expected = copy.deepcopy(network).eval()(x)
        assert torch.equal(supernet(x, largest), expected)
        _, ordered = from_module(network, (24,))
        off = (ordered(x, largest) - expected).abs().max()
        assert off <= 1e-4 * max(1.0, float(expected.abs().max()))
        for row in space.sample(2, np.random.default_rng(seed)):
            architecture = space.decode(row)
            alone = ordered.extract(architecture)
            assert torch.equal(ordered(x, architecture), alone(x))
            trainable = sum(parameter.numel() for parameter in alone.parameters())
            assert trainable == space.parameters(row)[0]
