"""A disk that is full: the message names the file, and the one that was there stays.

The limit is the kernel's own (RLIMIT_FSIZE), so writes fail as they do in earnest: in the middle.
"""

from __future__ import annotations

import re
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from latency_lut import LatencyTable
from nas.training.checkpoint import save_checkpoint
from search_spaces.errors import NasLoopError
from tests.nas.conftest import Job
from tests.nas.tiny import files, nas, rows, tiny


@contextmanager
def files_up_to(limit: int) -> Iterator[None]:
    """No file may become larger than ``limit`` bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def refused(path: Path, limit: int, *arguments: object) -> None:
    """The command stops at ``path``, says so, and leaves what was there."""
    before = path.read_bytes() if path.exists() else None
    with files_up_to(limit):
        said = nas(*arguments)
    assert said.code == 2 and said.out == "", said
    last = said.err.splitlines()[-1]
    assert last.startswith(f"nas: {path}: ") and "Traceback" not in said.err, said.err
    assert (path.read_bytes() if path.exists() else None) == before
    assert not any(".tmp" in name for name in files(path.parent))


def test_the_checkpoint(job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = tmp_path / "run"
    arguments = ("train", job.config, "--out", run, "--resume")

    def save_once(*what: Any) -> None:
        save_checkpoint(*what)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr("nas.training.loop.save_checkpoint", save_once)
    assert nas(*arguments).code == 130
    monkeypatch.undo()
    assert (run / "checkpoint.pt").is_file()
    refused(run / "checkpoint.pt", 20_000, *arguments)
    assert nas(*arguments).code == 0
    name = "supernet.safetensors"
    assert (run / name).read_bytes() == (job.run / name).read_bytes()


def test_the_weights(job: Job, run: Path) -> None:
    (run / "supernet.safetensors").unlink()
    arguments = ("train", job.config, "--out", run, "--resume")
    refused(run / "supernet.safetensors", 20_000, *arguments)
    assert nas(*arguments).code == 0
    name = "supernet.safetensors"
    assert (run / name).read_bytes() == (job.run / name).read_bytes()


def test_the_configuration(job: Job, tmp_path: Path) -> None:
    refused(tmp_path / "run" / "config.yaml", 100, "train", job.config, "--out", tmp_path / "run")
    refused(tmp_path / "nas.yaml", 100, "init", job.images, "-o", tmp_path / "nas.yaml")


def test_the_samples_of_a_campaign(run: Path) -> None:
    journal = run / "latency" / "cpu.samples" / "samples.jsonl"
    with files_up_to(30_000):
        said = nas("measure", run, "--resolution", 8, "--allow-noisy")
    assert said.code == 2
    last = said.err.splitlines()[-1]
    # The device's copies of the models may be larger than the journal ever gets.
    assert f"{journal}: cannot be written (File too large)" in last or "cannot be written" in last


def test_the_table(job: Job, tmp_path: Path) -> None:
    path = tmp_path / "cpu.json"
    path.write_bytes(b"old")
    table = LatencyTable.load(job.run / "latency" / "cpu.json", tiny())
    with files_up_to(10_000), pytest.raises(NasLoopError) as caught:
        table.save(path)
    assert str(caught.value) == f"{path}: cannot be written (File too large); the old file is kept"
    assert files(tmp_path) == {"cpu.json": b"old"}


@pytest.mark.parametrize("name", ["samples.sqlite", "study.sqlite"])
def test_a_store(job: Job, run: Path, name: str) -> None:
    (run / name).unlink()
    # SQLite writes pages of 4,096 bytes.
    limit = {"samples.sqlite": 8_192, "study.sqlite": 12_288}[name]
    arguments = ("search", run, "--latency-ms", 1)
    with files_up_to(limit):
        said = nas(*arguments)
    assert said.code == 2 and said.out == "", said
    last = said.err.splitlines()[-1]
    assert last.startswith(f"nas: {run / name}") and "Traceback" not in said.err, said.err
    assert nas(*arguments, "--resume").code == 0
    for file, table in (("study.sqlite", "evaluations"), ("samples.sqlite", "samples")):
        assert rows(run / file, table) == rows(job.run / file, table)


def test_the_exported_model(run: Path) -> None:
    refused(run / "best.onnx", 5_000, "export", run)
    refused(run / "new.onnx", 5_000, "export", run, "-o", run / "new.onnx")


def test_the_report(run: Path) -> None:
    refused(run / "report.html", 20_000, "report", run)
    (run / "test.json").unlink()
    refused(run / "test.json", 50, "report", run)


def test_a_disk_that_is_too_small_is_noticed_before_training(
    job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=1))
    said = nas("train", job.config, "--out", tmp_path / "run")
    assert said.code == 2 and not (tmp_path / "run" / "checkpoint.pt").exists()
    assert f"nas: {tmp_path}/run: 1 MB are needed and 0 MB are free; make room" in said.err


def test_a_disk_that_is_too_small_is_noticed_before_searching(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = files(run)
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=1))
    said = nas("search", run, "--latency-ms", 1)
    assert said.code == 2 and files(run) == before
    assert said.err.splitlines()[-1] == (
        f"nas: {run}: 1 MB are needed and 0 MB are free; make room or choose another -o"
    )


def test_a_disk_that_is_too_small_is_noticed_before_measuring(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = files(run)
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=1))
    table = run / "latency" / "pi4.json"
    said = nas("measure", run, "--name", "pi4")
    assert said.code == 2 and files(run) == before
    line = rf"nas: {table}: (\d+) MB are needed and 0 MB are free; make room or choose another -o"
    found = re.fullmatch(line, said.err.splitlines()[-1])
    assert found and int(found[1]) >= 1, said.err
