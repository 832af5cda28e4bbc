"""Sorted channels against a network that is permuted by hand."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import pytest
import torch

import search_spaces
from search_spaces import Net, Space, choice, one_of
from search_spaces.groups import Wiring
from search_spaces.sorting import importance, sort_channels
from search_spaces.specs import Classifier, Conv, LayerSpec, MBConv, Tensor
from search_spaces.supernet import Supernet
from search_spaces.wires import WIRES, wire
from search_spaces.wiring import wiring


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Tiny layers gain nothing from more, and lose much where others use the cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def supernet_of(space: Space) -> Supernet:
    """In double precision, random everywhere: weights, transforms, norm statistics."""
    torch.manual_seed(1)
    network = space.supernet().eval().double()
    with torch.no_grad():
        for tensor in (*network.parameters(), *network.buffers()):
            if tensor.is_floating_point():
                tensor.add_(0.1 * torch.rand_like(tensor))
    return network


def one_block() -> Space:
    net = Net(image=(3, 8))
    net("stem", Conv, out=choice("stem.width", 8, 16))
    net(
        "block",
        MBConv,
        out=16,
        expand=one_of(2, 4),
        kernel=one_of(3, 5),
        se=True,
        residual=False,
    )
    net("classifier", Classifier, classes=4)
    return Space(net, "one-block")


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("small-images", {}),
        ("ofa-mobilenetv3", {"resolutions": (32,), "num_classes": 5, "width": 0.25}),
        ("ofa-resnet50", {"resolutions": (32,), "num_classes": 5, "expands": (0.1, 0.2)}),
        ("ofa-proxyless", {"resolutions": (32,), "num_classes": 5, "width": 0.25}),
        ("nas-bench-macro", {}),
    ],
)
def test_the_largest_stays_and_importance_descends(name: str, options: dict[str, object]) -> None:
    space = search_spaces.get(name, **options)
    network = supernet_of(space)
    largest = space.decode(space.largest)
    unsorted = copy.deepcopy(network.state_dict())
    side = space.lower(largest).image.shape[-1]
    x = torch.randn(2, 3, side, side, dtype=torch.float64)
    with torch.no_grad():
        before = network(x, largest)
        sort_channels(network)
        torch.testing.assert_close(network(x, largest), before, rtol=1e-10, atol=1e-12)
    changed = any(not torch.equal(unsorted[k], v) for k, v in network.state_dict().items())
    ordered = importance(network)
    assert changed == bool(ordered) == (name != "nas-bench-macro")
    assert all((values.diff() <= 1e-9).all() for values in ordered.values())
    state = copy.deepcopy(network.state_dict())
    sort_channels(network)
    assert all(torch.equal(state[key], tensor) for key, tensor in network.state_dict().items())


def test_widths_across_blocks_are_sorted_too() -> None:
    groups = importance(search_spaces.get("small-images").supernet())
    across = {name for name in groups if not name.endswith(".middle")}
    assert across == {f"s{stage}.0.out" for stage in (1, 2, 3, 4)}


def test_a_block_permuted_by_hand() -> None:
    space = one_block()
    network = supernet_of(space)
    by_hand = copy.deepcopy(network)
    sort_channels(network)

    block = by_hand.blocks["block"]
    squeeze = block.squeeze
    read = block.project.conv.weight.abs().sum((0, 2, 3))
    read += squeeze.reduce.weight.abs().sum((0, 2, 3))
    middle = read.argsort(descending=True)
    inner = squeeze.expand.weight.abs().sum((0, 2, 3)).argsort(descending=True)
    stem = block.expand.conv.weight.abs().sum((0, 2, 3)).argsort(descending=True)
    assert all((o != torch.arange(len(o))).any() for o in (middle, stem))
    with torch.no_grad():
        units = (
            (by_hand.blocks["stem"].main, stem, None),
            (block.expand, middle, stem),
            (block.depthwise, middle, None),
            (block.project, torch.arange(16), middle),
        )
        for unit, out, taken in units:
            weight = unit.conv.weight[out]
            unit.conv.weight.copy_(weight if taken is None else weight[:, taken])
            for tensor in (unit.norm.weight, unit.norm.bias):
                tensor.copy_(tensor[out])
            unit.norm.running_mean.copy_(unit.norm.running_mean[out])
            unit.norm.running_var.copy_(unit.norm.running_var[out])
        squeeze.reduce.weight.copy_(squeeze.reduce.weight[inner][:, middle])
        squeeze.reduce.bias.copy_(squeeze.reduce.bias[inner])
        squeeze.expand.weight.copy_(squeeze.expand.weight[middle][:, inner])
        squeeze.expand.bias.copy_(squeeze.expand.bias[middle])
    for (key, found), (_, expected) in zip(
        network.state_dict().items(), by_hand.state_dict().items(), strict=True
    ):
        assert torch.equal(found, expected), key


def test_every_tensor_with_channels_is_wired_at_its_size() -> None:
    for name in search_spaces.names():
        space = search_spaces.get(name, **({} if "ofa" not in name else {"num_classes": 5}))
        wired = wiring(space)
        network = space.supernet()
        found = {
            f"{key}.{name}": tensor
            for key in space.weight_specs()
            for name, tensor in network.blocks[key.replace(".", "_")].state_dict().items()
        }
        named = {key for key in found if "transform" not in key and "num_batches" not in key}
        assert named == set(wired.tensors)
        for key, axes in wired.tensors.items():
            for axis, bundle in axes.items():
                sizes = [wired.sizes_of(s.group)[-1] * s.repeat for s in bundle]
                assert found[key].shape[axis] == sum(sizes), key


def test_a_layer_that_is_not_wired_is_named() -> None:
    from search_spaces.errors import SpaceError
    from search_spaces.onnx import EMITTERS

    assert set(WIRES) == set(EMITTERS)
    with pytest.raises(SpaceError, match="layer 'x'.*LayerSpec.*WIRES"):
        wire(LayerSpec((Tensor((3, 8, 8)),)), "x", [], Wiring())
