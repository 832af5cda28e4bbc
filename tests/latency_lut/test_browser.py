"""Campaigns in a real browser: what it tells, and all that can happen to its page."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest

import latency_lut
from latency_lut import Effort, LatencyTable
from latency_lut.browser import BrowserDevice
from latency_lut.references import NAMES, references
from latency_lut.seam import Model, Sample
from tests.latency_lut.chromium import ELSEWHERE, Chromium, Covered, device, opened
from tests.latency_lut.fake_page import Campaign, FakePage
from tests.latency_lut.synthetic import tiny_space

EFFORT = Effort(rounds=2, runs=2, legs=2)


@pytest.fixture
def closed() -> Iterator[BrowserDevice]:
    """A device whose page nobody has opened."""
    made = device()
    yield made
    made.close()


def test_the_fingerprint_is_that_of_the_browser() -> None:
    found = opened().fingerprint()
    assert "Chrome/" in found.runtime and found.system.startswith("Linux")
    assert found.cores >= 1
    assert (found.device, found.provider, found.threads) == ("browser", "wasm", 1)
    assert re.match(r"onnxruntime-web \d+\.\d+\.\d+ in Mozilla", found.runtime)


def test_a_secure_page_has_a_fine_clock() -> None:
    opened().fingerprint()
    page = opened()._serve().desk.page()
    assert page.isolated and page.resolution_ms < 0.02


def test_inputs_of_every_type_are_filled() -> None:
    kinds = {"f": 1, "u8": 2, "i8": 3, "i32": 6, "i64": 7, "b": 9, "h": 10, "d": 11}
    inputs = [onnx.helper.make_tensor_value_info(n, k, ["n", 2]) for n, k in kinds.items()]
    casts = [onnx.helper.make_node("Cast", [n], [f"{n}-cast"], to=1) for n in kinds]
    total = onnx.helper.make_node("Sum", [f"{n}-cast" for n in kinds], ["y"])
    y = onnx.helper.make_tensor_value_info("y", 1, None)
    graph = onnx.helper.make_graph([*casts, total], "g", inputs, [y])
    opsets = [onnx.helper.make_opsetid("", 17)]
    content = onnx.helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()
    text = onnx.helper.make_tensor_value_info("t", onnx.TensorProto.STRING, [1])
    same = onnx.helper.make_node("Identity", ["t"], ["s"])
    out = onnx.helper.make_tensor_value_info("s", onnx.TensorProto.STRING, [1])
    strings = onnx.helper.make_model(
        onnx.helper.make_graph([same], "g", [text], [out]), opset_imports=opsets, ir_version=8
    ).SerializeToString()
    shapes = dict.fromkeys(kinds, (3, 2))
    with opened().connect() as connection:
        (shaped,) = connection.load([Model("shaped", lambda: content, shapes)])
        (open_shapes,) = connection.load([Model("open", lambda: content)])
        assert shaped.run_ms > 0 and open_shapes.run_ms > 0
        with pytest.raises(latency_lut.DeviceError, match="inputs of type string.*'strings'"):
            list(connection.load([Model("strings", lambda: strings)]))


@pytest.mark.slow
def test_a_table_of_a_browser_is_built_like_any_other(tmp_path: Path) -> None:
    space = tiny_space((16,))
    table = latency_lut.measure(
        space,
        opened(),
        rng=np.random.default_rng(0),
        effort=EFFORT,
        whole_networks=6,
        held_out=3,
        folder=tmp_path / "campaign",
        allow_noisy=True,
    )
    table.save(tmp_path / "browser.json")
    loaded = LatencyTable.load(tmp_path / "browser.json", space)
    loaded.require(opened().fingerprint())
    largest, smallest = loaded.predict(np.stack([space.largest, space.smallest]))
    assert largest > smallest > 0
    assert all(not entry.operators for entry in loaded.entries.values()), "it does not tell them"


def test_a_browser_that_is_killed_and_opened_again_goes_on() -> None:
    said: list[str] = []
    made = device(say=said.append, silence_s=2.0)
    samples: list[Sample] = []
    visits, times = [*NAMES] * 4, 20
    browser = Chromium(made.url)

    def campaign() -> None:
        with made.connect() as connection:
            list(connection.load(references()))
            for _ in range(times):
                samples.extend(connection.time(visits, 2))

    try:
        running = Campaign(campaign)
        wait_until(lambda: len(samples) > 2 * len(visits))
        browser.kill()
        wait_until(lambda: any("no word from the page" in text for text in said))
        seen = len(samples)
        assert seen < times * len(visits)
        browser = Chromium(made.url)
        running.result()
    finally:
        browser.kill()
        made.close()
    assert [sample.model for sample in samples] == times * visits
    text = "\n".join(said)
    assert re.search(r"the page is back after \d+ s", text)
    assert "opened anew; models to load again: 3" in text


def test_a_campaign_waits_while_its_page_is_not_seen() -> None:
    """As when a phone's screen is locked: nothing is timed, and nothing is lost."""
    said: list[str] = []
    made = device(say=said.append, silence_s=2.0)
    samples: list[Sample] = []
    visits, times = [*NAMES] * 4, 40

    def campaign() -> None:
        with made.connect() as connection:
            list(connection.load(references()))
            for _ in range(times):
                samples.extend(connection.time(visits, 2))

    try:
        with Covered(made.url) as browser:
            running = Campaign(campaign)
            wait_until(lambda: len(samples) > 2 * len(visits))
            browser.hide()
            wait_until(lambda: any("no word from the page" in text for text in said))
            seen = len(samples)
            assert seen < times * len(visits)
            time.sleep(1)
            assert len(samples) == seen, "it was timed unseen"
            browser.show()
            running.result()
    finally:
        made.close()
    assert [sample.model for sample in samples] == times * visits
    text = "\n".join(said)
    assert re.search(r"the page is back after \d+ s", text) and "opened anew" not in text


def wait_until(happened: Callable[[], bool], seconds: float = 100.0) -> None:
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_an_open_page_goes_on_with_the_next_command(closed: BrowserDevice) -> None:
    with Chromium(closed.url):
        first = closed.fingerprint()
        port = closed._serve().site.server_address[1]
        closed.close()
        # The same address again, as the same command has it when it is run again.
        again = device()
        again.settings = type(again.settings)(f"127.0.0.1:{port}", None, again.settings.assets)
        try:
            assert again.fingerprint() == first
        finally:
            again.close()


def test_a_second_tab_takes_over_from_a_real_one(closed: BrowserDevice) -> None:
    with Chromium(closed.url):
        closed.fingerprint()
        page = closed._serve().desk.page()
        newer = FakePage(closed.url, about=dict(vars(page)))
        assert newer.hello().status == 200
        time.sleep(6)  # The older one asks whether it still counts every five seconds.
        assert newer.post("alive", {"tab": newer.tab}).status == 200, "it did not come back"


def test_threads_and_a_fresh_worker_for_each_connection() -> None:
    made = device(threads=2)
    cores = opened().fingerprint().cores
    if cores < 2:
        pytest.skip("needs two cores")
    try:
        with Chromium(made.url):
            assert made.fingerprint().threads == 2
            for _ in range(2):
                with made.connect() as connection:
                    loaded = list(connection.load(references()[:1]))
                    samples = list(connection.time(NAMES[:1], 2))
                assert loaded[0].run_ms > 0 and samples[0].minimum_ms > 0
            with (
                made.connect() as connection,
                pytest.raises(latency_lut.DeviceError, match="'reference dense' was not loaded"),
            ):
                list(connection.time(NAMES[:1], 1))
    finally:
        made.close()


def test_over_plain_http_the_clock_is_coarse_and_runs_are_timed_in_batches(
    closed: BrowserDevice,
) -> None:
    with Chromium(closed.url.replace("127.0.0.1", ELSEWHERE)):
        closed.fingerprint()
        page = closed._serve().desk.page()
        assert not page.isolated and 0.05 < page.resolution_ms <= 2
        with closed.connect() as connection:
            list(connection.load(references()))
            began = time.monotonic()
            samples = list(connection.time(NAMES, 3))
            took_ms = 1e3 * (time.monotonic() - began)
    # Two passes of three batches, each at least 100 steps of the clock long.
    assert took_ms > len(NAMES) * 2 * 3 * 100 * page.resolution_ms
    # A time is a whole number of steps, divided by the runs of a batch: not a whole number itself.
    steps = np.array([ms for sample in samples for ms in sample.times_ms]) / page.resolution_ms
    assert np.abs(steps - np.round(steps)).max() > 0.01


def test_over_plain_http_threads_are_refused() -> None:
    made = device(threads=2)
    try:
        with (
            Chromium(made.url.replace("127.0.0.1", ELSEWHERE)),
            pytest.raises(latency_lut.DeviceError, match="2 threads need .* isolation"),
        ):
            made.fingerprint()
    finally:
        made.close()


def test_with_a_certificate_threads_and_a_fine_clock_are_there() -> None:
    made = device(certificate="self")
    try:
        url = made.url.replace("127.0.0.1", ELSEWHERE)
        with Chromium(url, "--ignore-certificate-errors"):
            made.fingerprint()
            page = made._serve().desk.page()
            assert url.startswith("https") and page.isolated and page.resolution_ms < 0.02
    finally:
        made.close()


def test_a_browser_without_webgpu_is_refused_with_the_reason() -> None:
    made = device(provider="webgpu")
    try:
        with (
            Chromium(made.url),
            pytest.raises(latency_lut.DeviceError, match=r"offers no WebGPU .*Chrome/"),
        ):
            made.fingerprint()
    finally:
        made.close()
