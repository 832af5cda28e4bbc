"""Batch norm over all ranks, with one rank: PyTorch's own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import distributed
from torch.nn import functional

from nas.training.shared_norm import shared_batch_norm


@pytest.fixture(autouse=True)
def one_rank() -> Iterator[None]:
    store = distributed.HashStore()
    distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    yield
    distributed.destroy_process_group()


@pytest.mark.parametrize("shape", [(6, 5, 4, 3), (20, 5)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_it_normalises_and_learns_as_pytorch_does(
    shape: tuple[int, ...], dtype: torch.dtype
) -> None:
    torch.manual_seed(0)
    x = torch.randn(shape).mul(2).add(1).to(dtype)
    weights = torch.randn(shape).to(dtype)
    results = []
    for function in (functional.batch_norm, shared_batch_norm):
        mean, variance = torch.zeros(5), torch.ones(5)
        leaves = [
            tensor.clone().requires_grad_()
            for tensor in (x, torch.linspace(0.5, 1.5, 5), torch.linspace(-1, 1, 5))
        ]
        with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
            y = function(leaves[0], mean, variance, *leaves[1:], True, 0.1, 1e-5)
        gradients = torch.autograd.grad((y * weights).sum(), leaves)
        results.append((y, *gradients, mean, variance))
    loose = {} if dtype == torch.float32 else {"rtol": 0.05, "atol": 0.05}
    for expected, found in zip(*results, strict=True):
        assert found.dtype == expected.dtype
        torch.testing.assert_close(found, expected, **loose)  # type: ignore[arg-type]


def test_in_evaluation_it_goes_by_what_it_has_seen() -> None:
    x, mean, variance = torch.randn(4, 3, 2, 2), torch.randn(3), torch.rand(3)
    one = torch.ones(3)
    found = shared_batch_norm(x, mean, variance, one, one, False, 0.1, 1e-5)
    torch.testing.assert_close(found, functional.batch_norm(x, mean, variance, one, one))
