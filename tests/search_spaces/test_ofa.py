"""The Once-for-All family against what OFA's published code computed (golden files)."""

from __future__ import annotations

import functools
import itertools
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode

import search_spaces
from latency_lut.entries import block_key
from search_spaces import Space, ofa
from search_spaces.errors import ArtefactError, SpaceError
from search_spaces.supernet import Supernet

FOLDERS = {
    "ofa-mobilenetv3": "ofa_golden",
    "ofa-proxyless": "ofa_golden_proxyless",
    "ofa-resnet50": "ofa_golden_resnet50",
}

CALIBRATED = Path(__file__).with_name("ofa_calibrated")

usual = functools.cache(search_spaces.get)


@dataclass(frozen=True)
class Golden:
    """What OFA's code saved and computed; our supernet with those weights."""

    space: Space
    supernet: Supernet
    weights: dict[str, torch.Tensor]
    configs: list[dict[str, Any]]
    image: torch.Tensor
    outputs: np.ndarray
    parameters: np.ndarray
    macs: np.ndarray | None


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module", params=FOLDERS)
def golden(request: pytest.FixtureRequest, shared_data: Path) -> Golden:
    name = str(request.param)
    folder = shared_data / FOLDERS[name]
    said = json.loads((folder / "configs.json").read_text())
    cases = np.load(folder / "cases.npz")
    with np.load(folder / "weights.npz") as archive:
        weights = {key: torch.from_numpy(archive[key]) for key in archive.files}
    options: dict[str, Any] = {"num_classes": said["num_classes"], "resolutions": (64,)}
    if name == "ofa-resnet50":
        options["widths"] = said["width_mult_list"]
        options["depths"] = said["depth_list"]
        options["expands"] = said["expand_ratio_list"]
    else:
        options["width"] = said["width"]
    space = search_spaces.get(name, **options)
    supernet = space.supernet().eval()
    ofa.load_state_dict(supernet, weights)
    macs = cases["macs"] if "macs" in cases.files else None
    return Golden(
        space,
        supernet,
        weights,
        said["configs"],
        torch.from_numpy(cases["input"]),
        cases["outputs"],
        cases["parameters"],
        macs,
    )


def test_every_subnet_gives_ofas_outputs_active_and_extracted(golden: Golden) -> None:
    assert len(golden.configs) == 20
    for config, expected in zip(golden.configs, golden.outputs, strict=True):
        architecture = ofa.from_config(golden.space, config)
        with torch.no_grad():
            active = golden.supernet(golden.image, architecture).numpy()
            extracted = golden.supernet.extract(architecture)(golden.image).numpy()
        for found in (active, extracted):
            assert np.abs(found - expected).max() < 1e-5 * np.abs(expected).max()


def off(golden: Golden, supernet: Supernet, outputs: np.ndarray) -> float:
    """The most by which outputs of the first subnets are off, against the largest of each."""
    worst = 0.0
    for config, expected in zip(golden.configs, outputs, strict=False):
        with torch.no_grad():
            found = supernet(golden.image, ofa.from_config(golden.space, config)).numpy()
        worst = max(worst, float(np.abs(found - expected).max() / np.abs(expected).max()))
    return worst


def test_outputs_are_ofas_where_a_signal_comes_through_every_layer(golden: Golden) -> None:
    # With the golden norms as they are the images hardly matter; these are calibrated, and
    # OFA's code ran them (experiments/ofa/golden.py).
    with np.load(CALIBRATED / f"{FOLDERS[golden.space.name]}.npz") as archive:
        outputs = archive["outputs"]
        norms = {k: torch.from_numpy(archive[k]) for k in archive.files if k != "outputs"}
    apart = np.abs(outputs[:, 0] - outputs[:, 1]).max(1) / np.abs(outputs).max((1, 2))
    assert apart.min() > 5e-4 and np.median(apart) > 0.02, "the images matter"
    supernet = golden.space.supernet().eval()
    ofa.load_state_dict(supernet, {**golden.weights, **norms})
    assert off(golden, supernet, outputs) < 1e-5
    for name, weight in supernet.named_parameters():
        if weight.ndim == 4:
            with torch.no_grad():
                before = weight.clone()
                weight.copy_(weight.flip(0))
                assert off(golden, supernet, outputs[:1]) > 1e-4, f"{name} matters"
                weight.copy_(before)


def test_parameters_and_macs_equal_ofas_to_the_unit(golden: Golden) -> None:
    X = np.array([golden.space.encode(ofa.from_config(golden.space, c)) for c in golden.configs])
    np.testing.assert_array_equal(golden.space.parameters(X), golden.parameters)
    if golden.macs is not None:
        np.testing.assert_array_equal(golden.space.macs(X), golden.macs)
    for row in X if golden.macs is None else X[:4]:
        network = golden.space.build(golden.space.decode(row)).eval()
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            network(golden.image[:1])
        assert counter.get_total_flops() == 2 * golden.space.macs(row)[0]
        held = sum(parameter.numel() for parameter in network.parameters())
        assert held == golden.space.parameters(row)[0]


def test_ofas_notation_is_taken_and_given_back(golden: Golden) -> None:
    for config in golden.configs:
        there = ofa.to_config(golden.space, ofa.from_config(golden.space, config))
        if golden.space.name == "ofa-proxyless":  # OFA itself takes any depth for its last stage
            config = {**config, "d": [*config["d"][:-1], 1]}
        assert there == config


def renamed(name: str, old: bool) -> str:
    """The name that other classes and ages of OFA's code give the tensor."""
    if old:
        name = re.sub(r"^(blocks\.\d+)\.conv\.", r"\1.mobile_inverted_conv.", name)
    return name.replace(".bn.bn.", ".bn.").replace(".conv.conv.weight", ".conv.weight")


@pytest.mark.parametrize("old", [False, True])
def test_names_of_older_checkpoints_are_understood(golden: Golden, old: bool) -> None:
    again = golden.space.supernet()
    ofa.load_state_dict(again, {renamed(k, old): v for k, v in golden.weights.items()})
    expected = golden.supernet.state_dict()
    assert all(torch.equal(v, expected[k]) for k, v in again.state_dict().items())


def test_weights_that_do_not_fit_are_refused_and_nothing_is_copied(golden: Golden) -> None:
    fresh = golden.space.supernet()
    before = {k: v.clone() for k, v in fresh.state_dict().items()}
    name = next(k for k in golden.weights if k.endswith("conv.weight"))
    lacking = {k: v for k, v in golden.weights.items() if k != name}
    last = name.removesuffix(".conv.weight").rpartition(".")[0]
    with pytest.raises(ArtefactError, match=f"lack 1 of .* 'conv.weight' of '{re.escape(last)}"):
        ofa.load_state_dict(fresh, lacking)
    with pytest.raises(ArtefactError, match="no tensor of"):
        ofa.load_state_dict(fresh, {**golden.weights, "blocks.99.conv.weight": torch.ones(1)})
    with pytest.raises(ArtefactError, match="has shape"):
        ofa.load_state_dict(fresh, {**golden.weights, name: torch.ones(3, 3)})
    assert all(torch.equal(v, before[k]) for k, v in fresh.state_dict().items())


def test_options_are_read_off_the_weights(golden: Golden) -> None:
    options = ofa.options_of(golden.space.name, golden.weights)
    assert options["num_classes"] == 10
    if golden.space.name == "ofa-resnet50":
        return
    space = search_spaces.get(golden.space.name, resolutions=(64,), **options)
    assert space.identity == golden.space.identity
    other = {"ofa-mobilenetv3": "ofa-proxyless", "ofa-proxyless": "ofa-mobilenetv3"}
    with pytest.raises(ArtefactError, match="another network of the family"):
        ofa.options_of(other[golden.space.name], golden.weights)
    with pytest.raises(SpaceError, match="small-images"):
        ofa.options_of("small-images", golden.weights)


@pytest.mark.parametrize("width", [0.125, 0.5, 0.75, 1.0, 1.2])
def test_the_width_found_makes_the_same_space(width: float) -> None:
    space = search_spaces.get("ofa-mobilenetv3", width=width, resolutions=(32,), num_classes=3)
    weights = {
        "first_conv.conv.weight": "stem.main.conv.weight",
        "blocks.0.conv.point_linear.conv.weight": "first.project.conv.weight",
        "final_expand_layer.conv.weight": "last.main.conv.weight",
        "feature_mix_layer.conv.weight": "classifier.hidden.weight",
        "classifier.linear.weight": "classifier.linear.weight",
    }
    own = space.supernet().state_dict()
    state = {theirs: own[f"blocks.{ours}"] for theirs, ours in weights.items()}
    options = ofa.options_of(space.name, state)
    again = search_spaces.get(space.name, resolutions=(32,), **options)
    assert again.identity == space.identity
    assert ofa.options_of(space.name, state, width=width) == {"num_classes": 3}
    state["classifier.linear.weight"] = torch.ones(1, 8)
    with pytest.raises(ArtefactError, match="are for 1 class; it takes two"):
        ofa.options_of(space.name, state)


def test_weights_of_another_space_are_refused(golden: Golden) -> None:
    with pytest.raises(SpaceError, match="small-images"):
        ofa.load_state_dict(search_spaces.get("small-images").supernet(), golden.weights)


def test_channels_follow_ofas_rounding() -> None:
    # By hand: make_divisible(width * base, 8) of OFA's code at 0.35 for 16, 24, 40, 80.
    plan = search_spaces.get("ofa-mobilenetv3", width=0.35, resolutions=(64,))
    outs = {node.slot: node.spec.output.shape[0] for node in plan.lower_row(plan.largest).nodes}
    assert [outs[s] for s in ("stem", "s1.0", "s2.0", "s3.0")] == [8, 8, 16, 32]
    # In the latency keys and in the network alike: 8 channels in, 6 times as many inside, 16 out.
    (block,) = [node for node in plan.lower_row(plan.largest).nodes if node.slot == "s2.0"]
    key = block_key(block.spec)
    assert "8x16x16" in key and "out=16" in key and "middle=48" in key, key
    state = plan.build(plan.decode(plan.largest)).state_dict()
    assert state["blocks.s2_0.project.conv.weight"].shape == (16, 48, 1, 1)


def test_the_published_networks_have_their_published_sizes() -> None:
    mobile = search_spaces.get("ofa-mobilenetv3")
    assert mobile.size > 10**19
    assert [c.values for c in mobile.choices if c.name == "resolution"] == [
        tuple(range(128, 225, 4))
    ]
    # The supernet's largest network at 224: 7.66 million parameters, of OFA's own model zoo.
    assert mobile.parameters(mobile.largest)[0] == 7_664_760


@pytest.mark.parametrize("name", FOLDERS)
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_notation_and_rows_are_inverse(name: str, seed: int) -> None:
    space = usual(name)
    row = space.sample(1, np.random.default_rng(seed))[0]
    config = ofa.to_config(space, space.decode(row))
    np.testing.assert_array_equal(space.encode(ofa.from_config(space, config)), row)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"ks": [3] * 19}, "ks lists 20 values"),
        ({"ks": 4}, r"one of \[3, 5, 7\]; got 4"),
        ({"d": [2, 2, 2, 2, 5]}, r"s5.depth' is one of \[2, 3, 4\]; got 5"),
        ({"w": 1}, "check w"),
        ({"e": None}, "got None"),
        ({"ks": [0] + [3] * 19}, r"absent, not for 's1.0.kernel' here"),
    ],
)
def test_configurations_that_the_space_lacks_are_refused(
    changes: dict[str, Any], says: str
) -> None:
    space = search_spaces.get("ofa-mobilenetv3")
    config = {"ks": 3, "e": 4, "d": 2, "r": 224} | changes
    with pytest.raises(SpaceError, match=says):
        ofa.from_config(space, config)


def test_one_number_stands_for_a_list_and_the_largest_resolution_for_none() -> None:
    space = search_spaces.get("ofa-mobilenetv3")
    architecture = ofa.from_config(space, {"wid": None, "ks": 7, "e": 6, "d": 4})
    np.testing.assert_array_equal(space.encode(architecture), space.largest)
    with pytest.raises(SpaceError, match="small-images"):
        ofa.from_config(search_spaces.get("small-images"), {"ks": 3})


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        ("ofa-mobilenetv3", {"width": 0}, "width is a number above 0"),
        ("ofa-mobilenetv3", {"width": float("inf")}, "width is a number above 0; got inf"),
        ("ofa-mobilenetv3", {"width": "wide"}, "width is a number above 0; got 'wide'"),
        ("ofa-mobilenetv3", {"kernels": 3}, r"kernels are a list of numbers, .*; got 3"),
        ("ofa-mobilenetv3", {"num_classes": 1.5}, "num_classes is a whole number above 0"),
        ("ofa-resnet50", {"num_classes": True}, "num_classes is a whole number above 0"),
        ("ofa-mobilenetv3", {"resolutions": (160, 128)}, "resolutions ascend"),
        ("ofa-proxyless", {"depths": ()}, "depths ascend"),
        ("ofa-resnet50", {"depths": (-1, 0)}, "depths ascend from 0"),
        ("ofa-resnet50", {"widths": (1, 0.5)}, "widths ascend"),
    ],
)
def test_options_out_of_range_are_refused(name: str, options: dict[str, Any], says: str) -> None:
    with pytest.raises(SpaceError, match=says):
        search_spaces.get(name, **options)


def test_configurations_may_come_as_ofas_code_makes_them() -> None:
    space = search_spaces.get("ofa-mobilenetv3")
    ks = np.full(20, 3)
    plain = ofa.from_config(space, {"ks": [3] * 20, "e": 4, "d": [2, 3, 4, 4, 4]})
    given = {"ks": ks, "e": np.full(20, 4), "d": np.array([2, 3, 4, 4, 4]), "r": np.int64(224)}
    assert ofa.from_config(space, given) == plain
    ks[[2, 3, 7]] = 0  # Of blocks that do not stand.
    zeros = ofa.from_config(space, {**given, "ks": ks})
    np.testing.assert_array_equal(space.encode(zeros), space.encode(plain))
    for wrong in (None, [3, 4], "ks"):
        with pytest.raises(SpaceError, match="a configuration maps ks, e, d, r to lists"):
            ofa.from_config(space, wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("depth", [0, 2])
def test_of_one_depth_the_stem_keeps_its_middle(depth: int) -> None:
    space = search_spaces.get("ofa-resnet50", depths=(depth,))
    config = {"d": depth, "e": 0.2, "w": 0, "r": 224}
    architecture = ofa.from_config(space, config)
    assert "stem.1" in [node.slot for node in space.lower(architecture).nodes]
    assert ofa.to_config(space, architecture)["d"] == [depth] * 5


def test_variances_below_zero_are_refused(golden: Golden) -> None:
    name = next(name for name in golden.weights if name.endswith("running_var"))
    weights = {**golden.weights, name: -golden.weights[name] - 1}
    with pytest.raises(ArtefactError, match="variances below 0; the weights are damaged"):
        ofa.load_state_dict(golden.space.supernet(), weights)


def test_the_stem_keeps_its_middle_only_at_the_greatest_depth() -> None:
    space = search_spaces.get("ofa-resnet50")
    for depth, stands in ((2, True), (0, False), (1, False)):
        config = {"d": [depth, 0, 0, 0, 0], "e": 0.2, "w": 0}
        slots = [node.slot for node in space.lower(ofa.from_config(space, config)).nodes]
        assert ("stem.1" in slots) == stands


@pytest.mark.parametrize(
    ("options", "merged"),
    [
        ({"depths": (0,), "expands": (0.25,)}, 3 / 2),  # 0.65 and 0.8 of the stem's inner width
        ({"depths": (0, 1), "expands": (0.2, 0.35), "widths": (0.8,)}, 1),
        ({"depths": (1,), "expands": (0.25,), "widths": (0.8, 0.99, 1.0)}, (3 / 2) ** 3),
    ],
)
def test_widths_of_the_same_channels_are_one_network(options: Any, merged: float) -> None:
    space = search_spaces.get("ofa-resnet50", resolutions=(64,), **options)
    every = np.array(list(itertools.product(*(range(len(c.values)) for c in space.choices))))
    drawn = np.random.default_rng(0).permutation(len(every))[:500]
    rows = space.canonical(every[drawn])
    np.testing.assert_array_equal(space.canonical(rows), rows)
    np.testing.assert_array_equal(space.parameters(rows), space.parameters(every[drawn]))
    forms = np.unique(rows, axis=0)
    digests = {space.digest(space.decode(row)) for row in forms}
    assert len(digests) == len(forms) and space.rows_are_exact
    assert space.size == len(np.unique(space.canonical(every), axis=0))
    unmerged = np.where(space.used(every), every, 0)
    assert len(np.unique(unmerged, axis=0)) == merged * space.size


def test_expansions_of_the_same_channels_make_rows_inexact() -> None:
    assert not search_spaces.get("ofa-resnet50", expands=(0.34, 0.35)).rows_are_exact
