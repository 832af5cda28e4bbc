"""Augmentation where the pixels are, by numbers that are drawn on the CPU.

Without a GPU: pixels are on PyTorch's ``meta`` device, which has shapes and no values, and every
operation is looked at. That shows that none takes tensors of two devices; not what a GPU computes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from nas.data.augment import AugmentOptions, Normalisation, augment
from nas.data.batches import sent
from nas.data.mixing import mixup
from nas.data.randaugment import OPERATIONS

PLAIN = Normalisation((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
ALL = AugmentOptions(shift=2, flip=True, cutout=5, randaugment=2, magnitude=0.7)
COUNT, SIDE = 64, 16


class OneDevice(TorchDispatchMode):
    """Refuses operations on tensors of several devices, but for copies from one to the other."""

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        given = [one for one in tree_leaves((args, kwargs or {})) if isinstance(one, Tensor)]
        assert len({one.device for one in given}) <= 1 or "_copy" in str(func), func
        return func(*args, **(kwargs or {}))


@contextmanager
def one_device() -> Iterator[None]:
    with OneDevice():
        yield


def pixels(device: str) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    found = torch.randint(0, 256, (COUNT, 3, SIDE, SIDE), generator=generator, dtype=torch.uint8)
    return found.to(device)


def test_the_looking_sees_two_devices() -> None:
    with one_device(), pytest.raises(AssertionError, match="index"):
        pixels("meta")[torch.arange(3)]
    with one_device():
        assert pixels("meta")[torch.arange(3).to("meta")].shape[0] == 3


@pytest.mark.parametrize("resolution", [None, 12])
@pytest.mark.parametrize(
    "options",
    [ALL, AugmentOptions(0, True), AugmentOptions(3, False), AugmentOptions(0, False, 3)],
)
def test_nothing_mixes_devices_and_draws_are_the_same(
    options: AugmentOptions, resolution: int | None
) -> None:
    states, outcomes = [], []
    for device in ("cpu", "meta"):
        generator = torch.Generator().manual_seed(1)
        with one_device():
            out = augment(pixels(device), generator, options, PLAIN, resolution)
        outcomes.append(out)
        states.append(generator.get_state())
    here, there = outcomes
    assert (there.device.type, there.shape, there.dtype) == ("meta", here.shape, here.dtype)
    assert torch.equal(*states)


@pytest.mark.parametrize("name", OPERATIONS)
def test_operations_do_not_mix_devices(name: str) -> None:
    with one_device():
        out = OPERATIONS[name](pixels("meta"), torch.ones(COUNT, device="meta"))
    assert (out.device.type, out.shape, out.dtype) == ("meta", (COUNT, 3, SIDE, SIDE), torch.uint8)


def test_mixup_does_not_mix_devices() -> None:
    labels = (torch.arange(COUNT) % 4).to("meta")
    with one_device():
        images, targets = mixup(pixels("meta").float(), labels, 4, 0.3, np.random.default_rng(0))
    assert images.device.type == targets.device.type == "meta"


def test_a_batch_is_sent_only_where_it_is_not() -> None:
    batch = pixels("cpu")
    assert sent(batch, "cpu") is batch
    assert sent(batch, "meta").device.type == "meta"


def test_draws_come_in_the_order_they_always_had() -> None:
    """One image at a time, by hand: flips, shifts down, shifts right, squares' tops and lefts."""
    options, generator = replace(ALL, randaugment=0), torch.Generator().manual_seed(2)
    flips = (torch.rand(COUNT, generator=generator) < 0.5).tolist()
    down, right = (
        torch.randint(-options.shift, options.shift + 1, (COUNT,), generator=generator).tolist()
        for _ in range(2)
    )
    tops, lefts = (torch.randint(0, SIDE, (COUNT,), generator=generator).tolist() for _ in range(2))
    expected = np.zeros((COUNT, 3, SIDE, SIDE), np.float32)
    half = options.cutout // 2
    for image in range(COUNT):
        one = pixels("cpu")[image].numpy()
        for row in range(SIDE):
            for column in range(SIDE):
                if (
                    0 <= row - (tops[image] - half) < options.cutout
                    and 0 <= column - (lefts[image] - half) < options.cutout
                ):
                    continue
                y = min(max(row + down[image], 0), SIDE - 1)
                # Mirrored first, then moved, the edge repeated where it ends.
                mirrored = SIDE - 1 - column if flips[image] else column
                x = min(max(mirrored + right[image], 0), SIDE - 1)
                expected[image, :, row, column] = one[:, y, x]
    again = torch.Generator().manual_seed(2)
    found = augment(pixels("cpu"), again, options, PLAIN)
    np.testing.assert_array_equal(found.numpy(), expected)
    assert torch.equal(again.get_state(), generator.get_state())
