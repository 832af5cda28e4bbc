"""The space against the benchmark's own file, and against PyTorch and ONNX Runtime."""

from __future__ import annotations

import itertools
import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
import pytest
import torch
from scipy.stats import chisquare
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

import search_spaces
from search_spaces.errors import SpaceError
from search_spaces.nas_bench_macro import genotypes, nas_bench_macro, rows_of
from search_spaces.onnx import write

SPACE = nas_bench_macro()
EVERY: npt.NDArray[np.int64] = np.array(list(itertools.product(range(3), repeat=8)))
SOME = ("00000000", "01201212", "02012100", "11111111", "22222222")


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def published(shared_data: Path) -> dict[str, dict[str, Any]]:
    path = shared_data / "nas-bench-macro_cifar10.json"
    if not path.is_file():
        pytest.skip(f"needs the benchmark ({path} is not there)")
    networks: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return networks


def test_costs_of_all_networks_are_the_benchmarks(published: dict[str, dict[str, Any]]) -> None:
    rows = rows_of(published)
    assert len(np.unique(rows, axis=0)) == len(EVERY) == 6561
    networks = published.values()
    np.testing.assert_array_equal(SPACE.macs(rows), [one["flops"] for one in networks])
    np.testing.assert_array_equal(SPACE.parameters(rows), [one["params"] for one in networks])


def test_rows_that_are_one_network_have_one_accuracy(
    published: dict[str, dict[str, Any]],
) -> None:
    groups = defaultdict(list)
    for genotype, form in zip(
        published, genotypes(SPACE.canonical(rows_of(published))), strict=True
    ):
        groups[form].append(published[genotype])
    duplicates = [group for group in groups.values() if len(group) > 1]
    assert len(duplicates) == 1944
    assert all(one == group[0] for group in duplicates for one in group)


def test_canonical_rows_are_equal_exactly_where_networks_are() -> None:
    canonical = SPACE.canonical(EVERY)
    np.testing.assert_array_equal(SPACE.canonical(canonical), canonical)
    np.testing.assert_array_equal(SPACE.macs(canonical), SPACE.macs(EVERY))
    forms = genotypes(canonical)
    digests = [SPACE.digest(SPACE.decode(row)) for row in EVERY]
    assert len(set(forms)) == len(set(digests)) == len(set(zip(forms, digests, strict=True)))
    assert len(set(forms)) == SPACE.size == 3969
    assert SPACE.rows_are_exact


def test_identities_go_behind_the_others_of_their_stage() -> None:
    rows = rows_of(["00000000", "00001001", "20002012", "01201202", "00012021"])
    assert genotypes(SPACE.canonical(rows)) == [
        "00000000",
        "00010010",
        "20020012",
        "01210220",
        "00012021",
    ]


def test_samples_are_canonical_and_uniform_over_what_they_say() -> None:
    n = 20 * len(EVERY)
    for uniform in ("choices", "networks"):
        drawn = SPACE.sample(n, np.random.default_rng(0), uniform)  # type: ignore[arg-type]
        np.testing.assert_array_equal(drawn, SPACE.canonical(drawn))
        forms, counts = np.unique(drawn, axis=0, return_counts=True)
        everything, shares = np.unique(SPACE.canonical(EVERY), axis=0, return_counts=True)
        np.testing.assert_array_equal(forms, everything)
        if uniform == "networks":
            shares = np.ones(len(forms))
        assert chisquare(counts, n * shares / shares.sum()).pvalue > 1e-3


def test_the_first_options_are_the_smallest_network_and_the_last_the_largest() -> None:
    for cost, of in ((SPACE.macs, "macs"), (SPACE.parameters, "params")):
        costs = cost(EVERY)
        ends = cost(np.stack([SPACE.smallest, SPACE.largest]))
        assert tuple(ends) == (costs.min(), costs.max())
        assert SPACE.bounds([getattr(spec, of) for spec in SPACE.specs]) == tuple(ends)


def test_genotypes_and_rows_are_inverse() -> None:
    names = ["".join(digits) for digits in itertools.product("012", repeat=8)]
    assert genotypes(EVERY) == names
    np.testing.assert_array_equal(rows_of(names), EVERY)
    assert genotypes(EVERY[5]) == names[5:6]
    assert SPACE.decode(rows_of(["01201212"])[0]).values == (
        ("l0", "identity"),
        ("l1", "mb_e3_k3"),
        ("l2", "mb_e6_k5"),
        ("l3", "identity"),
        ("l4", "mb_e3_k3"),
        ("l5", "mb_e6_k5"),
        ("l6", "mb_e3_k3"),
        ("l7", "mb_e6_k5"),
    )


@pytest.mark.parametrize("name", ["", "0120121", "012012123", "0120121x", "01201213"])
def test_names_of_something_else_are_refused(name: str) -> None:
    with pytest.raises(SpaceError, match="8 digits from 0 to 2, such as '01201212'; got"):
        rows_of([name])


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        (np.zeros((2, 8)), r"integers \[n, 8\]; got float64"),
        (np.zeros((2, 7), dtype=np.int64), r"got int64 \(2, 7\)"),
        (np.full((1, 8), 3), "0 to 2; got 3"),
    ],
)
def test_rows_of_something_else_have_no_name(rows: npt.ArrayLike, says: str) -> None:
    with pytest.raises(SpaceError, match=says):
        genotypes(rows)


@pytest.mark.parametrize("options", [{"num_classes": 1}, {"resolution": 4}])
def test_options_that_make_no_network_are_refused(options: dict[str, int]) -> None:
    with pytest.raises(SpaceError, match=rf"{next(iter(options))} is \d or"):
        search_spaces.get("nas-bench-macro", **options)


@pytest.mark.parametrize("genotype", SOME)
def test_networks_are_what_pytorch_counts_and_onnxruntime_computes(genotype: str) -> None:
    row = rows_of([genotype])[0]
    torch.manual_seed(0)
    network = SPACE.build(SPACE.decode(row)).eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, 0, 0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    image = torch.randn(2, 3, 32, 32)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        expected = network(image).numpy()
    assert counter.get_total_flops() == 2 * len(image) * SPACE.macs(row)[0]
    assert sum(p.numel() for p in network.parameters()) == SPACE.parameters(row)[0]
    weights = {
        key: {name: tensor.numpy() for name, tensor in block.state_dict().items()}
        for key, block in ((k.replace("_", ".", 1), b) for k, b in network.blocks.items())
    }
    model = write(SPACE.lower_row(row), weights, batch=None).SerializeToString()
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"image": image.numpy()})
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5)
    assert expected.std() > 1e-3


def inverted(channels: int, out: int, expand: int, kernel: int, stride: int) -> nn.Sequential:
    """The benchmark's MBConv without its shortcut, layer by layer."""
    middle = round(channels * expand)
    return nn.Sequential(
        *(nn.Conv2d(channels, middle, 1, bias=False), nn.BatchNorm2d(middle), nn.ReLU()),
        nn.Conv2d(middle, middle, kernel, stride, kernel // 2, groups=middle, bias=False),
        *(nn.BatchNorm2d(middle), nn.ReLU()),
        *(nn.Conv2d(middle, out, 1, bias=False), nn.BatchNorm2d(out)),
    )


def test_one_genotype_is_the_network_that_is_described() -> None:
    """Genotype 01201212 as the benchmark's description reads, written out by hand."""
    torch.manual_seed(0)
    layers = [
        nn.Sequential(nn.Conv2d(32, 64, 1, 2, bias=False), nn.BatchNorm2d(64)),  # 0, reshapes
        inverted(64, 64, 3, 3, 1),  # 1
        inverted(64, 128, 6, 5, 2),  # 2
        inverted(128, 128, 3, 3, 1),  # 1, behind a 0 that keeps the shape
        inverted(128, 256, 6, 5, 2),  # 2
        inverted(256, 256, 3, 3, 1),  # 1
        inverted(256, 256, 6, 5, 1),  # 2
    ]
    stem = nn.Sequential(nn.Conv2d(3, 32, 3, 1, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU())
    head = nn.Sequential(nn.Conv2d(256, 1280, 1, bias=False), nn.BatchNorm2d(1280), nn.ReLU())
    linear = nn.Linear(1280, 10)
    by_hand = nn.ModuleList([stem, *layers, head, linear]).eval()
    for module in by_hand.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, 0, 0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    ours = SPACE.build(SPACE.decode(rows_of(["01201212"])[0])).eval()
    theirs = list(by_hand.state_dict().values())
    own = ours.state_dict()
    assert [tensor.shape for tensor in own.values()] == [tensor.shape for tensor in theirs]
    ours.load_state_dict(dict(zip(own, theirs, strict=True)))
    image = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        x = stem(image)
        for layer in layers:
            x = layer(x) + x if layer(x).shape == x.shape else layer(x)
        expected = linear(head(x).mean((2, 3)))
        torch.testing.assert_close(ours(image), expected, rtol=1e-5, atol=1e-6)
