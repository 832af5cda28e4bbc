"""Blocks against arithmetic by hand: what a slice is, and what it leaves alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn import functional

from search_spaces.blocks import BLOCKS, Block, lender
from search_spaces.blocks.slicing import SqueezeExcite, Unit
from search_spaces.specs import (
    Add,
    Bottleneck,
    Cell,
    Classifier,
    Conv,
    FusedMBConv,
    GeneralConv,
    LayerSpec,
    Linear,
    MBConv,
    Norm,
    SeparableConv,
    Template,
    Tensor,
)

IMAGE = (Tensor((16, 8, 8)),)
NARROW = (Tensor((8, 8, 8)),)

# The largest spec of a block, a smaller one, and the tensors that the smaller one does not use.
PAIRS: list[tuple[LayerSpec, LayerSpec]] = [
    (Conv(IMAGE, 24, 3, 1, "h_swish"), Conv(NARROW, 16, 3, 1, "h_swish")),
    (
        FusedMBConv(IMAGE, 16, 3, 1, "h_swish", 48, True),
        FusedMBConv(NARROW, 8, 3, 1, "h_swish", 24, True),
    ),
    (
        MBConv(IMAGE, 16, 5, 1, "h_swish", 48, 16, True),
        MBConv(NARROW, 8, 3, 1, "h_swish", 24, 8, True),
    ),
    (MBConv(IMAGE, 24, 5, 2, "relu", 48, 0, False), MBConv(IMAGE, 16, 3, 2, "relu", 32, 0, False)),
    (Classifier(IMAGE, 10), Classifier(NARROW, 10)),
    (
        Classifier(IMAGE, 10, hidden=24, act="h_swish"),
        Classifier(NARROW, 10, hidden=16, act="h_swish"),
    ),
    (
        SeparableConv(IMAGE, 16, 5, 1, "relu", True, epsilon=1e-3),
        SeparableConv(NARROW, 8, 3, 1, "relu", True, epsilon=1e-3),
    ),
    (
        Conv(IMAGE, 16, 3, 1, "relu", residual=True),
        Conv(NARROW, 8, 3, 1, "relu", residual=True),
    ),
    (
        Bottleneck(IMAGE, 16, 3, 1, "relu", 32, False),
        Bottleneck(NARROW, 8, 3, 1, "relu", 16, False),
    ),
    (
        Bottleneck(IMAGE, 24, 3, 2, "relu", 32, True),
        Bottleneck(NARROW, 16, 3, 2, "relu", 16, True),
    ),
]
CELL = {
    "parts": (
        Template(GeneralConv, (-1,), {"kernel": 1, "act": "relu"}),
        Template(GeneralConv, (0,), {"group": 4, "kernel": 3, "norm": False, "bias": True}),
        Template(GeneralConv, (1,), {"kernel": 1, "out": "input"}),
        Template(Add, (-1, 2), {"act": "relu"}),
    )
}
PAIRS += [
    (
        GeneralConv.resolve(IMAGE, out=24, kernel=5, dilation=2, bias=True),
        GeneralConv.resolve(NARROW, out=16, kernel=3, dilation=2, bias=True),
    ),
    (
        GeneralConv.resolve(IMAGE, kernel=5, stride=2, group=4, norm=False),
        GeneralConv.resolve(NARROW, kernel=3, stride=2, group=4, norm=False),
    ),
    (Norm(IMAGE, act="swish"), Norm(NARROW, act="swish")),
    (
        Linear((Tensor((16,)),), 24, act="relu"),
        Linear((Tensor((8,)),), 16, act="relu"),
    ),
    (Cell.resolve(IMAGE, **CELL, **{"0.out": 24}), Cell.resolve(NARROW, **CELL, **{"0.out": 8})),
]
NAMES = [f"{type(large).__name__}-{i}" for i, (large, _) in enumerate(PAIRS)]


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Tiny layers gain nothing from more, and lose much where others use the cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def build(spec: LayerSpec, *kernels: int) -> Block:
    # With the kernels that it lends, as a block in a supernet has them.
    lent = [replace(spec, kernel=kernel) for kernel in kernels if hasattr(spec, "kernel")]
    block: Block = lender([spec, *lent])
    shake(block)
    return block


def shake(module: nn.Module) -> None:
    """Weights, transforms and norm statistics away from what they start as."""
    with torch.no_grad():
        for tensor in (*module.parameters(), *module.buffers()):
            if tensor.is_floating_point():
                tensor.add_(0.3 * torch.rand_like(tensor))


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize(("large", "small"), PAIRS, ids=NAMES)
def test_a_small_block_with_lent_weights_is_the_slice(
    large: LayerSpec, small: LayerSpec, channels_last: bool
) -> None:
    torch.manual_seed(0)
    big = build(large, 3).eval()
    alone = lender([small]).eval()
    alone.load_state_dict(big.weights(small))  # strict: exactly the names of the small block
    x = torch.randn(2, *small.inputs[0].shape)
    if channels_last and x.dim() == 4:
        big, alone, x = (it.to(memory_format=torch.channels_last) for it in (big, alone, x))
    with torch.no_grad():
        assert torch.equal(big(x, small), alone(x))


@pytest.mark.parametrize(("large", "small"), PAIRS, ids=NAMES)
def test_its_own_spec_is_the_default(large: LayerSpec, small: LayerSpec) -> None:
    torch.manual_seed(0)
    block = build(large, 3).eval()
    x = torch.randn(2, *large.inputs[0].shape)
    with torch.no_grad():
        assert torch.equal(block(x), block(x, large))
        assert list(block(x).shape[1:]) == list(large.output.shape)


@pytest.mark.parametrize(("large", "small"), PAIRS, ids=NAMES)
def test_gradients_stay_inside_the_slices(large: LayerSpec, small: LayerSpec) -> None:
    torch.manual_seed(0)
    block = build(large, 3)
    block(torch.randn(4, *small.inputs[0].shape), small).square().sum().backward()
    sizes = {name: tensor.shape for name, tensor in block.weights(small).items()}
    for name, parameter in block.named_parameters():
        if name not in sizes or parameter.grad is None:
            assert "transform" in name  # all of it is used, or none where the kernel is whole
            continue
        inside = torch.zeros_like(parameter, dtype=torch.bool)
        whole = parameter.shape[2:]  # a kernel is lent from its middle
        edges = [(a - b) // 2 for a, b in zip(whole, sizes[name][2:], strict=True)]
        middle = tuple(slice(e, size - e) for e, size in zip(edges, whole, strict=True))
        inside[(*(slice(0, size) for size in sizes[name][:2]), *middle)] = True
        assert not parameter.grad[~inside].any(), name
        assert parameter.grad[inside].any(), name


def test_training_moves_the_statistics_of_the_slice_alone() -> None:
    torch.manual_seed(0)
    unit = Unit(8, 16, 3).train()
    before = unit.norm.running_mean.clone()
    x = torch.randn(4, 8, 6, 6)
    unit(x, 8, 3)
    assert torch.equal(unit.norm.running_mean[8:], before[8:])
    seen = functional.conv2d(x, unit.conv.weight[:8], padding=1).mean((0, 2, 3))
    torch.testing.assert_close(unit.norm.running_mean[:8], 0.9 * before[:8] + 0.1 * seen)


def test_a_kernel_transform_starts_as_identity() -> None:
    unit = Unit(16, 16, 7, group=1, kernels=(3, 5, 7))
    assert unit.sizes == [7, 5, 3]
    for name, size in (("transform_7to5", 5), ("transform_5to3", 3)):
        assert torch.equal(getattr(unit, name), torch.eye(size**2))
    whole = unit.conv.weight
    torch.testing.assert_close(unit.weights(16, 16, 5)["conv.weight"], whole[:, :, 1:6, 1:6])
    torch.testing.assert_close(unit.weights(16, 16, 3)["conv.weight"], whole[:, :, 2:5, 2:5])


def test_kernel_5_to_3_is_the_matrix_times_the_centre() -> None:
    unit = Unit(2, 2, 5, group=1, kernels=(3, 5))
    with torch.no_grad():
        unit.conv.weight.copy_(torch.arange(50.0).view(2, 1, 5, 5))
        unit.transform_5to3.copy_(torch.arange(81.0).view(9, 9) / 10)
    lent = unit.weights(2, 2, 3)["conv.weight"]
    for channel in range(2):
        # The centre of arange(25) as a 5x5 square, written out.
        centre = [25 * channel + value for value in (6, 7, 8, 11, 12, 13, 16, 17, 18)]
        by_hand = [
            sum((9 * row + column) / 10 * centre[column] for column in range(9)) for row in range(9)
        ]
        assert lent[channel].flatten().tolist() == pytest.approx(by_hand, rel=1e-6)


def test_kernels_chain_from_7_over_5_to_3() -> None:
    torch.manual_seed(0)
    unit = Unit(4, 4, 7, group=1, kernels=(3, 5, 7))
    shake(unit)
    five = unit.weights(4, 4, 5)["conv.weight"]
    three = (five[:, :, 1:4, 1:4].reshape(4, 9) @ unit.transform_5to3.T).view(4, 1, 3, 3)
    torch.testing.assert_close(unit.weights(4, 4, 3)["conv.weight"], three)


def test_squeeze_excite_against_its_formula() -> None:
    torch.manual_seed(0)
    block = SqueezeExcite(16, 8)
    x = torch.randn(2, 16, 5, 5)
    means = x.mean((2, 3))
    hidden = torch.relu(means @ block.reduce.weight[:, :, 0, 0].T + block.reduce.bias)
    gate = functional.hardsigmoid(hidden @ block.expand.weight[:, :, 0, 0].T + block.expand.bias)
    torch.testing.assert_close(block(x, 8), x * gate[:, :, None, None])


def test_hooks_see_a_block_at_its_own_size() -> None:
    block = BLOCKS[MBConv](replace(PAIRS[2][0], squeeze=0)).eval()
    seen: list[str] = []
    for name, module in block.named_modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(lambda *_, name=name: seen.append(name))
    block(torch.randn(1, 16, 8, 8))
    assert seen == ["expand.conv", "depthwise.conv", "project.conv"]
