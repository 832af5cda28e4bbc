"""Execution providers as devices, and the Python that measures with them."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import onnx
import onnxruntime
import pytest

import latency_lut
from latency_lut import nvidia, worker
from latency_lut.cpu import CpuDevice
from latency_lut.errors import DeviceError
from latency_lut.providers import find, short_name
from latency_lut.references import references

REFERENCE = references()[0]
INSTALLED = ("CUDAExecutionProvider", "VitisAIExecutionProvider", "CPUExecutionProvider")


def script(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_a_name_says_provider_number_and_memory() -> None:
    card = find("cuda:1", 1, INSTALLED)
    assert card is not None and card.name == "CUDAExecutionProvider"
    assert card.memory == ("cuda", 1)
    assert card.options == {"device_id": "1", "cudnn_conv_algo_search": "EXHAUSTIVE"}
    assert find("cuda", 1, INSTALLED) == find("cuda:0", 1, INSTALLED)
    engine = find("tensorrt:1", 1, ("TensorrtExecutionProvider",))
    assert engine is not None and engine.memory == ("cuda", 1)
    assert engine.options == {
        "device_id": "1",
        "trt_fp16_enable": "0",
        "trt_int8_enable": "0",
        "trt_engine_cache_enable": "0",
    }
    own = find("openvino", 3, ("OpenVINOExecutionProvider",))
    assert own is not None and own.options["num_of_threads"] == "3" and own.memory is None
    unlisted = find("vitisai", 1, INSTALLED)
    assert unlisted is not None and unlisted.name == "VitisAIExecutionProvider"
    assert not unlisted.options
    for name in ("tensorrt:0", "cpu:1", "cuda:x", "vitisai:0", "", "CUDA"):
        assert find(name, 1, INSTALLED) is None, name


@pytest.mark.parametrize(
    ("provider", "name"),
    [
        ("TensorrtExecutionProvider", "tensorrt"),
        ("XnnpackExecutionProvider", "xnnpack"),
        ("DnnlExecutionProvider", "dnnl"),
        ("CoreMLExecutionProvider", "coreml"),
        ("DmlExecutionProvider", "directml"),
        ("OpenVINOExecutionProvider", "openvino"),
    ],
)
def test_every_provider_has_a_name_that_leads_back_to_it(provider: str, name: str) -> None:
    assert short_name(provider) == name
    found = find(name, 2, (provider,))
    assert found is not None and found.name == provider
    assert all(isinstance(value, str) for value in found.options.values())


def test_a_provider_that_is_not_here_is_refused_with_those_that_are() -> None:
    with pytest.raises(DeviceError, match=r"^no device 'moon:0': onnxruntime .* cpu.*onnxruntime-"):
        latency_lut.device("moon:0")
    with pytest.raises(DeviceError, match=r"threads is from 1 to the \d+ cores"):
        latency_lut.device("openvino", threads=0)


@pytest.mark.skipif(
    "AzureExecutionProvider" not in onnxruntime.get_available_providers(),
    reason="needs the provider that is in PyPI's wheel and runs nothing by itself",
)
def test_the_processor_is_never_timed_in_another_providers_name() -> None:
    device = latency_lut.device("azure")
    assert device.fingerprint().provider == "AzureExecutionProvider"
    with (
        device.connect() as connection,
        pytest.raises(DeviceError, match=r"^azure: .*fallback to CPU EP .*'reference dense'"),
    ):
        list(connection.load([REFERENCE]))


# The worker's own parts, in this process.


def serve(settings: dict[str, Any], content: bytes) -> list[dict[str, Any]]:
    """The answers to the settings, a model to load, and two runs of it."""
    load = {
        "load": "m",
        "bytes": len(content),
        "shapes": {},
        "warmup_s": 0.0,
        "describe": True,
        "energy_s": 0,
    }
    time = {"time": ["m"], "runs": 2, "visit_s": 0}
    first, second, third = (json.dumps(one).encode() + b"\n" for one in (settings, load, time))
    answers = io.StringIO()
    worker.serve(io.BytesIO(first + second + content + third), answers)
    return [json.loads(line) for line in answers.getvalue().splitlines()]


def test_inputs_and_outputs_are_bound_where_the_settings_say() -> None:
    # The code that binds on a card, with the memory that every machine has.
    settings = {"threads": 1, "provider": "CPUExecutionProvider", "memory": ["cpu", 0]}
    _, loaded, sample = serve(settings, REFERENCE.content())
    assert loaded["operators"] and len(sample["ms"]) == 2 and min(sample["ms"]) > 0
    assert loaded["memory_bytes"] is None, "a card's memory is not this process's"
    _, error = serve({**settings, "memory": ["moon", 0]}, REFERENCE.content())
    assert "moon" in error["error"]


def test_a_provider_gets_its_options_and_may_leave_no_graph_to_write() -> None:
    class Compiling(onnxruntime.InferenceSession):
        """As a runtime behaves whose provider compiles what it runs."""

        asked = 0

        def __init__(self, path: str, options: Any, **others: Any) -> None:
            Compiling.asked += 1
            assert others["providers"] == [("CPUExecutionProvider", {"device_id": "0"})]
            if options.optimized_model_filepath:
                raise RuntimeError("Unable to serialize model as it contains compiled nodes.")
            super().__init__(path, options, **others)

    class Runtime:
        InferenceSession = Compiling

        def __getattr__(self, name: str) -> Any:
            return getattr(onnxruntime, name)

    timer = worker.Timer(1, "CPUExecutionProvider", {"device_id": "0"})
    timer.runtime = Runtime()
    content = REFERENCE.content()
    for asked in (2, 3):  # It is not compiled twice from the second model on.
        loaded = timer.load("m", io.BytesIO(content), len(content), {}, 0.0, True)
        assert loaded["operators"] == {}
        assert Compiling.asked == asked


def test_a_provider_that_does_not_start_is_refused(tmp_path: Path) -> None:
    x = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])
    graph = onnx.helper.make_graph([], "no nodes, none on the processor", [x], [x])
    opsets = [onnx.helper.make_opsetid("", 17)]
    path = tmp_path / "m.onnx"
    onnx.save(onnx.helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
    timer = worker.Timer(1, "CPUExecutionProvider")
    timer.provider = "CUDAExecutionProvider"
    with (
        pytest.warns(UserWarning, match="not in available"),
        pytest.raises(ValueError, match="CUDAExecutionProvider does not start here"),
    ):
        timer._session(str(path), "")


# Another Python.


def test_another_python_measures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = script(tmp_path / "python", f'exec {sys.executable} "$@"')
    monkeypatch.setenv("NAS_LOOP_PYTHON", str(other))
    device = latency_lut.device("cpu")
    assert isinstance(device, CpuDevice) and device.command[0] == str(other)
    assert device.fingerprint() == CpuDevice().fingerprint()
    with device.connect() as connection:
        assert len(list(connection.load([REFERENCE]))) == 1


def test_a_python_that_cannot_measure_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = script(tmp_path / "bare", f'exec {sys.executable} -S "$@"')
    monkeypatch.setenv("NAS_LOOP_PYTHON", str(bare))
    with pytest.raises(DeviceError, match=r"No module named .*NAS_LOOP_PYTHON names the Python"):
        latency_lut.device("cpu").fingerprint()
    monkeypatch.setenv("NAS_LOOP_PYTHON", str(tmp_path / "none"))
    with pytest.raises(DeviceError, match=r"does not start .*/none; NAS_LOOP_PYTHON names"):
        latency_lut.device("openvino")


# NVIDIA's own tool, played by a script that answers as it does.

SMI = """\
case "$*" in
*name,driver_version*--id=1) echo "NVIDIA H100 PCIe, 550.54.15";;
*clocks.sm*--id=1) echo "1755 MHz, 1593 MHz, 1980 MHz, 34, 68.20 W, P0";;
*) echo "No devices were found"; exit 6;;
esac"""


def test_a_cards_name_and_clocks_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert nvidia.card(1) == ("", "") and nvidia.conditions(1) == {}
    device = CpuDevice(memory=("cuda", 1))
    alone = device.fingerprint().cpu
    script(tmp_path / "nvidia-smi", SMI)
    found = device.fingerprint()
    assert found.cpu == f"NVIDIA H100 PCIe in {alone}"
    assert found.runtime.endswith(", driver 550.54.15"), "updated like a runtime"
    told = device.conditions()
    assert told["clocks.sm"] == "1755 MHz" and told["temperature.gpu"] == "34"
    assert nvidia.card(0) == ("", "") and "clocks.sm" not in CpuDevice().conditions()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    assert nvidia.card(0) == ("NVIDIA H100 PCIe", "550.54.15"), "the only one that is seen"
