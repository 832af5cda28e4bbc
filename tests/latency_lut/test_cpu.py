"""The real device: its worker, and all that can happen to it."""

from __future__ import annotations

import ast
import io
import json
import os
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import onnx
import onnxruntime
import pytest

import latency_lut
from latency_lut import worker
from latency_lut.campaign import Effort, collect
from latency_lut.cpu import CpuDevice
from latency_lut.errors import DeviceError
from latency_lut.journal import Journal
from latency_lut.latency import latencies
from latency_lut.pace import Pace
from latency_lut.references import NAMES, references
from latency_lut.seam import Model
from search_spaces.plan import Node, Plan
from search_spaces.specs import Conv, Tensor
from tests.latency_lut.synthetic import tiny_space

REFERENCE = references()[0]


def fake(script: str, takes: int | None = None) -> tuple[str, ...]:
    """A worker that says it is ready, takes a model (or ``takes`` bytes), and runs ``script``."""
    size = len(REFERENCE.content()) if takes is None else takes
    ready = "import sys, time\nsys.stdin.readline()\nprint('{\"ready\": 1}', flush=True)\n"
    model = f"sys.stdin.buffer.readline()\nsys.stdin.buffer.read({size})\n"
    return (sys.executable, "-c", ready.replace("stdin.", "stdin.buffer.") + model + script)


def loads_one(device: CpuDevice) -> None:
    with device.connect() as connection:
        list(connection.load([REFERENCE]))


def test_unknown_devices_and_impossible_threads_are_refused_in_one_line() -> None:
    with pytest.raises(DeviceError, match=r"^no device 'toaster': onnxruntime [\d.]+ of .* cpu.*$"):
        latency_lut.device("toaster")
    with pytest.raises(DeviceError, match=r"threads is from 1 to the \d+ cores.*got 0"):
        latency_lut.device("cpu", threads=0)
    assert latency_lut.device("cpu", threads=1).fingerprint().threads == 1


def test_the_fingerprint_names_machine_and_runtime() -> None:
    found = CpuDevice().fingerprint()
    assert found.runtime == f"onnxruntime {onnxruntime.__version__}"
    assert found.provider == "CPUExecutionProvider"
    assert found.cpu and found.cores >= 1 and "Linux" in found.system


def test_a_worker_that_dies_is_reported_with_its_last_words() -> None:
    device = CpuDevice(command=fake("sys.exit('out of luck')"))
    with pytest.raises(DeviceError, match=r"ended with code 1: out of luck .loading model 'ref"):
        loads_one(device)
    killed = CpuDevice(command=fake("import os, signal; os.kill(os.getpid(), signal.SIGKILL)"))
    with pytest.raises(DeviceError, match=r"ended by signal 9, without a word"):
        loads_one(killed)


def test_a_worker_that_is_gone_before_a_request_is_reported() -> None:
    device = CpuDevice(command=(sys.executable, "-c", "raise SystemExit('never started')"))
    with pytest.raises(DeviceError, match="never started"):
        loads_one(device)
    missing = CpuDevice(command=("/nonexistent/python",))
    with pytest.raises(DeviceError, match=r"does not start .*/nonexistent/python"):
        loads_one(missing)


def test_a_worker_that_hangs_is_ended() -> None:
    device = CpuDevice(command=fake("time.sleep(60)"), timeout_s=3.0)
    with pytest.raises(DeviceError, match=r"said nothing for 3 s and was\s+ended"):
        loads_one(device)
    # It does not even take the model, which is more than a pipe holds.
    assert len(REFERENCE.content()) > 1 << 16
    deaf = CpuDevice(command=fake("time.sleep(60)", takes=0), timeout_s=3.0)
    with pytest.raises(DeviceError, match=r"said nothing for 3 s.*loading model 'reference"):
        loads_one(deaf)


@pytest.mark.parametrize(
    "line",
    ["Segmentation fault", '{"other": 1}', "[1]", '{"loaded": "reference dense"}'],
    ids=["text", "json", "list", "incomplete"],
)
def test_a_worker_that_prints_rubbish_is_reported(line: str) -> None:
    device = CpuDevice(command=fake(f"print({line!r}, flush=True); time.sleep(5)"))
    with pytest.raises(DeviceError, match=r"it printed|sent .'loaded'"):
        loads_one(device)


@pytest.mark.parametrize(
    "sample",
    [
        {"sample": "reference dense", "ms": [1.0]},
        {"sample": "reference dense", "ms": [1.0, -1.0]},
        {"sample": "reference dense", "ms": [1.0, float("nan")]},
        {"sample": "reference dense", "ms": "fast"},
        {"sample": "another", "ms": [1.0, 1.0]},
    ],
)
def test_times_that_are_none_are_refused(sample: dict[str, Any]) -> None:
    loaded = {"loaded": "reference dense", "operators": {}, "run_ms": 1.0, "memory_bytes": None}
    script = f"print({json.dumps(loaded)!r}, flush=True)\nsys.stdin.readline()\n"
    device = CpuDevice(command=fake(script + f"print({json.dumps(sample)!r}, flush=True)\n"))
    with (
        device.connect() as connection,
        pytest.raises(DeviceError, match="2 or more times above 0"),
    ):
        list(connection.load([REFERENCE]))
        list(connection.time([NAMES[0]], 2))


def jumping(jump: str) -> CpuDevice:
    """The real worker, ``jump`` run before each of a visit's runs, ``clock.ahead`` its clock's."""
    script = f"""
import importlib.util, os, time, types
answers = os.dup(1)
spec = importlib.util.spec_from_file_location("worker", {worker.__file__!r})
worker = importlib.util.module_from_spec(spec)
spec.loader.exec_module(worker)
clock = types.SimpleNamespace(ahead=0.0, visits=0, reads=0)
def now():
    clock.reads += 1
    {jump}
    return time.perf_counter() + clock.ahead
visit = worker.Timer.visit
def visited(*arguments):
    clock.visits += 1
    clock.reads = 0
    return visit(*arguments)
worker.Timer.visit = visited
worker.time = types.SimpleNamespace(perf_counter=now)
worker.main()
"""
    return CpuDevice(command=(sys.executable, "-c", script))


def a_campaign(device: CpuDevice, folder: Path | None = None) -> Journal:
    journal = Journal(folder)
    if journal.header() is None:
        journal.begin({"about": "test"})
    else:
        journal.resume()
    models = [replace(one, name=f"again {one.name}") for one in references()]
    with closing(journal):
        collect(device, models, Effort(3, 3, 2), np.random.default_rng(0), journal)
    return journal


def test_a_clock_that_jumps_ahead_spoils_no_latency() -> None:
    # An hour in one run of every visit.
    device = jumping("clock.ahead += 3600.0 * (clock.visits > 0 and clock.reads == 5)")
    journal = a_campaign(device)
    visits = [visit for window in journal.windows for visit in window.visits]
    assert all(max(visit.times_ms) > 1e6 for visit in visits), "it jumped in every one of them"
    assert all(visit.minimum_ms < 1e3 for visit in visits)
    found = latencies(journal.windows, 3, np.random.default_rng(0))
    assert len(found) == 3 and all(0 < one.latency_ms < 1e3 for one in found.values())


def test_a_clock_that_jumps_back_is_named_and_no_sample_is_lost(tmp_path: Path) -> None:
    device = jumping("clock.ahead -= 3600.0 * (clock.visits == 11 and clock.reads == 5)")
    with pytest.raises(DeviceError, match="its clock jumped back, run the same command again"):
        a_campaign(device, tmp_path)
    before = Journal(tmp_path)
    with closing(before):
        before.resume()
    assert before.windows and before.loaded
    after = a_campaign(CpuDevice(), tmp_path)
    assert after.windows[: len(before.windows)] == before.windows


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("clock.visits == 11 and os.kill(os.getpid(), 9)", "ended by signal 9"),
        ("clock.visits == 11 and time.sleep(60)", "said nothing for 8 s and was ended"),
        ("clock.visits == 11 and os.write(answers, b'rubbish\\n')", "it printed 'rubbish'"),
    ],
    ids=["dies", "hangs", "rubbish"],
)
def test_a_worker_that_fails_in_the_middle_loses_no_sample(
    fault: str, said: str, tmp_path: Path
) -> None:
    with pytest.raises(DeviceError, match=said):
        a_campaign(replace(jumping(fault), timeout_s=8.0), tmp_path)
    before = Journal(tmp_path)
    with closing(before):
        before.resume()
    assert before.windows and before.loaded
    after = a_campaign(CpuDevice(), tmp_path)
    assert after.windows[: len(before.windows)] == before.windows


def test_a_disk_that_is_full_is_named() -> None:
    # What the worker says before it ends is heard, although the model was not taken.
    limited = "import resource, runpy, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (9999, 9999))"
    run = f"{limited}; runpy.run_path({worker.__file__!r}, run_name='__main__')"
    with (
        CpuDevice(command=(sys.executable, "-c", run)).connect() as connection,
        pytest.raises(DeviceError, match=r"File too large.*TMPDIR.*'reference dense'"),
    ):
        list(connection.load([REFERENCE]))


def test_a_provider_that_is_not_installed_is_refused() -> None:
    device = CpuDevice(provider="MoonExecutionProvider")
    with pytest.raises(
        DeviceError, match="no MoonExecutionProvider; it has .*CPUExecutionProvider"
    ):
        loads_one(device)


# The worker's own parts, in this process.


START = {"threads": 1, "provider": "CPUExecutionProvider"}
TIME = {"time": ["m"], "runs": 3, "visit_s": 0.0}


def serve(*requests: dict[str, Any] | bytes) -> list[dict[str, Any]]:
    answers = io.StringIO()
    parts = (
        one if isinstance(one, bytes) else json.dumps(one).encode() + b"\n" for one in requests
    )
    worker.serve(io.BytesIO(b"".join(parts)), answers)
    return [json.loads(line) for line in answers.getvalue().splitlines()]


def load(content: bytes, **options: Any) -> bytes:
    """A request and its model."""
    request = {"load": "m", "bytes": len(content), "shapes": {}, "warmup_s": 0.0, "describe": True}
    request["energy_s"] = 0.0
    return json.dumps({**request, **options}).encode() + b"\n" + content


def test_the_worker_loads_times_and_answers() -> None:
    model = REFERENCE.content()
    ready, loaded, sample = serve(START, load(model), TIME)
    assert ready["ready"] and ready["machine"]["runtime"].startswith("onnxruntime")
    assert loaded["loaded"] == "m" and loaded["run_ms"] > 0
    assert loaded["memory_bytes"] >= 0
    assert sample["sample"] == "m" and len(sample["ms"]) == 3
    (_, quiet) = serve(START, load(model, describe=False))
    assert quiet["operators"] == {}
    (_, error) = serve(START, {**TIME, "time": ["unknown"]})
    assert "KeyError" in error["error"]


def test_a_model_that_is_cut_off_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (_, error) = serve(START, load(REFERENCE.content())[:-1])
    assert "EOFError: the model was cut off" in error["error"]
    assert not list(tmp_path.iterdir())


def test_files_beside_the_worker_hide_no_package(tmp_path: Path) -> None:
    copy = tmp_path / "worker.py"
    copy.write_bytes(Path(worker.__file__).read_bytes())
    for name in ("numpy", "onnxruntime"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('the wrong one')")
    loads_one(CpuDevice(command=(sys.executable, str(copy))))


def test_the_worker_tells_of_the_machine_without_a_session(tmp_path: Path) -> None:
    (told,) = serve({"about": "machine"})
    assert told["machine"] == worker.machine()
    assert told["conditions"].keys() == {"governor", "celsius", "load"}
    cores = tmp_path / "devices" / "system" / "cpu"
    for core, governor in enumerate(("performance", "powersave", "performance")):
        (cores / f"cpu{core}" / "cpufreq").mkdir(parents=True)
        (cores / f"cpu{core}" / "cpufreq" / "scaling_governor").write_text(f"{governor}\n")
    for zone, text in enumerate(("48312\n", "51500\n", "broken\n")):
        (tmp_path / "class" / "thermal" / f"thermal_zone{zone}").mkdir(parents=True)
        (tmp_path / "class" / "thermal" / f"thermal_zone{zone}" / "temp").write_text(text)
    found = worker.conditions(tmp_path)
    assert (found["governor"], found["celsius"]) == ("performance, powersave", 51.5)
    assert found["load"] == pytest.approx(os.getloadavg()[0], abs=1)
    absent = worker.conditions(tmp_path / "nowhere")
    assert (absent["governor"], absent["celsius"]) == (None, None)


class Spied(onnxruntime.InferenceSession):
    """Counts how it is run."""

    made: ClassVar[list[Spied]] = []

    def __init__(self, path: str, options: Any, **others: Any) -> None:
        super().__init__(path, options, **others)
        self.asked, self.bound, self.unbound = options, 0, 0
        Spied.made.append(self)

    def run_with_iobinding(self, *arguments: Any, **others: Any) -> None:
        self.bound += 1
        super().run_with_iobinding(*arguments, **others)

    def run(self, *arguments: Any, **others: Any) -> Any:
        self.unbound += 1
        return super().run(*arguments, **others)


def test_inputs_are_bound_and_runs_are_warm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnxruntime, "InferenceSession", Spied)
    Spied.made.clear()
    serve(START, load(REFERENCE.content()))
    (session,) = Spied.made
    assert session.bound == worker.WARMUP_RUNS >= 5
    serve(START, load(REFERENCE.content()), TIME)
    session = Spied.made[-1]
    untimed = 1
    assert session.bound == worker.WARMUP_RUNS + untimed + TIME["runs"]
    assert not any(one.unbound for one in Spied.made)


@pytest.mark.parametrize(("threads", "pools"), [(1, []), (2, [(2, 1)])])
def test_a_session_is_asked_for_the_threads_that_were_said(
    threads: int, pools: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    made: list[tuple[int, int]] = []

    def session(path: str, options: Any, **_: Any) -> Any:
        asked.append(options)
        return SimpleNamespace(get_providers=lambda: ["CPUExecutionProvider"])

    monkeypatch.setattr(onnxruntime, "InferenceSession", session)
    monkeypatch.setattr(onnxruntime, "set_global_thread_pool_sizes", lambda *of: made.append(of))
    worker.Timer(threads, "CPUExecutionProvider")._session("model.onnx", "")
    (options,) = asked
    assert made == pools
    assert options.use_per_session_threads == (not pools)
    if not pools:
        assert (options.intra_op_num_threads, options.inter_op_num_threads) == (1, 1)
    assert options.execution_mode == onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    every = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    assert options.graph_optimization_level == every


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="needs Linux's list of threads")
@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="needs two cores")
def test_a_worker_has_as_many_threads_as_were_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")  # NumPy's own would be counted too.
    counts = []
    for threads in (1, 2):
        with latency_lut.device("cpu", threads=threads).connect() as connection:
            list(connection.load(references()[:1]))
            (one,) = threads_of_workers()
            loaded = list(connection.load(references()[1:]))
            samples = list(connection.time(NAMES, 2))
            assert threads_of_workers() == [one], "sessions share their threads"
        assert [model.model for model in loaded] == list(NAMES[1:])
        assert [sample.model for sample in samples] == list(NAMES)
        counts.append(one)
    assert counts[1] == counts[0] + 1


def threads_of_workers() -> list[int]:
    """How many threads each process has that this one started and that times models."""
    found = []
    for status in Path("/proc").glob("[0-9]*/status"):
        with suppress(OSError):
            said = dict(line.split(":", 1) for line in status.read_text().splitlines())
            command = status.with_name("cmdline").read_bytes()
            if int(said["PPid"]) == os.getpid() and worker.__file__.encode() in command:
                found.append(int(said["Threads"]))
    return found


def test_operators_are_read_from_the_bytes_as_onnx_reads_them(tmp_path: Path) -> None:
    path, optimised = tmp_path / "m.onnx", tmp_path / "optimised.onnx"
    path.write_bytes(REFERENCE.content())
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.optimized_model_filepath = str(optimised)
    onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    expected: Counter[str] = Counter()
    for node in onnx.load(optimised).graph.node:
        act = [a.s.decode() for a in node.attribute if a.name == "activation"]
        expected["+".join([node.op_type, *act])] += 1
    found = worker.operators(optimised.read_bytes())
    assert found == dict(expected)
    assert found["Conv+HardSwish"] == 3
    (_, loaded) = serve(START, load(path.read_bytes()))
    assert loaded["operators"] == found


@pytest.mark.parametrize(
    ("dtype", "shape"), [("uint8", [1, 8, 8, 3]), ("float16", [2]), ("int64", [1]), ("double", [1])]
)
def test_inputs_of_every_type_are_filled(dtype: str, shape: list[int]) -> None:
    kinds = {"uint8": 2, "float16": 10, "int64": 7, "double": 11}
    x = onnx.helper.make_tensor_value_info("x", kinds[dtype], [None] * len(shape))
    y = onnx.helper.make_tensor_value_info("y", 1, None)
    node = onnx.helper.make_node("Cast", ["x"], ["y"], to=1)
    model = onnx.helper.make_model(
        onnx.helper.make_graph([node], "g", [x], [y]),
        opset_imports=[onnx.helper.make_opsetid("", 17)],
        ir_version=8,
    )
    content = model.SerializeToString()
    (_, loaded) = serve(START, load(content, shapes={"x": shape}))
    assert loaded["loaded"] == "m"
    (_, open_shape) = serve(START, load(content))
    assert open_shape["loaded"] == "m"


def test_an_input_of_an_unknown_type_is_refused() -> None:
    x = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.STRING, [1])
    y = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.STRING, [1])
    graph = onnx.helper.make_graph([onnx.helper.make_node("Identity", ["x"], ["y"])], "g", [x], [y])
    opsets = [onnx.helper.make_opsetid("", 17)]
    model = onnx.helper.make_model(graph, opset_imports=opsets, ir_version=8)
    (_, error) = serve(START, load(model.SerializeToString()))
    assert "tensor(string)" in error["error"]


def test_a_small_table_of_this_machine(tmp_path: Path) -> None:
    space = tiny_space((16,))
    table = latency_lut.measure(
        space,
        latency_lut.device("cpu"),
        rng=np.random.default_rng(0),
        effort=latency_lut.Effort(rounds=3, runs=3, legs=2),
        whole_networks=6,
        held_out=3,
        folder=tmp_path / "campaign",
        allow_noisy=True,
    )
    table.save(tmp_path / "cpu.json")
    loaded = latency_lut.LatencyTable.load(tmp_path / "cpu.json", space)
    loaded.require(latency_lut.device("cpu").fingerprint())
    rows = space.sample(20, np.random.default_rng(0))
    mean, std = loaded.predict(rows, return_std=True)
    assert (mean > 0).all() and (std > 0).all()
    largest, smallest = loaded.predict(np.stack([space.largest, space.smallest]))
    assert largest > smallest
    fused = [e for key, e in loaded.entries.items() if key.startswith("FusedMBConv")]
    assert all(entry.operators.get("Conv+HardSwish") == 1 for entry in fused)


def test_whole_networks_of_this_machine() -> None:
    space = tiny_space((16,))
    models = [
        latency_lut.network_model(name, space.lower_row(row))
        for name, row in (("small", space.smallest), ("large", space.largest))
    ]
    effort = latency_lut.Effort(rounds=3, runs=3, legs=2)
    options: dict[str, Any] = {"rng": np.random.default_rng(0), "effort": effort}
    device = latency_lut.device("cpu")
    began = time.monotonic()
    small, large = latency_lut.measure_networks(models, device, **options)
    took = time.monotonic() - began
    told = latency_lut.networks_seconds([small.latency_ms, large.latency_ms], effort)
    assert took / 8 < told < 8 * took, "right to the order on a machine that does other things"
    assert (small.name, large.name) == ("small", "large")
    assert 0 < small.latency_ms < large.latency_ms
    for one in (small, large):
        assert one.latency.floor_ms <= one.median_ms <= one.p90_ms <= one.p99_ms
        assert one.images_per_s > 0
        assert one.peak_memory_bytes is not None and 0 < one.peak_memory_bytes < 1 << 28
    with pytest.raises(DeviceError, match="two have the same"):
        latency_lut.measure_networks([models[0]] * 2, device, **options)


def test_another_campaigns_pace_sets_the_scale() -> None:
    from tests.latency_lut.synthetic import SyntheticDevice

    plan = Plan((Node("c", Conv.resolve((Tensor((3, 8, 8)),), out=8), (-1,), "c"),), (0,))
    model = latency_lut.network_model("m", plan)
    device = SyntheticDevice()
    options: dict[str, Any] = {"rng": np.random.default_rng(0), "memory": False}
    (own,) = latency_lut.measure_networks([model], device, **options)
    usual = {name: 2 * device.known[name] for name in NAMES}
    (scaled,) = latency_lut.measure_networks([model], device, pace=Pace(usual), **options)
    assert own.pace is None and scaled.pace == pytest.approx(2)
    for name in ("latency_ms", "median_ms", "p90_ms", "p99_ms"):
        assert getattr(scaled, name) == pytest.approx(2 * getattr(own, name)), name
    assert scaled.latency.floor_ms == pytest.approx(2 * own.latency.floor_ms)
    assert scaled.images_per_s == pytest.approx(own.images_per_s / 2)
    assert own.peak_memory_bytes is None


def test_models_are_made_when_they_are_sent() -> None:
    made: list[str] = []

    def content() -> bytes:
        made.append("now")
        return REFERENCE.content()

    model = Model("late", content)
    assert not made
    with CpuDevice().connect() as connection:
        loaded = connection.load([model] * 4)
        next(loaded)
        assert len(made) == 2, "and one ahead, while the device loads"


def test_the_worker_needs_nothing_of_ours_and_an_old_python() -> None:
    """Its syntax and its modules: it is copied to devices as it is."""
    allowed = {*sys.stdlib_module_names, "numpy", "onnxruntime"}
    source = Path(worker.__file__).read_text(encoding="utf-8")
    asked = set()
    for node in ast.walk(ast.parse(source, feature_version=(3, 9))):
        if isinstance(node, ast.Import):
            asked |= {one.name.split(".")[0] for one in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            asked.add(str(node.module).split(".")[0])
    assert {"numpy", "onnxruntime"} <= asked <= allowed
