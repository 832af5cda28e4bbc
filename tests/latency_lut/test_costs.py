"""Memory and energy of networks, on a device whose truth is known and on this machine."""

from __future__ import annotations

import ctypes
import functools
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import latency_lut
import search_spaces
from latency_lut import Effort, LatencyTable, measure, measure_costs, merged, worker
from latency_lut.alone import COST_NETWORKS, spread
from latency_lut.costs import FEATURES, NAMES, features, fitted, predict
from latency_lut.populations import resolutions_of
from latency_lut.seam import Connection, Loaded
from search_spaces.errors import ArtefactError
from search_spaces.onnx import random_plan_weights, write
from tests.latency_lut.synthetic import SyntheticConnection, SyntheticDevice, tiny_space

SPACE = tiny_space()
TRUTH = {"peak_memory_mb": (1.0, 2.0, 3.0, 0.0), "energy_mj": (0.5, 0.0, 0.0, 200.0)}


@dataclass
class Telling(SyntheticDevice):
    """Tells memory and energy as ``TRUTH`` has them, of the figures in ``tells``."""

    tells: tuple[str, ...] = NAMES

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        with super().connect() as connection:
            assert isinstance(connection, SyntheticConnection)
            yield TellingConnection(self, connection.rng)


class TellingConnection(SyntheticConnection):
    def load(self, models, warmup_s=0.02, describe=True, energy_s=0.0):  # type: ignore[no-untyped-def]
        assert isinstance(self.device, Telling)
        for one in super().load(models, warmup_s, describe, energy_s):
            yield replace(one, **self._told(one, energy_s))

    def _told(self, one: Loaded, energy_s: float) -> Mapping[str, float | None]:
        if not one.model.startswith("network"):
            return {"memory_bytes": 7, "energy_mj": None}
        if not energy_s:
            return {}
        assert len(self.loaded) == 2, "alone, after a reference"
        row = np.array([[int(option) for option in one.model.split()[2].split(".")]])
        told = {name: float((features(SPACE, row) @ np.array(TRUTH[name]))[0]) for name in NAMES}
        device = self.device
        assert isinstance(device, Telling)
        memory = told["peak_memory_mb"] * 1e6 if "peak_memory_mb" in device.tells else None
        return {
            "memory_bytes": None if memory is None else round(memory),
            "energy_mj": told["energy_mj"] if "energy_mj" in device.tells else None,
        }


def test_figures_of_all_networks_follow_from_a_few() -> None:
    device = Telling()
    costs = measure_costs(SPACE, device, np.random.default_rng(0), [16, 24])
    assert device.connections == len(costs.measured) == 12 and costs.absent == ()
    X = SPACE.sample(100, np.random.default_rng(1))
    for name in NAMES:
        assert costs.fits[name].mape < 1e-4
        truth = features(SPACE, X) @ np.array(TRUTH[name])
        np.testing.assert_allclose(predict(SPACE, costs.fits[name], X), truth, rtol=1e-3)


def test_networks_are_spread_over_all_sides_and_sizes() -> None:
    sides = tuple(range(16, 56, 2))
    space = tiny_space(sides)
    together = []
    for seed in range(3):
        rows = np.array(spread(space, np.random.default_rng(seed), sides))
        seen = set(resolutions_of(space, space.index(rows)).tolist())
        assert len(seen) == COST_NETWORKS and {16, 54} <= seen
        parameters = space.parameters(rows)
        ends = space.parameters(np.stack([space.smallest, space.largest]))
        assert parameters.min() < 1.2 * ends[0] and parameters.max() > 0.8 * ends[1]
        together.append(rows)
    rows = np.concatenate(together)
    size, side = space.parameters(rows), resolutions_of(space, space.index(rows))
    assert abs(np.corrcoef(size, side)[0, 1]) < 0.5, "the largest network is not at one side"


def test_a_figure_that_nothing_explains_says_so() -> None:
    rng = np.random.default_rng(0)
    rows = [tuple(row) for row in SPACE.sample(12, rng).tolist()]
    noisy = [{"peak_memory_mb": float(v), "energy_mj": None} for v in rng.uniform(1, 3, 12)]
    costs = fitted(SPACE, list(zip(rows, noisy, strict=True)))
    assert costs.fits["peak_memory_mb"].mape > 0.1
    assert min(costs.fits["peak_memory_mb"].coefficients) >= 0
    assert costs.absent == ("energy_mj",)


def test_a_device_that_tells_nothing_is_asked_once() -> None:
    device = Telling(tells=())
    costs = measure_costs(SPACE, device, np.random.default_rng(0), [16])
    assert device.connections == 1 and costs.absent == NAMES and costs.fits == {}


def test_a_table_carries_them(tmp_path: Path) -> None:
    table = measure(
        SPACE,
        Telling(),
        rng=np.random.default_rng(0),
        resolutions=[16],
        effort=Effort(rounds=2, runs=1),
        whole_networks=4,
        held_out=0,
    )
    X = table.space.sample(20, np.random.default_rng(0))
    with pytest.raises(ArtefactError, match="no energy_mj: nobody measured it"):
        table.cost("energy_mj", X)
    costs = measure_costs(SPACE, Telling(), np.random.default_rng(0), [16])
    table = replace(table, costs=costs)
    table.save(tmp_path / "t.json")
    loaded = LatencyTable.load(tmp_path / "t.json", SPACE)
    assert loaded.costs is not None and loaded.costs.measured == costs.measured
    for name in NAMES:
        np.testing.assert_allclose(loaded.cost(name, X), predict(SPACE, costs.fits[name], X))
    other = replace(table, fits={24: table.fits[16]})
    assert merged(table, other).costs is costs
    assert merged(table, replace(other, costs=None)).costs is costs
    assert merged(replace(table, costs=None), other).costs is costs
    silent = replace(table, costs=measure_costs(SPACE, Telling(tells=("peak_memory_mb",)),
                                                np.random.default_rng(0), [16]))  # fmt: skip
    with pytest.raises(
        ArtefactError, match="has peak_memory_mb, no energy_mj: the device does not tell"
    ):
        silent.cost("energy_mj", X)
    document = json.loads((tmp_path / "t.json").read_text())
    assert document["costs"]["features"] == list(FEATURES) and document["costs"]["absent"] == []
    document["costs"]["features"] = ["phase of the moon"]
    (tmp_path / "t.json").write_text(json.dumps(document))
    with pytest.raises(ArtefactError, match="damaged"):
        LatencyTable.load(tmp_path / "t.json", SPACE)


def test_the_memory_of_this_machines_networks() -> None:
    space = search_spaces.get("small-images", resolutions=(32,))
    costs = measure_costs(space, latency_lut.device("cpu"), np.random.default_rng(0), [32])
    fit = costs.fits["peak_memory_mb"]
    assert fit.mape < 0.3
    ends = predict(space, fit, np.stack([space.smallest, space.largest]))
    weights = 4e-6 * space.parameters(space.largest)[0]
    assert ends[0] < ends[1] and weights / 2 < ends[1] < 100 * weights


def counters(folder: Path, *values: int) -> Path:
    for number, value in enumerate(values):
        package = folder / "class" / "powercap" / f"intel-rapl:{number}"
        package.mkdir(parents=True, exist_ok=True)
        (package / "energy_uj").write_text(f"{value}\n")
        (package / "max_energy_range_uj").write_text("1000000\n")
    part = folder / "class" / "powercap" / "intel-rapl:0:0"
    part.mkdir(parents=True, exist_ok=True)
    (part / "energy_uj").write_text("5\n")
    return folder


def test_energy_is_what_the_counters_gain_for_each_run(tmp_path: Path) -> None:
    runs = []

    def run() -> float:
        runs.append(1)
        # The first package begins again at a joule; together 30 millijoules a run.
        counters(tmp_path, (900_000 + 20_000 * len(runs)) % 1_000_000, 10_000 * len(runs))
        time.sleep(0.01)
        return 0.0

    counters(tmp_path, 900_000, 0)
    read = functools.partial(worker._joules, tmp_path)
    assert worker.energy_mj(run, 0.3, read) == pytest.approx(30, rel=1e-6)
    assert 5 < len(runs) < 49, "the counters began again once"
    assert worker.energy_mj(run, 0.01, lambda: worker._joules(tmp_path / "none")) is None
    (tmp_path / "class" / "powercap" / "intel-rapl:1" / "energy_uj").write_text("secret")
    assert worker.energy_mj(lambda: 0.0, 0.01, read) is None


class Driver:
    """NVIDIA's management library with two cards, called as a library in C is.

    Card 0 has counted 7 J. The signatures are those of its header, nvml.h.
    """

    def __init__(self, energy: int = 0) -> None:
        """``energy``: what asking for it returns; not 0 for a card that does not count it."""
        number, text, pointer = ctypes.c_uint, ctypes.c_char_p, ctypes.POINTER(ctypes.c_void_p)
        value = ctypes.POINTER(ctypes.c_ulonglong)

        def handle(card: int, found: Any) -> int:
            found[0] = 1000 + card
            return 0 if card < 2 else 2

        def count(card: int, found: Any) -> int:
            found[0] = 7000 * (1001 - card)
            return energy

        self.nvmlInit_v2 = ctypes.CFUNCTYPE(ctypes.c_int)(lambda: 0)
        self.nvmlShutdown = ctypes.CFUNCTYPE(ctypes.c_int)(lambda: 0)
        self.nvmlDeviceGetHandleByIndex_v2 = ctypes.CFUNCTYPE(ctypes.c_int, number, pointer)(handle)
        self.nvmlDeviceGetHandleByUUID = ctypes.CFUNCTYPE(ctypes.c_int, text, pointer)(
            lambda name, found: handle({b"GPU-0": 0, b"GPU-1": 1}.get(name, 9), found)
        )
        self.nvmlDeviceGetTotalEnergyConsumption = ctypes.CFUNCTYPE(
            ctypes.c_int, ctypes.c_void_p, value
        )(count)


@pytest.mark.parametrize(
    ("visible", "number", "joules"),
    [("", 0, 7.0), ("", 1, 0.0), ("1,0", 1, 7.0), ("GPU-1,GPU-0", 1, 7.0)],
)
def test_a_card_is_asked_for_what_its_driver_counted(
    visible: str, number: int, joules: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    monkeypatch.setattr(ctypes, "CDLL", lambda name: Driver())
    assert worker._card_joules(number) == ([joules], [0.0])


def test_a_card_that_counts_no_energy_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(ctypes, "CDLL", lambda name: Driver(energy=3))
    assert worker._card_joules(0) is None
    monkeypatch.setattr(ctypes, "CDLL", lambda name: Driver())
    assert worker._card_joules(5) is None, "there is no such card"

    def missing(name: str) -> Any:
        raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.setattr(ctypes, "CDLL", missing)
    assert worker._card_joules(0) is None


@pytest.mark.parametrize("name", ["small-images", "ofa-mobilenetv3", "ofa-resnet50"])
def test_what_is_alive_at_once_is_that_of_the_written_graph(name: str) -> None:
    """Against the graph's own order: maps that exist while each of its convolutions runs."""
    options = {} if name == "small-images" else {"width": 0.35} if "v3" in name else {}
    space = search_spaces.get(
        name, resolutions=(32,) if name == "small-images" else (128,), **options
    )
    rng = np.random.default_rng(0)
    for row in space.sample(3, rng):
        plan = space.lower_row(row)
        model = onnx.shape_inference.infer_shapes(write(plan, random_plan_weights(plan, rng)))
        peaks = alive(model)
        for node in plan.nodes:
            if node.slot in peaks and len(node.spec.output.shape) == 3:
                assert node.spec.live == pytest.approx(peaks[node.slot], rel=0.05), node.spec


def alive(model: onnx.ModelProto) -> dict[str, int]:
    """Elements of maps alive at once, at most, by the slot that stands first in nodes' names.

    An operator that is no convolution writes over its (largest) input.
    """
    size = {
        value.name: int(np.prod([d.dim_value for d in value.type.tensor_type.shape.dim]))
        for value in (*model.graph.value_info, *model.graph.input, *model.graph.output)
    }
    constants = {tensor.name for tensor in model.graph.initializer}
    same: dict[str, str] = {}

    def map_of(name: str) -> str:
        while name in same:
            name = same[name]
        return name

    steps = []
    for node in model.graph.node:
        taken = [map_of(n) for n in node.input if n and n not in constants and n in size]
        given = node.output[0]
        if node.op_type not in ("Conv", "Gemm", "MaxPool", "AveragePool") and taken:
            same[given] = max(taken, key=lambda n: size[n])
            steps.append((node, taken, []))
        else:
            steps.append((node, taken, [given]))
    peaks: dict[str, int] = {}
    for at, (node, taken, given) in enumerate(steps):
        slot = node.name.split("/")[0]
        later = {n for _, names, _ in steps[at:] for n in names}
        before = {n for _, _, names in steps[:at] for n in names} | {model.graph.input[0].name}
        living = (before & later) | set(taken) | set(given)
        peaks[slot] = max(peaks.get(slot, 0), sum(size[n] for n in living))
    return peaks
