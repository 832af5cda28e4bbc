"""What every device has to pass. A new one is a line in DEVICES."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator

import numpy as np
import pytest

import latency_lut
from latency_lut.cpu import CpuDevice
from latency_lut.errors import DeviceError
from latency_lut.fingerprint import Fingerprint
from latency_lut.references import NAMES, references
from latency_lut.seam import Device, Model
from tests.latency_lut import chromium
from tests.latency_lut.phone import Phone, phone_with_tool
from tests.latency_lut.synthetic import SyntheticDevice

Request = pytest.FixtureRequest


def openvino(request: Request) -> Device:
    """A second real runtime, in an environment of its own: onnxruntime's packages are exclusive."""
    python = os.environ.get("NAS_LOOP_OPENVINO")
    if not python:
        pytest.skip("NAS_LOOP_OPENVINO names no Python that has onnxruntime-openvino")
    request.getfixturevalue("monkeypatch").setenv("NAS_LOOP_PYTHON", python)
    return latency_lut.device("openvino")


DEVICES: dict[str, Callable[[Request], Device]] = {
    "cpu": lambda request: latency_lut.device("cpu"),
    "cpu, 2 threads": lambda request: latency_lut.device("cpu", threads=2),
    # Inputs and outputs bound in a named memory, the clock stopped once they are there.
    "cpu, bound as on a card": lambda request: CpuDevice(memory=("cpu", 0)),
    "openvino": openvino,
    "adb": lambda request: request.getfixturevalue("phone") and latency_lut.device("adb"),
    "browser": lambda request: chromium.opened(),
    "browser, WebGPU without a card": lambda request: chromium.opened("webgpu"),
    "ssh": lambda request: request.getfixturevalue("sshd").device(),
    "synthetic": lambda request: SyntheticDevice(),
}


@pytest.fixture(scope="module")
def phone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Phone]:
    with phone_with_tool(tmp_path_factory.mktemp("adb")) as one:
        yield one


SLOW = ("browser, WebGPU without a card",)


@pytest.fixture(
    params=[pytest.param(one, marks=[pytest.mark.slow] * (one in SLOW)) for one in DEVICES]
)
def device(request: Request) -> Device:
    return DEVICES[request.param](request)


def test_it_has_a_name_and_a_fingerprint_that_is_plain_data(device: Device) -> None:
    found = device.fingerprint()
    assert isinstance(found, Fingerprint)
    assert found == device.fingerprint(), "the same device, the same fingerprint"
    assert Fingerprint.from_dict(json.loads(json.dumps(found.to_dict()))) == found
    assert found.device == device.name and found.threads in (1, 2)
    assert found.differences(found) == ""


def test_it_tells_its_conditions_as_plain_data(device: Device) -> None:
    found = device.conditions()
    assert json.loads(json.dumps(dict(found))) == found
    assert all(value is None or isinstance(value, str | int | float) for value in found.values())


def test_it_times_models_in_the_order_of_the_visits(device: Device) -> None:
    with device.connect() as connection:
        loaded = list(connection.load(references()))
        assert [one.model for one in loaded] == list(NAMES)
        assert all(one.run_ms > 0 for one in loaded)
        visits = [NAMES[2], NAMES[0], NAMES[0], NAMES[1]]
        samples = list(connection.time(visits, 3))
        assert [sample.model for sample in samples] == visits
        for sample in samples:
            assert len(sample.times_ms) >= 3
            assert np.isfinite(sample.times_ms).all() and sample.minimum_ms > 0
            assert sample.minimum_ms == min(sample.times_ms)
        assert [sample.model for sample in connection.time([NAMES[1]], 2)] == [NAMES[1]]


def test_it_loads_more_models_later_and_knows_the_earlier_ones(device: Device) -> None:
    first, second, _ = references()
    with device.connect() as connection:
        assert len(list(connection.load([first]))) == 1
        assert len(list(connection.load([second], describe=False))) == 1
        assert len(list(connection.time([NAMES[0], NAMES[1]], 1))) == 2


def test_a_connection_starts_with_nothing_loaded(device: Device) -> None:
    with device.connect() as connection:
        list(connection.load(references()))
    with device.connect() as connection, pytest.raises(DeviceError):
        list(connection.time([NAMES[0]], 1))


def test_a_model_that_it_cannot_run_is_named(device: Device) -> None:
    with device.connect() as connection, pytest.raises(DeviceError, match="'broken'"):
        list(connection.load([Model("broken", lambda: b"no model")]))
