from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from rich.console import Console
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

import search_spaces
from latency_lut import DeviceError, Effort, device
from latency_lut.references import references
from latency_lut.table_file import VERSION
from nas.profile import Profile, profile, render
from nas.profiling import Share, count, read, timeline
from nas.profiling.timeline import WARMUP_RUNS, block, summarise
from search_spaces.errors import ArtefactError
from search_spaces.onnx import Preprocessing, random_plan_weights, write

SPACE = search_spaces.get("small-images")
PLAN = SPACE.lower_row(SPACE.smallest)
QUICK = Effort(rounds=2, runs=2, legs=2)


def save(path: Path, batch: int | None = None, **options: Any) -> Path:
    weights = random_plan_weights(PLAN, np.random.default_rng(0))
    path.write_bytes(write(PLAN, weights, batch=batch, **options).SerializeToString())
    return path


def model_of(
    path: Path,
    nodes: list[onnx.NodeProto],
    shape: list[Any],
    constants: dict[str, np.ndarray] | None = None,
    kind: int = TensorProto.FLOAT,
    domain: str = "",
) -> Path:
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(v, k) for k, v in (constants or {}).items()],
    )
    opsets = [helper.make_opsetid("", 17), *([helper.make_opsetid(domain, 1)] if domain else [])]
    path.write_bytes(
        helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()
    )
    return path


def test_a_profile_of_our_own_file(tmp_path: Path) -> None:
    preprocessing = Preprocessing((0.5,) * 3, (0.25,) * 3, dtype="uint8", layout="NHWC")
    path = save(tmp_path / "m.onnx", preprocessing=preprocessing, metadata={"classes": "10"})
    result = profile(path, effort=QUICK)
    data = json.loads(json.dumps(result.to_dict()))
    assert next(iter(data)) == "latency_ms"
    assert 0 < data["latency_ms"] <= data["p99_ms"]
    assert data["median_ms"] <= data["p90_ms"] <= data["p99_ms"]
    assert data["images_per_s"] > 0 and data["peak_memory_bytes"] > 0
    assert data["file_bytes"] == path.stat().st_size
    assert data["macs"] == PLAN.macs
    assert data["uncounted"] == {}
    side = PLAN.image.shape[-1]
    shape = [1, side, side, 3]
    assert data["input"] == {"name": "image", "layout": "NHWC", "dtype": "uint8", "shape": shape}
    assert data["metadata"] == {"classes": "10"}
    for shares in (data["operators"], data["blocks"]):
        assert sum(share["share"] for share in shares) == pytest.approx(1)
    slots = {node.slot for node in PLAN.nodes} | {"preprocessing", "ReorderOutput"}
    assert {share["name"] for share in data["blocks"]} <= slots
    assert {"stem", "classifier", "preprocessing"} <= {share["name"] for share in data["blocks"]}
    text = shown(result)
    assert text.startswith("latency") and "time by operator" in text and "stem" in text


def table_of(path: Path, factor: float, **fingerprint: Any) -> Path:
    """A table in whose campaign the references took so many times a tenth of a millisecond."""
    here = device("cpu").fingerprint()
    usual_ms = {model.name: 0.1 * factor for model in references()}
    path.parent.mkdir(parents=True, exist_ok=True)
    document = {
        "format": "nas-loop latency table",
        "version": VERSION,
        "space": {"name": "mine", "identity": "", "options": None},
        "networks": [],
        "verified": [],
        "fingerprint": {**here.to_dict(), **fingerprint},
        "campaign": {"usual_ms": usual_ms},
    }
    path.write_text(json.dumps(document))
    return path


def shown(result: Profile) -> str:
    console = Console(file=io.StringIO(), width=150)
    console.print(render(result))
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_times_are_at_the_pace_of_a_table_if_one_is_named(tmp_path: Path) -> None:
    path = save(tmp_path / "m.onnx")
    today = profile(path, effort=QUICK)
    assert today.to_dict()["pace"] is today.to_dict()["table"] is None
    assert "the machine's of today; --table gives that of a latency table" in shown(today)
    results = [
        profile(path, effort=QUICK, table=table_of(tmp_path / f"{factor}.json", factor))
        for factor in (1.0, 1000.0)
    ]
    slow, slower = (result.to_dict() for result in results)
    assert slower["table"] == str(tmp_path / "1000.0.json")
    # Two measurements of a machine that others use as well.
    assert slower["pace"] / slow["pace"] == pytest.approx(1000, rel=0.9)
    for name in ("latency_ms", "latency_error_ms", "median_ms", "p90_ms", "p99_ms"):
        assert slower[name] > 30 * slow[name], name
    assert slower["images_per_s"] < slow["images_per_s"] / 30
    text = shown(results[1])
    assert f"of {tmp_path}/1000.0.json: times are those of today, multiplied by " in text
    assert f"multiplied by {slower['pace']:.3f}" in " ".join(text.split())


def test_the_table_of_a_run_is_that_of_the_threads(tmp_path: Path) -> None:
    path, run = save(tmp_path / "m.onnx"), tmp_path / "run"
    own = table_of(run / "latency" / "cpu.json", 1.0)
    with pytest.raises(ArtefactError, match="run: not a run folder"):
        profile(path, effort=QUICK, table=run)
    (run / "config.yaml").write_text("data: {path: digits}\n")
    assert profile(path, effort=QUICK, table=run).table == str(own)
    own.unlink()
    with pytest.raises(ArtefactError, match=r"latency/cpu.json: no latency table can be read"):
        profile(path, effort=QUICK, table=run)
    other = table_of(tmp_path / "two.json", 1.0, threads=2)
    with pytest.raises(ArtefactError, match=r"two.json: .*another device.*threads 1 here, 2 there"):
        profile(path, effort=QUICK, table=other, threads=1)
    other = table_of(other, 1.0)
    other.write_text(other.read_text().replace("usual_ms", "unusual_ms"))
    with pytest.raises(ArtefactError, match=r"two.json: the latency table is damaged .*usual_ms"):
        profile(path, effort=QUICK, table=other)


class Network(nn.Module):
    """Nothing of ours: a transposed convolution, attention's products, linear layers."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Conv2d(3, 8, 3, stride=2, padding=1, groups=1)
        self.grouped = nn.Conv2d(8, 16, 3, groups=4)
        self.up = nn.ConvTranspose2d(16, 8, 2, stride=2)
        self.out = nn.Linear(8, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.up(torch.relu(self.grouped(self.down(x)))).flatten(2)
        x = (x @ x.transpose(1, 2)).mean(1)
        return self.out(x)


def exported(path: Path, batch: int = 1) -> tuple[Path, Network]:
    network = Network().eval()
    image = torch.zeros(batch, 3, 20, 24)
    program = torch.onnx.export(network, (image,), verbose=False)
    assert program is not None
    program.save(str(path))
    return path, network


@pytest.mark.parametrize("batch", [1, 2])
def test_macs_and_parameters_agree_with_pytorchs_counters(tmp_path: Path, batch: int) -> None:
    path, network = exported(tmp_path / "t.onnx", batch)
    model = read(path)
    counted = count(model)
    with FlopCounterMode(display=False) as flops, torch.no_grad():
        network(torch.zeros(batch, 3, 20, 24))
    assert model.batch == batch
    assert counted.macs == flops.get_total_flops() // 2 // batch
    assert counted.parameters == sum(p.numel() for p in network.parameters())
    assert counted.uncounted == {}


def test_a_profile_of_a_file_that_pytorch_wrote(tmp_path: Path) -> None:
    path, _ = exported(tmp_path / "t.onnx")
    result = profile(path, effort=QUICK, threads=1)
    assert result.latency.latency_ms > 0
    assert result.shape == (1, 3, 20, 24)
    assert sum(share.share for share in result.timeline.operators) == pytest.approx(1)


def test_the_plans_of_whole_networks_are_counted_from_the_file(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for row in SPACE.sample(3, rng):
        plan = SPACE.lower_row(row)
        path = tmp_path / "m.onnx"
        path.write_bytes(write(plan, random_plan_weights(plan, rng)).SerializeToString())
        counted = count(read(path))
        assert counted.macs == plan.macs
        assert counted.parameters < plan.params, "a norm's scale and shift became one bias"


def test_open_dimensions_are_settled(tmp_path: Path) -> None:
    node = helper.make_node("GlobalAveragePool", ["x"], ["y"])
    free = model_of(tmp_path / "a.onnx", [node], ["n", "c", "h", "w"])
    model = read(free)
    assert (model.shapes["x"], model.layout) == ((1, 3, 224, 224), "NCHW")
    assert read(free, size=64).shapes["x"] == (1, 3, 64, 64)
    last = model_of(tmp_path / "b.onnx", [node], [None, 32, None, 3], kind=TensorProto.UINT8)
    model = read(last)
    assert (model.shapes["x"], model.layout, model.dtype) == ((1, 32, 224, 3), "NHWC", "uint8")
    fixed = read(model_of(tmp_path / "c.onnx", [node], [8, 1, 28, 28]))
    assert (fixed.batch, fixed.opset) == (8, 17)


def test_operators_without_a_counter_are_reported(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Strange", ["x"], ["s"], domain="mine"),
        helper.make_node("Conv", ["s", "w"], ["y"]),
    ]
    weights = {"w": np.ones((2, 3, 1, 1), np.float32)}
    path = model_of(tmp_path / "m.onnx", nodes, [1, 3, 4, 4], weights, domain="mine")
    counted = count(read(path))
    assert counted.uncounted == {"Strange": 1, "Conv": 1}, (
        "a shape that is unknown counts as nothing"
    )
    assert (counted.macs, counted.parameters) == (0, 6)


def test_quantised_layers_are_counted(tmp_path: Path) -> None:
    scale, zero = np.array(0.1, np.float32), np.array(0, np.uint8)
    inputs = ["q", "s", "z", "w", "s", "zw", "s", "z"]
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        helper.make_node("QLinearConv", inputs, ["c"]),
        helper.make_node("DequantizeLinear", ["c", "s", "z"], ["y"]),
    ]
    constants = {
        "s": scale,
        "z": zero,
        "zw": np.array(0, np.int8),
        "w": np.ones((4, 3, 3, 3), np.int8),
    }
    path = model_of(tmp_path / "q.onnx", nodes, [1, 3, 6, 6], constants)
    counted = count(read(path))
    assert counted.macs == 4 * 4 * 4 * 27
    assert counted.parameters == 4 * 27 + 3
    assert timeline(read(path), 1, "CPUExecutionProvider", np.random.default_rng(0)).operators


def test_constants_inside_nodes_and_weights_beside_the_file_count(tmp_path: Path) -> None:
    weight = numpy_helper.from_array(np.ones((600, 3, 1, 1), np.float32))
    nodes = [
        helper.make_node("Constant", [], ["w"], value=weight),
        helper.make_node("Conv", ["x", "w"], ["y"]),
    ]
    path = model_of(tmp_path / "m.onnx", nodes, [1, 3, 4, 4])
    assert count(read(path)).parameters == 1800
    proto = onnx.load(
        model_of(
            tmp_path / "w.onnx", nodes[1:], [1, 3, 4, 4], {"w": np.ones((600, 3, 1, 1), np.float32)}
        )
    )
    split = tmp_path / "split.onnx"
    onnx.save(proto, split, save_as_external_data=True, location="w.bin", size_threshold=0)
    model = read(split)
    assert model.file_bytes == split.stat().st_size + 7200
    assert count(model).parameters == 1800
    assert profile(split, effort=QUICK).latency.latency_ms > 0


def test_files_that_are_no_image_models_are_named(tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match=r"nowhere.onnx: no model can be read there"):
        profile(tmp_path / "nowhere.onnx")
    text = tmp_path / "notes.onnx"
    text.write_text("These are notes about networks.\n" * 20)
    with pytest.raises(ArtefactError, match=r"notes.onnx: this is no ONNX model"):
        profile(text)
    empty = tmp_path / "empty.onnx"
    empty.write_bytes(b"")
    with pytest.raises(ArtefactError, match=r"it has no operators"):
        profile(empty)
    cut = save(tmp_path / "cut.onnx")
    cut.write_bytes(cut.read_bytes()[:5000])
    with pytest.raises(ArtefactError, match=r"this is no ONNX model, or a truncated one"):
        profile(cut)
    node = helper.make_node("Relu", ["x"], ["y"])
    with pytest.raises(
        ArtefactError, match=r"input of four dimensions.*the inputs are x \(1, 10\)"
    ):
        profile(model_of(tmp_path / "v.onnx", [node], [1, 10]))
    with pytest.raises(ArtefactError, match=r"no model can be read there \(Is a directory\)"):
        profile(tmp_path)


def test_a_model_that_the_runtime_refuses_is_named(tmp_path: Path) -> None:
    path = model_of(
        tmp_path / "m.onnx",
        [helper.make_node("Strange", ["x"], ["y"], domain="mine")],
        [1, 3, 4, 4],
        domain="mine",
    )
    with pytest.raises(DeviceError, match=r"Strange.*loading model '.*m.onnx'"):
        profile(path, effort=QUICK)
    with pytest.raises(ArtefactError, match="onnxruntime does not run it"):
        timeline(read(path), 1, "CPUExecutionProvider", np.random.default_rng(0))
    with pytest.raises(DeviceError, match="no device 'toaster'"):
        profile(save(tmp_path / "ok.onnx"), device="toaster")


def event(name: str, operator: str, duration: float) -> dict[str, Any]:
    return {"cat": "Node", "name": name, "dur": duration, "args": {"op_name": operator}}


def test_shares_are_of_the_runs_after_the_warm_up() -> None:
    run = {"cat": "Session", "name": "model_run", "dur": 1, "args": {}}
    slow = [event("a/Conv_nchwc_kernel_time", "Conv", 1000), run]
    warm = [
        event("a/Conv_nchwc_kernel_time", "Conv", 6),
        event("b/main/Conv_nchwc_kernel_time", "Conv", 3),
        event("ReorderOutput_kernel_time", "ReorderOutput", 1),
        run,
    ]
    found = summarise(slow * WARMUP_RUNS + warm * 3)
    assert found.operators == (Share("Conv", 0.9, 2), Share("ReorderOutput", 0.1, 1))
    assert found.blocks == (Share("a", 0.6, 1), Share("b", 0.3, 1), Share("ReorderOutput", 0.1, 1))
    unnamed = summarise([*slow * WARMUP_RUNS, event("node_1_kernel_time", "Conv", 1), run])
    assert unnamed.blocks == () and unnamed.operators == (Share("Conv", 1.0, 1),)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("s1.0/expand/Conv", "s1.0"),
        ("classifier/Flatten", "classifier"),
        ("/layer1/layer1.0/conv1/Conv", "layer1.0"),
        ("/conv1/Conv", "conv1"),
        ("Conv_12", ""),
    ],
)
def test_blocks_are_read_from_node_names(name: str, expected: str) -> None:
    assert block(name, "Conv") == expected
    assert block("s1.0/Reorder", "ReorderInput") == "ReorderInput"
