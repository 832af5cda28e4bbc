"""A phone: the real adb client, a stand-in behind it, and all that can go wrong between them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import onnx
import pytest

import latency_lut
from latency_lut.android import AdbDevice, perf_test
from latency_lut.android import phone as phones
from latency_lut.campaign import Progress, collect
from latency_lut.errors import DeviceError
from latency_lut.journal import Journal
from latency_lut.references import references
from latency_lut.seam import Model
from search_spaces.plan import Node, Plan
from search_spaces.specs import Conv, Tensor
from tests.latency_lut.phone import OLD, Phone, adb, made, phone_with_tool, until

REFERENCE = references()[1]


@pytest.fixture(scope="module")
def phone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Phone]:
    with phone_with_tool(tmp_path_factory.mktemp("adb")) as one:
        yield one


@pytest.fixture
def tool(phone: Phone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tool of this test's own, to be written."""
    path = tmp_path / "onnxruntime_perf_test"
    monkeypatch.setenv("NAS_LOOP_PERF_TEST", str(path))
    return path


def load_one(device: latency_lut.Device) -> None:
    with device.connect() as connection:
        list(connection.load([REFERENCE]))


def rows(seconds: list[str], name: str = "0") -> str:
    return "".join(f"{name},{s},1048576,50,{n}\n" for n, s in enumerate(seconds))


# The tool's answer. The texts are what the streams in its source print.

TIMES = ["0.5"] * 10 + ["0.00123457", "9.87654e-05", "1.2e-05"]
OLD_STATISTICS = "\nMin Latency is 9.87654e-05sec\nP50 Latency is 0.00123457sec\n"
NEW_STATISTICS = "\nMin Latency: 9.87654e-05 s\nP50 Latency: 0.00123457 s\n"


@pytest.mark.parametrize("statistics", ["", OLD_STATISTICS, NEW_STATISTICS])
def test_results_of_old_and_new_versions_are_read(statistics: str) -> None:
    found = perf_test.parse(rows(TIMES, "a,b") + statistics, 3)
    assert found.times_ms == pytest.approx([1.23457, 0.0987654, 0.012], rel=1e-12)
    assert found.peak_bytes == 1048576


def test_a_processor_share_of_minus_one_and_no_memory_are_taken() -> None:
    text = "".join(f"m,0.001,0,-1,{n}\n" for n in range(11))
    assert perf_test.parse(text, 1) == perf_test.Result((1.0,), None)


@pytest.mark.parametrize(
    "text",
    [
        "",
        rows(TIMES[:-1]),
        rows(TIMES)[:-4],
        rows(TIMES) + rows(TIMES),
        rows([*TIMES[:-1], "0"]),
        rows([*TIMES[:-1], "nan"]),
        rows(TIMES).replace(",12\n", ",13\n"),
        "Segmentation fault",
        "failed to open result file",
    ],
)
def test_results_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"rows|above 0"):
        perf_test.parse(text, 3)


def test_all_options_are_said_and_other_providers_may_not_fall_back() -> None:
    cpu, nnapi = perf_test.options("cpu", 2), perf_test.options("nnapi", 1)
    assert cpu == "-I -m times -x 2 -y 1 -c 1 -o 99 -e cpu -S 1"
    assert nnapi.endswith(
        "-e nnapi -S 1 -C 'session.disable_cpu_ep_fallback|1' -i 'NNAPI_FLAG_CPU_DISABLED'"
    )
    assert perf_test.options("qnn", 1).endswith("fallback|1' -i 'backend_path|libQnnHtp.so'")
    assert perf_test.options("xnnpack", 1).endswith("fallback|1'")


# What a phone says of itself.

PRINTED = """\
ro.product.model=Pixel 8
ro.soc.model=
ro.board.platform=zuma
ro.build.version.release=14
ro.product.cpu.abi=arm64-v8a
present=0-7
""" + "".join(
    f"/sys/devices/system/cpu/cpu{n}/cpufreq/cpuinfo_max_freq={khz}\n"
    for n, khz in enumerate([1700000] * 4 + [2370000] * 3 + [2914000])
)


def test_the_fastest_cores_are_chosen() -> None:
    found = phones.phone(PRINTED)
    assert (found.model, found.processor, found.android) == ("Pixel 8", "zuma", "14")
    assert found.cores == 8
    assert [found.mask(threads) for threads in (1, 2, 4, 5)] == ["80", "f0", "f0", "ff"]
    silent = phones.phone("ro.product.model=\npresent=0-3,6\n")
    assert (silent.mask(1), silent.cores, silent.model) == ("", 5, "phone")


def test_conditions_are_read_where_the_phone_tells() -> None:
    governor = "/sys/devices/system/cpu/cpu{}/cpufreq/scaling_governor={}\n"
    zone = "/sys/class/thermal/thermal_zone{}/temp={}\n"
    printed = (
        governor.format(0, "schedutil") + governor.format(4, "performance") + zone.format(0, 31000)
    )
    printed += zone.format(1, 45500) + zone.format(2, "") + "load=3.5 2.0 1.0 1/2 3\n"
    printed += "thermal=Thermal Status: 2\n"
    assert phones.conditions(printed) == {
        "governor": "performance, schedutil",
        "celsius": 45.5,
        "load": 3.5,
        "thermal status": "2",
    }
    assert set(phones.conditions("load=\nthermal=\n").values()) == {None}


# A phone behind the real client.


def test_the_fingerprint_names_phone_cores_provider_and_build(phone: Phone) -> None:
    device = latency_lut.device("adb", mask="1")
    found = device.fingerprint()
    assert found.cpu == "Stand-in 5 (SM0000, cores 1)" and found.system == "Android 14 arm64-v8a"
    assert found.provider == "cpu" and found.cores == os.cpu_count()
    assert found.runtime.startswith("onnxruntime 1.20.1, onnxruntime_perf_test ")
    named = latency_lut.device(f"adb://{phone.serial}/xnnpack", threads=2).fingerprint()
    assert (named.device, named.provider) == (f"adb://{phone.serial}/xnnpack", "xnnpack")
    assert isinstance(device, AdbDevice)
    assert device.conditions()["thermal status"] == "1"


def test_another_build_of_the_tool_is_another_runtime(tool: Path) -> None:
    tool.write_text("one")
    first = latency_lut.device("adb").fingerprint()
    tool.write_text("two")
    assert "runtime" in latency_lut.device("adb").fingerprint().differences(first)
    assert "unknown version" in first.runtime


def test_models_are_timed_on_the_cores_asked_and_nothing_is_left(phone: Phone) -> None:
    device = latency_lut.device(f"adb://{phone.serial}", mask="1")
    with device.connect() as connection:
        (loaded,) = connection.load([REFERENCE])
        assert loaded.memory_bytes is not None and loaded.memory_bytes > 1 << 20
        assert loaded.operators == {}
        script = next(phone.folder.glob("nas-loop/run-*/visit.sh")).read_text()
        assert "taskset 1 $tools/onnxruntime_perf_test -I -m times" in script
    assert [path.name[:4] for path in phone.folder.glob("nas-loop/*")] == ["tool"]


def test_the_tool_is_pushed_once(phone: Phone) -> None:
    load_one(latency_lut.device("adb"))
    (pushed,) = phone.folder.glob("nas-loop/tool-*/onnxruntime_perf_test")
    before = pushed.stat().st_ino
    load_one(latency_lut.device("adb"))
    assert pushed.stat().st_ino == before and os.access(pushed, os.X_OK)


def test_open_dimensions_are_given_their_sizes(phone: Phone) -> None:
    def content() -> bytes:
        kinds = {"shape": [None, 3, "h", "w"], "elem_type": onnx.TensorProto.FLOAT}
        x = onnx.helper.make_tensor_value_info("x", **kinds)
        y = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)
        # Fails with any shape but that one.
        target = onnx.helper.make_tensor("t", onnx.TensorProto.INT64, [1], [3 * 8 * 4])
        node = onnx.helper.make_node("Reshape", ["x", "t"], ["y"])
        graph = onnx.helper.make_graph([node], "g", [x], [y], [target])
        opsets = [onnx.helper.make_opsetid("", 17)]
        model = onnx.helper.make_model(graph, opset_imports=opsets, ir_version=8)
        return bytes(model.SerializeToString())

    with latency_lut.device("adb").connect() as connection:
        (loaded,) = connection.load([Model("open", content, {"x": (1, 3, 8, 4)})])
        assert loaded.run_ms > 0
        with pytest.raises(DeviceError, match="'none'"):
            list(connection.load([Model("none", lambda: b"none", {"x": (1, 3, 8, 4)})]))


def test_whole_networks_are_measured(phone: Phone) -> None:
    plan = Plan((Node("c", Conv.resolve((Tensor((3, 8, 8)),), out=8), (-1,), "c"),), (0,))
    (found,) = latency_lut.measure_networks(
        [latency_lut.network_model("m", plan)],
        latency_lut.device("adb"),
        rng=np.random.default_rng(0),
        effort=latency_lut.Effort(rounds=1, runs=1, legs=1),
    )
    assert found.latency_ms > 0 and found.peak_memory_bytes is not None


# What goes wrong.


def test_names_that_are_no_phone_are_refused() -> None:
    for name in ("adb://a/moon", "adb://a/cpu/b", "adb:a", "adb:/a"):
        with pytest.raises(DeviceError, match=r"a phone is adb://SERIAL.*cpu, xnnpack, nnapi, qnn"):
            latency_lut.device(name)
    with pytest.raises(DeviceError, match="threads is at least 1; got 0"):
        latency_lut.device("adb", threads=0)


def test_more_threads_than_the_phone_has_cores_are_refused(phone: Phone) -> None:
    with pytest.raises(DeviceError, match=r"threads is from 1 to the \d+ cores of the phone"):
        load_one(latency_lut.device("adb", threads=1000))


def test_without_a_client_the_way_to_one_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("NAS_LOOP_PERF_TEST", __file__)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DeviceError, match=r"^adb: the adb client does not start .*apt-get install"):
        latency_lut.device("adb").fingerprint()


def test_without_a_tool_the_way_to_one_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("NAS_LOOP_PERF_TEST", raising=False)
    with pytest.raises(DeviceError, match="NAS_LOOP_PERF_TEST names the file"):
        latency_lut.device("adb").fingerprint()
    with pytest.raises(DeviceError, match="there is no such file"):
        latency_lut.device("adb", tool=tmp_path / "none").fingerprint()


def test_a_serial_that_is_not_connected_is_refused_with_those_that_are(phone: Phone) -> None:
    with pytest.raises(DeviceError, match=rf"not connected, adb has {phone.serial};"):
        latency_lut.device("adb://R58M").fingerprint()


def test_of_two_phones_one_has_to_be_named(phone: Phone, tmp_path: Path) -> None:
    second = made(tmp_path / "second", OLD)
    second.plug()
    try:
        with pytest.raises(DeviceError, match=r"2 phones are connected; say which: adb://127"):
            latency_lut.device("adb").fingerprint()
        # An old phone: its shell tells no exit codes and ends lines in the terminal's way.
        old = latency_lut.device(f"adb://{second.serial}")
        assert old.fingerprint().cpu.startswith("Stand-in 5")
        with old.connect() as connection:
            assert len(list(connection.load([REFERENCE]))) == 1
            assert len(next(connection.time([REFERENCE.name], 2)).times_ms) == 2
    finally:
        second.forget()


def test_a_phone_that_does_not_know_this_computer_is_named(phone: Phone, tmp_path: Path) -> None:
    stranger = made(tmp_path / "stranger", authorized=False)
    stranger.plug()
    try:
        until(lambda: f"{stranger.serial}\tunauthorized" in adb("devices"))
        with pytest.raises(DeviceError, match="is unauthorized; unlock its screen and allow"):
            latency_lut.device(f"adb://{stranger.serial}").fingerprint()
    finally:
        stranger.forget()


def test_no_phone_and_one_that_is_offline_are_told_apart(phone: Phone) -> None:
    phone.unplug()
    try:
        until(lambda: f"{phone.serial}\tdevice" not in adb("devices"))
        if phone.serial in adb("devices"):
            with pytest.raises(DeviceError, match="is offline; plug it in again"):
                latency_lut.device("adb").fingerprint()
        adb("disconnect", phone.serial)
        with pytest.raises(DeviceError, match="no phone is connected; plug one in"):
            latency_lut.device("adb").fingerprint()
    finally:
        phone.plug()


def test_a_provider_that_the_tool_does_not_have_is_told_in_its_words(phone: Phone) -> None:
    with pytest.raises(
        DeviceError, match=r"ended with code 255 and said: NNAPI is not supported.*'reference dep"
    ):
        load_one(latency_lut.device("adb:///nnapi"))


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo 'CANNOT LINK EXECUTABLE: \"libx.so\" not found' >&2; exit 1", "code 1.*libx.so not"),
        ("kill -SEGV $$", "ended with code 139"),
        ("printf 'failed to open result file'", "code 0 and said: failed to open result file"),
        ("for a do file=$a; done; echo '0,0.001,1,1,0' >$file", "cut off or are of an unknown"),
        ("kill -KILL $PPID", "is to answer with JSON|the measuring process ended"),
    ],
)
def test_a_tool_that_fails_is_told_in_its_words(tool: Path, script: str, said: str) -> None:
    tool.write_text(f"#!/bin/sh\n{script}\n")
    with pytest.raises(DeviceError, match=said):
        load_one(latency_lut.device("adb"))


def test_a_tool_built_for_another_processor_is_named(tool: Path) -> None:
    tool.write_bytes(b"\x7fELF\x02\x01\x01" + bytes(57))
    with pytest.raises(DeviceError, match=r"code 12\d and said: .*onnxruntime_perf_test"):
        load_one(latency_lut.device("adb"))


def test_a_tool_that_hangs_is_ended(tool: Path) -> None:
    tool.write_text("#!/bin/sh\nsleep 60\n")
    with pytest.raises(DeviceError, match=r"said nothing for 3 s"):
        load_one(latency_lut.device("adb", timeout_s=3))


def test_a_tool_that_is_deleted_meanwhile_is_missed(phone: Phone) -> None:
    with latency_lut.device("adb").connect() as connection:
        list(connection.load([REFERENCE]))
        for file in phone.folder.glob("nas-loop/tool-*/*"):
            file.unlink()
        with pytest.raises(DeviceError, match="code 127 and said: .*not found"):
            list(connection.time([REFERENCE.name], 1))
    for folder in phone.folder.glob("nas-loop/tool-*"):
        folder.rmdir()


def test_a_phone_without_room_is_told_in_its_words(phone: Phone) -> None:
    with latency_lut.device("adb").connect() as connection:
        # A file where the folder of models is to be.
        (run,) = phone.folder.glob("nas-loop/run-*")
        for file in run.iterdir():
            file.unlink()
        run.rmdir()
        run.write_text("")
        with pytest.raises(
            DeviceError, match=r"nothing can be pushed to .*/0/model.onnx: .*couldn't"
        ):
            list(connection.load([REFERENCE]))


def test_a_phone_unplugged_in_a_campaign_goes_on_when_it_is_back(
    phone: Phone, tmp_path: Path
) -> None:
    plan = Plan((Node("c", Conv.resolve((Tensor((3, 8, 8)),), out=8), (-1,), "c"),), (0,))
    models = [latency_lut.network_model("m", plan)]
    effort = latency_lut.Effort(rounds=2, runs=1, legs=2)

    def campaign(unplug: bool) -> Journal:
        journal = Journal(tmp_path / "campaign")
        header = journal.header()
        journal.resume() if header else journal.begin({"version": 1})

        def report(_: Progress) -> None:
            if unplug and journal.windows:
                phone.unplug()

        device = latency_lut.device(f"adb://{phone.serial}")
        with closing(journal):
            collect(device, models, effort, np.random.default_rng(0), journal, report)
        return journal

    with pytest.raises(DeviceError, match=r"(offline|not connected).*the same command goes on"):
        campaign(unplug=True)
    phone.plug()
    until(lambda: f"{phone.serial}\tdevice" in adb("devices"))
    journal = campaign(unplug=False)
    legs = [window.leg for window in journal.windows]
    assert min(legs) == 0 and max(legs) > 0, "the windows before the cut were kept"
