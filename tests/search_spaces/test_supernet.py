"""The supernet: every subnet is a slice of it, and running one leaves nothing behind."""

from __future__ import annotations

import functools
import pickle
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode

import search_spaces
from search_spaces import Architecture, Space
from search_spaces.supernet import Supernet


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Tiny layers gain nothing from more, and lose much where others use the cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@functools.cache
def space() -> Space:
    return search_spaces.get("small-images", resolutions=(8, 12), num_classes=5)


@functools.cache
def supernet(channels_last: bool = False) -> Supernet:
    """Random everywhere: weights, transforms, norm statistics."""
    torch.manual_seed(1)
    network = space().supernet().eval()
    with torch.no_grad():
        for tensor in (*network.parameters(), *network.buffers()):
            if tensor.is_floating_point():
                tensor.add_(0.1 * torch.rand_like(tensor))
    if channels_last:
        network = network.to(memory_format=torch.channels_last)
    return network


@st.composite
def architectures(draw: st.DrawFn) -> Architecture:
    row = [draw(st.integers(0, len(choice.values) - 1)) for choice in space().choices]
    return space().decode(space().canonical(row)[0])


def images(architecture: Architecture, n: int = 2, channels_last: bool = False) -> torch.Tensor:
    size = architecture["resolution"]
    generator = torch.Generator().manual_seed(2)
    x = torch.randn(n, 3, size, size, generator=generator)
    return x.contiguous(memory_format=torch.channels_last) if channels_last else x


def assert_extraction_is_exact(architecture: Architecture, channels_last: bool) -> None:
    network = supernet(channels_last)
    alone = network.extract(architecture)
    if channels_last:
        alone = alone.to(memory_format=torch.channels_last)
    x = images(architecture, channels_last=channels_last)
    with torch.no_grad():
        assert torch.equal(network(x, architecture), alone(x))


@pytest.mark.parametrize("channels_last", [False, True])
def test_extraction_of_the_ends_as_they_are_used(channels_last: bool) -> None:
    """At their usual size, on two threads: another division of the work adds in another order."""
    whole = search_spaces.get("small-images", resolutions=(32,))
    torch.manual_seed(3)
    network = whole.supernet().eval()
    with torch.no_grad():
        for tensor in (*network.parameters(), *network.buffers()):
            if tensor.is_floating_point():
                tensor.add_(0.1 * torch.rand_like(tensor))
    x = torch.randn(8, 3, 32, 32)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    network, x = network.to(memory_format=layout), x.contiguous(memory_format=layout)
    torch.set_num_threads(2)
    try:
        for row in (whole.smallest, whole.largest):
            architecture = whole.decode(row)
            alone = network.extract(architecture).to(memory_format=layout)
            with torch.no_grad():
                assert torch.equal(network(x, architecture), alone(x))
    finally:
        torch.set_num_threads(1)


@settings(max_examples=60, deadline=None)
@given(architectures(), st.booleans())
def test_extraction_equals_the_active_subnet_bit_for_bit(
    architecture: Architecture, channels_last: bool
) -> None:
    assert_extraction_is_exact(architecture, channels_last)


@pytest.mark.parametrize("channels_last", [False, True])
def test_extraction_of_the_ends(channels_last: bool) -> None:
    for row in (space().smallest, space().largest):
        assert_extraction_is_exact(space().decode(row), channels_last)


@settings(max_examples=40, deadline=None)
@given(architectures())
def test_pytorch_counts_the_same_macs_and_parameters(architecture: Architecture) -> None:
    network = supernet().extract(architecture)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(images(architecture, n=1))
    row = space().encode(architecture)
    assert counter.get_total_flops() == 2 * space().macs(row)[0]
    trainable = sum(parameter.numel() for parameter in network.parameters())
    assert trainable == space().parameters(row)[0]
    plan = space().lower(architecture)
    assert (plan.macs, plan.params) == (space().macs(row)[0], space().parameters(row)[0])


def test_extraction_and_a_plain_build_have_the_same_names() -> None:
    for row in space().sample(5, np.random.default_rng(0)):
        architecture = space().decode(row)
        built = space().build(architecture).state_dict()
        extracted = supernet().extract(architecture).state_dict()
        assert {k: v.shape for k, v in built.items()} == {k: v.shape for k, v in extracted.items()}


def test_an_extracted_subnet_owns_its_weights() -> None:
    before = {name: tensor.clone() for name, tensor in supernet().state_dict().items()}
    alone = supernet().extract(space().decode(space().largest)).train()
    with torch.no_grad():
        for parameter in alone.parameters():
            parameter.zero_()
    alone(images(space().decode(space().largest)))
    after = supernet().state_dict()
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())


def test_nothing_is_left_behind_between_calls() -> None:
    first, second = (space().decode(row) for row in space().sample(2, np.random.default_rng(3)))
    network = supernet()
    with torch.no_grad():
        before = network(images(first), first)
        network(images(second), second)
        assert torch.equal(network(images(first), first), before)


def test_a_step_leaves_what_a_subnet_does_not_use_as_it_was() -> None:
    torch.manual_seed(4)
    network = space().supernet().train()
    smallest = space().decode(space().smallest)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    optimizer = torch.optim.SGD(network.parameters(), 0.1)
    network(images(smallest, n=4), smallest).square().sum().backward()
    optimizer.step()

    used = {node.weights.replace(".", "_"): node.spec for node in network.plan(smallest).nodes}
    for name, parameter in network.named_parameters():
        block, _, inside = name.removeprefix("blocks.").partition(".")
        changed = parameter != before[name]
        if block not in used:
            assert not changed.any(), name
        elif "transform" not in name:
            lent = network.blocks[block].weights(used[block])[inside].shape
            assert changed.any(), name
            outside = changed.clone()
            outside[tuple(slice(0, size) for size in lent[:2])] = False
            assert not outside.any(), name


def test_training_the_supernet_is_training_the_subnet() -> None:
    torch.manual_seed(5)
    network = space().supernet().train()
    architecture = space().decode(space().sample(1, np.random.default_rng(6))[0])
    alone = network.extract(architecture)
    x = images(architecture, n=8)
    optimizers = [torch.optim.SGD(it.parameters(), 0.1) for it in (network, alone)]
    network(x, architecture).square().mean().backward()
    alone(x).square().mean().backward()
    for optimizer in optimizers:
        optimizer.step()
    again = network.extract(architecture).state_dict()
    for name, tensor in alone.state_dict().items():
        # A kernel that was reached by a transform learns through the transform too.
        if "depthwise.conv" not in name and not name.endswith("num_batches_tracked"):
            torch.testing.assert_close(again[name], tensor, rtol=1e-4, atol=1e-5)


def test_a_supernet_in_another_process_is_the_same() -> None:
    sent = pickle.loads(pickle.dumps(supernet()))
    architecture = space().decode(space().largest)
    x = torch.rand(2, 3, int(str(architecture["resolution"])), int(str(architecture["resolution"])))
    with torch.no_grad():
        assert torch.equal(sent(x, architecture), supernet()(x, architecture))
    assert sent.plan(architecture) == supernet().plan(architecture)
