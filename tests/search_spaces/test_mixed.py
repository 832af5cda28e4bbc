"""Units in mixed precision on a CPU, against PyTorch's functions in the types they should have."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from search_spaces.blocks.slicing import Unit

HALF = torch.bfloat16


def mixed(unit: Unit, x: Tensor, outputs: int, kernel: int) -> Tensor:
    with torch.autocast("cpu", HALF):
        y: Tensor = unit(x, outputs, kernel)
    return y


def drawn(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("channels", "kernel"), [(8, 5), (6, 5), (8, 3), (6, 3)])
@pytest.mark.parametrize("taken", [torch.float32, HALF])
def test_depthwise_ones_are_convolved_in_float32_and_rounded(
    channels: int, kernel: int, taken: torch.dtype
) -> None:
    unit = Unit(8, 8, 5, group=1, kernels=(3,), norm=False)
    x = drawn(2, channels, 6, 6).to(taken)
    y = mixed(unit, x, channels, kernel)
    # The transform to the smaller kernel starts as identity: its middle.
    edge = (5 - kernel) // 2
    weight = unit.conv.weight.detach()[:channels, :, edge : 5 - edge, edge : 5 - edge]
    expected = functional.conv2d(x.float(), weight, padding=kernel // 2, groups=channels)
    assert y.dtype == HALF
    # Sums in another order may round to the neighbour.
    torch.testing.assert_close(y, expected.to(HALF), rtol=2**-7, atol=1e-6)
    assert (y == expected.to(HALF)).double().mean() > 0.95

    gradient = drawn(*y.shape).to(HALF)
    y.backward(gradient)
    wide = weight.clone().requires_grad_()
    of_wide = functional.conv2d(x.float(), wide, padding=kernel // 2, groups=channels)
    of_wide.backward(gradient.float())
    assert unit.conv.weight.grad is not None and wide.grad is not None
    found = unit.conv.weight.grad[:channels, :, edge : 5 - edge, edge : 5 - edge]
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, wide.grad, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("outputs", "group"), [(8, 0), (6, 0), (8, 8), (16, 8)])
def test_wide_groups_are_convolved_in_half_precision(outputs: int, group: int) -> None:
    channels = outputs if group else 8
    unit = Unit(16 if group else 8, 16 if group else 8, 3, group=group, norm=False)
    x = drawn(2, channels, 6, 6)
    weight = unit.conv.weight.detach()[:outputs].to(HALF)
    groups = channels // group if group else 1
    expected = functional.conv2d(x.to(HALF), weight, padding=1, groups=groups)
    found = mixed(unit, x, outputs, 3)
    assert found.dtype == HALF
    torch.testing.assert_close(found, expected)


def test_other_types_are_what_pytorch_makes_of_them() -> None:
    unit = Unit(8, 8, 5, group=1, norm=False).double()
    x = drawn(2, 8, 6, 6).double()
    expected = functional.conv2d(x, unit.conv.weight, padding=2, groups=8)
    found = mixed(unit, x, 8, 5)
    assert found.dtype == torch.float64
    torch.testing.assert_close(found, expected, rtol=0, atol=0)


def test_without_mixed_precision_nothing_is_rounded() -> None:
    unit = Unit(8, 8, 5, group=1, norm=False)
    x = drawn(2, 8, 6, 6)
    expected = functional.conv2d(x, unit.conv.weight, padding=2, groups=8)
    found = unit(x, 8, 5)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, expected, rtol=0, atol=0)
