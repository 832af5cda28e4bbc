"""Ctrl-C and kill -9 in every stage, then the same command again: nothing is lost or done twice."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from latency_lut import LatencyTable
from nas.jobs.trained import TrainedRun
from search_spaces.files import write_atomic
from tests.nas.conftest import BUDGET_MS, Job
from tests.nas.tiny import (
    DEMO,
    HELD,
    OURS,
    ROOT,
    Interrupter,
    accuracies,
    demo_of,
    files,
    nas,
    rows,
    start,
    tiny,
    uncovered,
    windows,
)

INTERRUPTED = (
    "nas: interrupted; what was finished is kept, the same command goes on from there (train, "
    "finetune and search with --resume)"
)
LIMIT_S = 120


def send(number: signal.Signals, process: subprocess.Popen[str]) -> None:
    """Ctrl-C reaches a command with all its children, kill -9 the command alone."""
    if process.poll() is None and number == signal.SIGINT:
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)


def strike(number: signal.Signals, moment: Callable[[str], bool], *arguments: object) -> str:
    """Start a command, send it a signal at the first line of its progress that ``moment`` takes.

    Returns what it said on standard error.
    """
    said = []
    with start(*arguments, start_new_session=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            said.append(line)
            if moment(line):
                send(number, process)
                break
        said.append(process.stderr.read())
    ended = 130 if number == signal.SIGINT else -number
    assert process.returncode == ended, (process.returncode, said)
    return "".join(said)


def at(title: str, step: int) -> Callable[[str], bool]:
    """The moment when so many steps of a stage are told; lines are ``title: done/total, ...``."""
    told = []

    def moment(line: str) -> bool:
        if line.startswith(f"{title}: "):
            told.append(line)
        return len(told) >= step

    return moment


def killed_while_writing(file: Path, monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    """Start a command, kill it when half of ``file`` is written: what was there stays."""
    before = file.read_bytes() if file.exists() else None
    with monkeypatch.context() as held:
        held.setenv(HELD, file.name)
        strike(signal.SIGKILL, lambda line: line.startswith(HELD), *arguments)
    assert (file.read_bytes() if file.exists() else None) == before


def polled(reached: Callable[[], bool], number: signal.Signals, *arguments: object) -> None:
    """Start a command, send it a signal as soon as ``reached`` says so."""
    with start(*arguments, start_new_session=True) as process:
        end = time.monotonic() + LIMIT_S
        while process.poll() is None and not reached() and time.monotonic() < end:
            time.sleep(0.002)
        send(number, process)
        out, err = process.communicate(timeout=LIMIT_S)
    ended = 130 if number == signal.SIGINT else -number
    assert process.returncode == ended, (out, err)


def moments(n: int, *arguments: object) -> list[int]:
    """``n`` random calls of those that a command makes, the last one among them."""
    counter = Interrupter()
    assert nas(*arguments, interrupter=counter).code == 0
    drawn = np.random.default_rng(0).integers(1, counter.calls + 1, n - 1)
    return [*drawn.tolist(), counter.calls]


def interrupted(*arguments: object, at: int, within: str | tuple[str, ...] = OURS) -> bool:
    """Press Ctrl-C at that call; False where less is left to do, and the command ends first."""
    interrupter = Interrupter(at, within)
    said = nas(*arguments, interrupter=interrupter)
    assert said.code == (130 if interrupter.calls == at else 0), said
    if said.code:
        assert said.err.splitlines()[-1] == INTERRUPTED and "Traceback" not in said.err
    return bool(said.code)


def without_litter(folder: Path) -> None:
    """Ctrl-C leaves no half-written file behind."""
    assert [name for name in files(folder) if ".tmp" in name] == []


def test_looking_at_images(untrained: Path, tmp_path: Path) -> None:
    out, whole = tmp_path / "nas.yaml", tmp_path / "whole.yaml"
    command = ("init", untrained.parent / "images.npz", "-o")
    assert nas(*command, whole).code == 0
    for moment in moments(6, *command, tmp_path / "other.yaml"):
        out.unlink(missing_ok=True)
        interrupted(*command, out, at=moment)
        without_litter(tmp_path)
        # A file that is there is whole, and as any other not overwritten.
        expected = 2 if out.exists() else 0
        assert nas(*command, out).code == expected
        assert out.read_bytes() == whole.read_bytes()


def test_looking_at_images_killed(
    untrained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, whole = tmp_path / "nas.yaml", tmp_path / "whole.yaml"
    command = ("init", untrained.parent / "images.npz", "-o")
    killed_while_writing(out, monkeypatch, *command, out)
    assert nas(*command, out).code == nas(*command, whole).code == 0
    assert out.read_bytes() == whole.read_bytes()


def test_training(job: Job, tmp_path: Path) -> None:
    run = tmp_path / "run"
    # 5 epochs of 3 steps; the first that is told comes after one step.
    strike(signal.SIGKILL, at("train", 7), "train", job.config, "--out", run)
    assert not (run / "supernet.safetensors").exists()
    arguments = ("train", job.config, "--out", run, "--resume")
    said = strike(signal.SIGINT, at("train", 2), *arguments)
    assert said.splitlines()[-1] == INTERRUPTED and "Traceback" not in said
    assert nas(*arguments).code == 0
    for name in ("supernet.safetensors", "config.yaml"):
        assert (run / name).read_bytes() == (job.run / name).read_bytes(), name


def test_training_interrupted_at_any_moment(job: Job, tmp_path: Path) -> None:
    run = tmp_path / "run"
    arguments = ("train", job.config, "--out", run, "--resume")
    for moment in moments(6, "train", job.config, "--out", tmp_path / "other"):
        interrupted(*arguments, at=moment)
        without_litter(run)
    assert nas(*arguments).code == 0
    name = "supernet.safetensors"
    assert (run / name).read_bytes() == (job.run / name).read_bytes()


def test_measuring(tmp_path: Path) -> None:
    table, samples = tmp_path / "pi4.json", tmp_path / "pi4.samples" / "samples.jsonl"
    arguments = ("measure", "--space", "tiny", "--resolution", 8, "-o", table, "--allow-noisy")
    strike(signal.SIGKILL, at("measure latencies", 1), *arguments)
    first = samples.read_text()
    polled(lambda: len(samples.read_text()) > len(first) + 2000, signal.SIGINT, *arguments)
    second = samples.read_text()
    # A line that the kill cut off is dropped, all others stay.
    assert second.startswith(first[: first.rfind("\n") + 1]) and len(second) > len(first)
    assert not table.exists()
    measured = windows(samples)
    said = nas(*arguments, "--json")
    assert said.code == 0, said.err
    assert said.json["table"] == str(table) and set(said.json["held_out_mape"]) == {"8"}
    assert list(tmp_path.iterdir()) == [table]
    kept = json.loads(table.read_text())["samples"]["windows"][: len(measured)]
    assert [one["before"] for one in kept] == measured != []


def test_searching(run: Path, tmp_path: Path) -> None:
    for name in ("samples.sqlite", "front.json", "best.json"):
        (run / name).unlink()
    arguments = ("search", run, "--latency-ms", BUDGET_MS, "--budget", 900)
    strike(signal.SIGKILL, at("measure accuracies", 5), *arguments)
    sampled = rows(run / "samples.sqlite", "samples")
    assert 4 <= len(sampled) < 12
    study = run / "study.sqlite"
    polled(lambda: bool(rows(study, "evaluations")), signal.SIGINT, *arguments, "--resume")
    searched = rows(study, "evaluations")
    assert searched
    said = nas(*arguments, "--resume", "--json")
    assert said.code == 0, said.err
    assert rows(run / "samples.sqlite", "samples")[: len(sampled)] == sampled
    found = rows(study, "evaluations")
    assert found[: len(searched)] == searched
    assert len({row for _, row, *_ in found}) == len(found) == said.json["evaluations"]
    # As if nobody had interrupted it.
    whole = Path(shutil.copytree(run, tmp_path / "whole"))
    for name in ("samples.sqlite", "study.sqlite", "front.json", "best.json"):
        (whole / name).unlink()
    assert nas("search", whole, *arguments[2:]).code == 0
    assert rows(whole / "study.sqlite", "evaluations") == found
    assert accuracies(whole)[:12] == accuracies(run)[:12]


def test_searching_killed_among_the_candidates(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    samples, study, front = (run / f for f in ("samples.sqlite", "study.sqlite", "front.json"))
    samples.unlink()
    study.unlink()
    (run / "measured.json").unlink()
    before = front.read_bytes()
    arguments = ("search", run, "--latency-ms", BUDGET_MS, "--resume")
    # All accuracies are measured by then; the candidates' latencies are not.
    strike(signal.SIGKILL, at("measure candidates' accuracies", 1), *arguments)
    # It began anew: what an earlier search found is set aside until this one has its own.
    assert not front.exists() and (run / "front.earlier.json").read_bytes() == before
    measured, searched = rows(samples, "samples"), rows(study, "evaluations")
    monkeypatch.setattr(TrainedRun, "val_accuracy", None)
    assert nas(*arguments).code == 0
    assert front.exists() and not (run / "front.earlier.json").exists()
    assert rows(samples, "samples") == measured != []
    assert rows(study, "evaluations") == searched != []


def test_searching_interrupted_at_any_moment(job: Job, run: Path) -> None:
    arguments = ("search", run, "--latency-ms", BUDGET_MS, "--resume")
    for name in ("samples.sqlite", "study.sqlite"):
        (run / name).unlink()
    other = shutil.copytree(run, run.parent / "other")
    for moment in moments(3, "search", other, *arguments[2:]):
        interrupted(*arguments, at=moment)
    assert nas(*arguments).code == 0
    without_litter(run)
    expected = rows(job.run / "study.sqlite", "evaluations")
    assert rows(run / "study.sqlite", "evaluations") == expected
    assert accuracies(run)[:12] == accuracies(job.run)[:12]


@pytest.mark.parametrize(("command", "name"), [("export", "best.onnx"), ("report", "test.json")])
def test_exporting_and_reporting_interrupted_at_any_moment(
    job: Job, run: Path, command: str, name: str
) -> None:
    whole = (run / name).read_bytes()
    for moment in moments(5, command, run):
        (run / name).unlink()
        interrupted(command, run, at=moment)
        assert not (run / name).exists() or (run / name).read_bytes() == whole
        without_litter(run)
        assert nas(command, run).code == 0
        assert (run / name).read_bytes() == whole


@pytest.mark.parametrize(
    ("command", "name"),
    [("export", "best.onnx"), ("report", "test.json"), ("report", "report.html")],
)
def test_exporting_and_reporting_killed(
    job: Job, run: Path, monkeypatch: pytest.MonkeyPatch, command: str, name: str
) -> None:
    (run / name).write_text("old")
    killed_while_writing(run / name, monkeypatch, command, run)
    assert nas(command, run).code == 0
    if name == "report.html":  # It has the date.
        assert (run / name).read_text().endswith("</html>\n")
    else:
        assert (run / name).read_bytes() == (job.run / name).read_bytes()


def test_a_demo_interrupted_in_every_stage(
    job: Job, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = run.parent / "demo"

    def table_of_the_job(*_: object, **__: object) -> LatencyTable:
        table = LatencyTable.load(job.run / "latency" / "cpu.json", tiny())
        table.save(out / "latency" / "cpu.json")
        return table

    monkeypatch.setattr("nas.jobs.demo.measure_table", table_of_the_job)
    monkeypatch.setattr("nas.jobs.demo._middle", lambda *_: BUDGET_MS)
    # At the second checkpoint, within the table, in the first generation of the search.
    calls = {
        "nas/training/checkpoint.py": 2,
        "latency_lut/table_file.py": 100,
        "nas/search/searchers/nsga2.py": 5,
    }
    with demo_of(job.config):
        for file, call in calls.items():
            assert interrupted("demo", "--out", out, at=call, within=str(ROOT / file))
            without_litter(out)
        sampled = rows(out / "samples.sqlite", "samples")
        assert nas("demo", "--out", out).code == 0
    demo_is_complete(out, job)
    assert len(sampled) == 12
    assert rows(out / "samples.sqlite", "samples")[:12] == sampled


def test_a_demo_killed_in_every_stage(job: Job, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = run.parent / "demo"
    table, samples = out / "latency" / "cpu.json", out / "samples.sqlite"
    monkeypatch.setenv(DEMO, str(job.config))
    strike(signal.SIGKILL, at("train", 7), "demo", "--out", out)
    assert (out / "checkpoint.pt").exists() and not (out / "supernet.safetensors").exists()
    strike(signal.SIGKILL, at("measure latencies", 1), "demo", "--out", out)
    measured = windows(out / "latency" / "cpu.samples" / "samples.jsonl")
    assert not table.exists()
    strike(signal.SIGKILL, at("measure accuracies", 5), "demo", "--out", out)
    kept = json.loads(table.read_text())["samples"]["windows"][: len(measured)]
    assert [one["before"] for one in kept] == measured != []
    sampled = rows(samples, "samples")
    assert len(sampled) >= 6
    strike(signal.SIGKILL, at("time candidates on cpu", 1), "demo", "--out", out)
    assert rows(samples, "samples")[: len(sampled)] == sampled
    sampled = rows(samples, "samples")
    assert len(sampled) >= 12 and not (out / "front.json").exists()
    monkeypatch.setattr("nas.jobs.demo._middle", lambda *_: BUDGET_MS)
    with demo_of(job.config):
        assert nas("demo", "--out", out).code == 0
    demo_is_complete(out, job)
    assert rows(samples, "samples")[: len(sampled)] == sampled


def demo_is_complete(out: Path, job: Job) -> None:
    """All files of a run, the weights those of a training that nobody stopped."""
    assert {name for name in files(out) if ".tmp" not in name} == set(files(job.run))
    name = "supernet.safetensors"
    assert (out / name).read_bytes() == (job.run / name).read_bytes()


def test_a_search_that_stopped_between_its_two_files(
    job: Job, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(path: Path, text: str) -> None:
        if path.name == "best.json":
            signal.raise_signal(signal.SIGINT)
        write_atomic(path, text)

    search = ("search", run, "--latency-ms", BUDGET_MS, "--resume")
    (run / "measured.json").unlink()
    monkeypatch.setattr("nas.best.write_atomic", stop)
    assert nas(*search).code == 130
    monkeypatch.undo()
    # The same study, but latencies were measured anew: the old best is not in the new front.
    assert (run / "best.json").read_bytes() == (job.run / "best.json").read_bytes()
    said = nas("export", run)
    assert said.code == 2 and "these two differ, as when a search is killed" in said.err
    assert nas("export", run, "--architecture", run / "best.json").code == 0
    assert nas(*search).code == 0
    assert nas("export", run).code == 0


def test_a_run_that_was_killed_while_its_folder_was_made(job: Job, tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / ".config.yaml.abcd.tmp.yaml").write_text("data:")
    assert nas("train", job.config, "--out", run).code == 0


def test_a_polite_kill_is_answered_like_an_interruption(
    job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object, **__: object) -> None:
        signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr("nas.jobs.train.train", killed)
    said = nas("train", job.config, "--out", tmp_path / "run")
    assert said.code == 130 and said.err.splitlines()[-1] == INTERRUPTED


@pytest.mark.parametrize("module", ["typer", "rich.console", "search_spaces", "numpy", "nas.show"])
def test_an_interruption_during_the_imports(module: str) -> None:
    code = f"""
import signal, sys

class Strike:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            signal.raise_signal(signal.SIGINT)

sys.meta_path.insert(0, Strike())
from nas.cli import main
sys.argv = ["nas", "spaces"]
main()
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, env=uncovered()
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", f"{INTERRUPTED}\n")
