"""Commands on a device that is not in this machine."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from latency_lut.references import references
from tests.latency_lut.sshd import Sshd
from tests.nas.tiny import nas


def test_a_model_is_profiled_where_the_device_is(
    sshd: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NAS_LOOP_SSH_CONFIG", str(sshd.config))
    model = tmp_path / "model.onnx"
    model.write_bytes(references()[0].content())
    said = nas("profile", model, "--device", f"ssh://pi?python={sys.executable}", "--json")
    assert said.code == 0, said.err
    assert said.json["fingerprint"]["device"] == "ssh://pi" and said.json["latency_ms"] > 0
    # What this machine's profiler would say is not of that one.
    assert said.json["operators"] is None and said.json["blocks"] is None
    monkeypatch.setenv("NAS_LOOP_SSH_PYTHON", sys.executable)
    told = nas("profile", model, "--device", "ssh://pi").out
    assert "time by operator" in told and "the profiler is this Python's runtime alone" in told


def test_a_device_that_is_not_to_be_had_is_one_line(
    sshd: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NAS_LOOP_SSH_CONFIG", str(sshd.config))
    monkeypatch.chdir(tmp_path)
    said = nas("measure", "--space", "tiny", "--device", "ssh://off")
    assert said.code == 2 and said.err.startswith("nas: ssh://off: ") and said.err.count("\n") == 1
    assert "is it on, and does its sshd listen" in said.err and not list(tmp_path.iterdir())
