"""A disk that is full: the message names the file, and the one that was there stays.

The limit is the kernel's own (RLIMIT_FSIZE), so writes fail as they do in earnest: in the middle.
"""

from __future__ import annotations

import json
import re
import resource
import signal
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest

from latency_lut.journal import Journal
from nas.training.checkpoint import save_checkpoint
from tests.nas.conftest import BUDGET_MS, Job
from tests.nas.tiny import accuracies, files, nas, rows, windows


@contextmanager
def files_up_to(limit: int) -> Iterator[None]:
    """No file may become larger than ``limit`` bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def one_file_up_to(limit: int, name: str) -> Iterator[None]:
    """No file of that name may become larger, for small ones that are written after large ones."""
    write = Path.write_bytes

    def limited(path: Path, data: bytes) -> int:
        if name not in path.name:
            return write(path, data)
        with files_up_to(limit):
            return write(path, data)

    with mock.patch.object(Path, "write_bytes", limited):
        yield


@contextmanager
def samples_up_to(limit: int) -> Iterator[None]:
    """The samples of a campaign may not become larger; the device's copies of models may."""
    add = Journal.add

    def limited(*what: Any) -> None:
        with files_up_to(limit):
            add(*what)

    with mock.patch.object(Journal, "add", limited):
        yield


def stopped(path: Path, room: AbstractContextManager[None], *arguments: object) -> None:
    """The command stops at ``path`` and says so in one line, the last."""
    with room:
        said = nas(*arguments)
    assert said.code == 2 and said.out == "", said
    *progress, last = said.err.splitlines()
    assert last.startswith(f"nas: {path}: ") and "Traceback" not in said.err, said.err
    assert not any(line.startswith("nas: ") for line in progress)


def refused(path: Path, room: AbstractContextManager[None], *arguments: object) -> None:
    """As ``stopped``, and what was there is left."""
    before = path.read_bytes() if path.exists() else None
    stopped(path, room, *arguments)
    assert (path.read_bytes() if path.exists() else None) == before
    assert not any(".tmp" in name for name in files(path.parent))


def one_epoch(*arguments: object) -> None:
    """Train until the first epoch is over and kept."""

    def save_once(*what: Any) -> None:
        save_checkpoint(*what)
        signal.raise_signal(signal.SIGINT)

    with mock.patch("nas.training.loop.save_checkpoint", save_once):
        assert nas(*arguments).code == 130


def test_the_checkpoint(job: Job, tmp_path: Path) -> None:
    run = tmp_path / "run"
    arguments = ("train", job.config, "--out", run, "--resume")
    one_epoch(*arguments)
    assert (run / "checkpoint.pt").is_file()
    refused(run / "checkpoint.pt", files_up_to(20_000), *arguments)
    assert nas(*arguments).code == 0
    name = "supernet.safetensors"
    assert (run / name).read_bytes() == (job.run / name).read_bytes()


def test_the_log(job: Job, tmp_path: Path) -> None:
    run = tmp_path / "run"
    arguments = ("train", job.config, "--out", run, "--resume")
    one_epoch(*arguments)
    log = run / "log.csv"
    refused(log, one_file_up_to(log.stat().st_size, log.name), *arguments)
    assert nas(*arguments).code == 0
    assert len(log.read_text().splitlines()) == 1 + 5
    name = "supernet.safetensors"
    assert (run / name).read_bytes() == (job.run / name).read_bytes()


def test_the_weights(job: Job, run: Path) -> None:
    (run / "supernet.safetensors").unlink()
    arguments = ("train", job.config, "--out", run, "--resume")
    refused(run / "supernet.safetensors", files_up_to(20_000), *arguments)
    assert nas(*arguments).code == 0
    name = "supernet.safetensors"
    assert (run / name).read_bytes() == (job.run / name).read_bytes()


def test_the_configuration(job: Job, tmp_path: Path) -> None:
    run, out = tmp_path / "run", tmp_path / "nas.yaml"
    refused(run / "config.yaml", files_up_to(100), "train", job.config, "--out", run)
    refused(out, files_up_to(100), "init", job.images, "-o", out)


def test_the_samples_of_a_campaign_and_its_table(run: Path) -> None:
    table = run / "latency" / "cpu.json"
    samples = run / "latency" / "cpu.samples" / "samples.jsonl"
    arguments = ("measure", run, "--resolution", 8, "--allow-noisy")
    before = table.read_bytes()
    stopped(samples, samples_up_to(90_000), *arguments)
    first = windows(samples)
    assert first and table.read_bytes() == before
    refused(table, one_file_up_to(10_000, table.name), *arguments)
    second = windows(samples)
    assert second[: len(first)] == first and len(second) > len(first)
    assert nas(*arguments).code == 0
    added = json.loads(table.read_text())["further"][0]["samples"]["windows"]
    assert [window["before"] for window in added][: len(second)] == second
    assert not samples.exists()


@pytest.mark.parametrize("name", ["samples.sqlite", "study.sqlite"])
def test_a_store(job: Job, run: Path, name: str) -> None:
    (run / name).unlink()
    (run / "measured.json").unlink()
    # SQLite writes pages of 4,096 bytes.
    limit = {"samples.sqlite": 8_192, "study.sqlite": 12_288}[name]
    arguments = ("search", run, "--latency-ms", 1)
    with files_up_to(limit):
        said = nas(*arguments)
    assert said.code == 2 and said.out == "", said
    last = said.err.splitlines()[-1]
    assert last.startswith(f"nas: {run / name}") and "Traceback" not in said.err, said.err
    assert nas(*arguments, "--resume").code == 0
    found, expected = (rows(one / "study.sqlite", "evaluations") for one in (run, job.run))
    assert found == expected and accuracies(run) == accuracies(job.run)


@pytest.mark.parametrize("name", ["front.json", "best.json", "curves.json"])
def test_the_front(job: Job, run: Path, name: str) -> None:
    arguments = ("search", run, "--latency-ms", BUDGET_MS, "--resume")
    refused(run / name, one_file_up_to(1_000, name), *arguments)
    assert nas(*arguments).code == 0
    front, best = (json.loads((run / one).read_text()) for one in ("front.json", "best.json"))
    assert best["measured"] == front["points"][front["best"]]
    assert rows(run / "study.sqlite", "evaluations") == rows(
        job.run / "study.sqlite", "evaluations"
    )
    assert accuracies(run) == accuracies(job.run)


def test_the_exported_model(run: Path) -> None:
    refused(run / "best.onnx", files_up_to(5_000), "export", run)
    refused(run / "new.onnx", files_up_to(5_000), "export", run, "-o", run / "new.onnx")


def test_the_report(run: Path) -> None:
    refused(run / "report.html", files_up_to(20_000), "report", run)
    (run / "test.json").unlink()
    refused(run / "test.json", files_up_to(50), "report", run)


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
