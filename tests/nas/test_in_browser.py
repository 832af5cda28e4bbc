"""The commands with a browser for a device: one page, left open, serves them all."""

from __future__ import annotations

import json
import re
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.latency_lut import chromium
from tests.nas.conftest import Job
from tests.nas.tiny import start


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The commands serve their page on one free port, under a token that stays."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    monkeypatch.setenv("NAS_LOOP_BROWSER_ADDRESS", f"127.0.0.1:{port}")
    monkeypatch.setenv("NAS_LOOP_BROWSER_ASSETS", str(chromium.assets()))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def address(command: subprocess.Popen[str]) -> str:
    assert command.stderr is not None
    for line in command.stderr:
        if found := re.search(r"open this page .* (http://127\S+)$", line.strip()):
            return found[1]
    raise AssertionError("no address was printed")


def outcome(command: subprocess.Popen[str]) -> Any:
    out, err = command.communicate(timeout=300)
    assert command.returncode == 0, err
    return json.loads(out)


@pytest.mark.usefixtures("served")
@pytest.mark.slow
def test_measured_searched_and_profiled_in_a_browser(run: Path, job: Job) -> None:
    assert job.said["measure"].json["fingerprint"]["device"] == "cpu"
    options = ("--device", "browser", "--json")
    measuring = start("measure", run, "--allow-noisy", *options)
    page = address(measuring)
    with chromium.Chromium(page):
        measured = outcome(measuring)
        assert measured["table"] == str(run / "latency" / "browser.json")
        fingerprint = measured["fingerprint"]
        assert fingerprint["device"] == "browser" and "Chrome/" in fingerprint["runtime"]

        searching = start("search", run, "--latency-ms", 1000, *options)
        assert address(searching) == page, "so that the page that is open goes on"
        outcome(searching)
        front = json.loads((run / "front.json").read_text())
        assert front["device"] == fingerprint
        assert all(point["latency_ms"] > 0 for point in front["points"])

        model, table = run / "best.onnx", run / "latency" / "browser.json"
        profiled = outcome(start("profile", model, "--table", table, *options))
        assert profiled["latency_ms"] > 0 and profiled["pace"] > 0
        assert profiled["operators"] is None and profiled["peak_memory_bytes"] is None
