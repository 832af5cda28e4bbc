"""Converted networks against the networks themselves, PyTorch's counters and ONNX Runtime."""

from __future__ import annotations

import copy
import functools
import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

import search_spaces
from latency_lut.entries import models
from search_spaces import Architecture, Space
from search_spaces.convert import from_module
from search_spaces.errors import SpaceError
from search_spaces.onnx import write
from search_spaces.specs import Cell
from search_spaces.supernet import Supernet
from tests.search_spaces.networks import NETWORKS, shaken

RESOLUTIONS = (16, 24)


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Tiny layers gain nothing from more, and lose much where others use the cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@functools.cache
def original(name: str) -> nn.Module:
    torch.manual_seed(0)
    return shaken(NETWORKS[name]())


@functools.cache
def conversion(name: str, sort: bool = True) -> tuple[Space, Supernet]:
    return from_module(original(name), RESOLUTIONS, sort=sort)


@pytest.fixture(params=list(NETWORKS))
def name(request: pytest.FixtureRequest) -> str:
    return request.param


def at(space: Space, row: np.ndarray, resolution: int) -> Architecture:
    names = [choice.name for choice in space.choices]
    row = row.copy()
    row[names.index("resolution")] = RESOLUTIONS.index(resolution)
    return space.decode(row)


def images(architecture: Architecture, n: int = 2) -> torch.Tensor:
    side = architecture["resolution"]
    return torch.randn(n, 3, side, side, generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize("resolution", RESOLUTIONS)
def test_the_largest_is_the_original_bit_for_bit(name: str, resolution: int) -> None:
    space, supernet = conversion(name, sort=False)
    largest = at(space, space.largest, resolution)
    x = images(largest)
    with torch.no_grad():
        expected = copy.deepcopy(original(name)).eval()(x)
        assert torch.equal(supernet(x, largest), expected)
        assert torch.equal(supernet.extract(largest)(x), expected)
    assert expected.std() > 1e-2, "a network whose output is constant proves nothing"


def test_sorted_the_largest_is_the_same_function(name: str) -> None:
    space, supernet = conversion(name)
    largest = space.decode(space.largest)
    x = images(largest)
    with torch.no_grad():
        exact = copy.deepcopy(original(name)).eval().double()(x.double())
        in_double = copy.deepcopy(supernet).double()(x.double(), largest)
        torch.testing.assert_close(in_double, exact, rtol=1e-12, atol=1e-12)
        found = supernet(x, largest).double()
    assert (found - exact).abs().max() <= 1e-5 * exact.abs().max()


def test_the_original_is_left_as_it_was(name: str) -> None:
    network = original(name)
    before = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    state = torch.random.get_rng_state()
    _, supernet = from_module(network, RESOLUTIONS)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert network.training and not supernet.training
    assert all(torch.equal(network.state_dict()[key], tensor) for key, tensor in before.items())


def test_pytorch_counts_the_same_macs_and_parameters(name: str) -> None:
    space, supernet = conversion(name)
    network = copy.deepcopy(original(name)).eval()
    rows = [space.largest, space.smallest, *space.sample(3, np.random.default_rng(1))]
    for i, row in enumerate(rows):
        architecture = space.decode(row)
        counted = network if i == 0 else supernet.extract(architecture)
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            counted(images(architecture, n=1))
        assert counter.get_total_flops() == 2 * space.macs(row)[0]
        trainable = sum(parameter.numel() for parameter in counted.parameters())
        assert trainable == space.parameters(row)[0]
    assert space.macs(space.smallest)[0] < 0.5 * space.macs(space.largest)[0]


def test_extraction_equals_the_active_subnet_bit_for_bit(name: str) -> None:
    space, supernet = conversion(name)
    for row in [space.smallest, *space.sample(8, np.random.default_rng(2))]:
        architecture = space.decode(row)
        x = images(architecture)
        with torch.no_grad():
            assert torch.equal(supernet(x, architecture), supernet.extract(architecture)(x))


def test_onnx_runtime_agrees_with_pytorch(name: str) -> None:
    space, supernet = conversion(name)
    for row in [space.largest, *space.sample(3, np.random.default_rng(3))]:
        architecture = space.decode(row)
        subnet = supernet.extract(architecture)
        weights = {
            node.weights: {
                key: tensor.detach().numpy()
                for key, tensor in subnet.blocks[node.weights.replace(".", "_")]
                .state_dict()
                .items()
            }
            for node in subnet.plan.nodes
        }
        model = write(subnet.plan, weights, batch=None)
        x = images(architecture)
        session = onnxruntime.InferenceSession(
            model.SerializeToString(), providers=["CPUExecutionProvider"]
        )
        (found,) = session.run(None, {"image": x.numpy()})
        with torch.no_grad():
            np.testing.assert_allclose(found, subnet(x).numpy(), rtol=1e-3, atol=1e-4)


def test_a_latency_table_has_a_model_for_every_layer() -> None:
    space, _ = conversion("mobilenetv3")
    specs = space.reachable(space.images[0])
    asked = models(specs)
    assert len({model.name for model in asked}) == len(asked) >= len(specs)
    # One of each kind of slot, features among them, runs.
    kinds = {type(spec): spec for spec in specs}
    for model in models(kinds.values()):
        onnxruntime.InferenceSession(model.content(), providers=["CPUExecutionProvider"])


def test_the_space_keeps_what_every_space_promises(name: str) -> None:
    space, _ = conversion(name)
    rng = np.random.default_rng(4)
    sizes = [len(choice.values) for choice in space.choices]
    rows = rng.integers(0, sizes, (60, len(sizes)))
    assert all(list(choice.values) == sorted(set(choice.values)) for choice in space.choices)
    canonical = space.canonical(rows)
    np.testing.assert_array_equal(space.canonical(canonical), canonical)
    np.testing.assert_array_equal(space.macs(canonical), space.macs(rows))
    digests = defaultdict(set)
    for row, same in zip(rows, canonical, strict=True):
        architecture = space.decode(row)
        assert Architecture.from_json(architecture.to_json()) == architecture
        np.testing.assert_array_equal(space.encode(architecture), row)
        digests[tuple(same)].add(space.digest(architecture))
        plan = space.lower(architecture)
        assert (plan.macs, plan.params) == (space.macs(row)[0], space.parameters(row)[0])
    assert all(len(one) == 1 for one in digests.values())


def test_the_same_space_from_json_without_pytorch(name: str) -> None:
    space, _ = conversion(name)
    text = json.dumps(dict(space.options))
    assert search_spaces.get("converted", **json.loads(text)).identity == space.identity
    assert from_module(original(name), RESOLUTIONS)[0].identity == space.identity


def test_a_recipe_is_read_without_pytorch() -> None:
    space, _ = conversion("resnet")
    program = (
        "import json, sys, search_spaces\n"
        "space = search_spaces.get('converted', **json.load(sys.stdin))\n"
        "assert not {'torch', 'onnx'} & set(sys.modules)\n"
        "print(space.identity)"
    )
    asked = json.dumps(dict(space.options))
    done = subprocess.run(
        [sys.executable, "-c", program], input=asked, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == space.identity


def choices(name: str) -> dict[str, tuple[object, ...]]:
    return {choice.name: choice.values for choice in conversion(name)[0].choices}


def test_what_becomes_elastic_in_a_residual_network() -> None:
    found = choices("resnet")
    assert found["0.width"] == (8, 16)  # the stem, and all that is added to it
    assert found["0.kernel"] == (3, 5, 7)
    assert found["4.depth"] == (1, 2, 3) and found["5.1.depth"] == (0, 1)
    assert found["4.0.conv1.expand"] == (8, 16)
    assert found["5.0.downsample.0.width"] == (16, 24, 32)
    assert len([key for key in found if key.endswith("width")]) == 2


def test_groups_keep_their_size() -> None:
    found = choices("resnext")
    assert found["3.conv1.expand"] == (16, 24, 32)  # groups of 8
    assert found["5.conv1.expand"] == (32, 48)  # groups of 16
    space, _ = conversion("resnext")
    plan = space.lower_row(space.smallest)
    cells = [node.spec for node in plan.nodes if isinstance(node.spec, Cell)]
    grouped = [part.spec for cell in cells for part in cell.parts if getattr(part.spec, "group", 0)]
    assert grouped and {spec.group for spec in grouped} == {8, 16}


def test_what_is_put_side_by_side_keeps_its_width() -> None:
    found = choices("densenet")
    assert {key for key in found if "conv2" in key or key.startswith("stem")} == set()
    assert found["layers.0.conv1.expand"] == (16, 24, 32)
    assert found["conv.width"] == (16, 24)


def test_depthwise_kernels_begin_as_the_middle_of_the_larger_one() -> None:
    space, supernet = conversion("mobilenetv2", sort=False)
    (key,) = [name for name in choices("mobilenetv2") if name.startswith("4.") and "kernel" in name]
    row = space.largest
    row[[choice.name for choice in space.choices].index(key)] = 0
    narrow = supernet.extract(space.decode(row)).blocks[
        key.removesuffix(".kernel").replace(".", "_")
    ]
    path = key.removesuffix(".kernel")
    whole = original("mobilenetv2").get_submodule(path).weight
    torch.testing.assert_close(narrow.main.conv.weight, whole[:, :, 1:4, 1:4])


def stochastic_depth(x: torch.Tensor, p: float, mode: str, training: bool) -> torch.Tensor:
    """As torchvision's, which torch.fx does not look into."""
    return x * (torch.rand(len(x), 1, 1, 1) > p) / (1 - p) if training else x


torch.fx.wrap("stochastic_depth")


class BatchNormAct2d(nn.BatchNorm2d):
    """As timm's: what its forward asks cannot be traced."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.drop, self.act = nn.Identity(), nn.SiLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.dim() != 4 or x.shape[1] != self.num_features:
            raise ValueError
        return self.act(self.drop(super().forward(x)))


class Timm(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.bn = nn.Conv2d(3, 16, 3, padding="same", bias=False), BatchNormAct2d(16)
        self.again = nn.Conv2d(16, 16, 3, padding=1)
        self.head = nn.Linear(16, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.bn(self.conv(x))
        x = x + stochastic_depth(self.again(x), 0.5, "row", self.training)
        return self.head(F.dropout(x.mean((-2, -1)), 0.3, self.training))


def test_layers_of_timm_and_torchvision() -> None:
    network = shaken(Timm())
    space, supernet = from_module(network, RESOLUTIONS, sort=False)
    assert space.slots == ("conv", "add", "mean", "head")
    x = torch.randn(2, 3, 24, 24)
    with torch.no_grad():
        found = supernet(x, space.decode(space.largest))
        assert torch.equal(found, network.eval()(x))


def test_another_number_of_classes_or_another_version_is_refused() -> None:
    space, _ = conversion("vgg")
    recipe = dict(space.options)["recipe"]
    assert search_spaces.get("converted", recipe=recipe, num_classes=5).images == space.images
    one = search_spaces.get("converted", recipe=recipe, resolutions=[16])
    assert [tensor.shape for tensor in one.images] == [(3, 16, 16)]
    with pytest.raises(SpaceError, match="5 classes apart, not 7"):
        search_spaces.get("converted", recipe=recipe, num_classes=7)
    with pytest.raises(SpaceError, match="recipe format 9"):
        search_spaces.get("converted", recipe={**recipe, "format": 9})
    with pytest.raises(SpaceError, match="not the recipe"):
        search_spaces.get("converted", recipe={"format": 1})
