"""The commands on a cluster: what they find is what they find in one process."""

from __future__ import annotations

import json
import shutil
import signal
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nas.jobs.engines import engine_of
from nas.jobs.proxies import proxy_scores
from nas.jobs.trained import TrainedRun
from nas.run import Run
from nas.terminal import Screen
from tests.nas.conftest import BUDGET_MS
from tests.nas.engine.work import PATIENCE_S, cluster
from tests.nas.tiny import Said, accuracies, nas, registered, rows, start, tiny

EVALUATE = ("--evaluate", "--networks", 32, "--samples", 12, "--repeats", 1)


def test_what_an_engine_prints_is_no_result(capsys: pytest.CaptureFixture[str]) -> None:
    with engine_of("local"):
        sys.stdout.write("a worker was lost\n")
    assert capsys.readouterr() == ("", "a worker was lost\n")


def test_an_unknown_engine_is_bad_input(run: Path) -> None:
    for arguments in (("search", run, "--latency-ms", BUDGET_MS), ("predict", run)):
        said = nas(*arguments, "--engine", "rai")
        assert said.code == 2 and "no engine 'rai'; there are local, ray" in said.err


def test_an_unlike_pool_is_refused_before_anything_is_done(run: Path) -> None:
    said = nas("search", run, "--latency-ms", BUDGET_MS, "--device", "cpu,cpu")
    assert said.code == 2 and "--device is a name, or names with commas" in said.err


@pytest.fixture(scope="module")
def on_cluster() -> Iterator[None]:
    pytest.importorskip("ray")
    with cluster():
        yield


@pytest.fixture
def both(run: Path, tmp_path: Path, on_cluster: None) -> dict[str, Path]:
    """Two copies of a run of which nothing is known yet, one for each engine."""
    for name in ("samples.sqlite", "study.sqlite", "front.json", "best.json", "measured.json"):
        (run / name).unlink()
    return {"local": run, "ray": Path(shutil.copytree(run, tmp_path / "ray"))}


def each(folders: dict[str, Path], command: str, *arguments: Any) -> dict[str, Said]:
    said = {
        engine: nas(command, folder, *arguments, "--json", "--engine", engine)
        for engine, folder in folders.items()
    }
    for one in said.values():
        assert one.code == 0, one.err
    return said


@pytest.mark.slow
def test_searches_are_equal(both: dict[str, Path]) -> None:
    said = each(both, "search", "--latency-ms", BUDGET_MS)
    assert sorted(accuracies(both["local"])) == sorted(accuracies(both["ray"]))
    assert len(accuracies(both["ray"])) >= 12
    studies = [rows(folder / "study.sqlite", "evaluations") for folder in both.values()]
    assert studies[0] == studies[1] and studies[0]
    timed = ("architecture", "val_accuracy", "predicted_error", "predicted_latency_ms", "model_mb")
    found = [
        sorted(
            json.dumps({name: point[name] for name in timed})
            for point in (*one.json["points"], *one.json["dominated"])
        )
        for one in said.values()
    ]
    assert found[0] == found[1]
    assert all(point["latency_ms"] > 0 for point in said["ray"].json["points"])


@pytest.mark.slow
def test_evaluations_of_predictors_are_equal(both: dict[str, Path]) -> None:
    said = each(both, "predict", *EVALUATE, "--predictor", "ridge")
    assert sorted(accuracies(both["local"])) == sorted(accuracies(both["ray"]))
    assert len(accuracies(both["ray"])) == 32
    assert said["local"].json["rows"] == said["ray"].json["rows"]


@pytest.mark.slow
def test_scores_of_proxies_are_equal(both: dict[str, Path]) -> None:
    X = tiny().sample(4, np.random.default_rng(0))
    scores = {}
    for engine, folder in both.items():
        with engine_of(engine) as working, registered():
            trained = TrainedRun(Run.open(folder))
            scores[engine] = proxy_scores(trained, X, Screen(as_json=True), working)
    assert scores["local"].keys() == scores["ray"].keys() and len(scores["ray"]) > 5
    for name, values in scores["local"].items():
        assert scores["ray"][name].tolist() == values.tolist(), name


@pytest.mark.slow
@pytest.mark.parametrize("interrupted", [False, True])
def test_a_cluster_that_a_command_starts_ends_with_it(
    run: Path, monkeypatch: pytest.MonkeyPatch, interrupted: bool
) -> None:
    pytest.importorskip("ray")
    (run / "samples.sqlite").unlink()
    mark = uuid.uuid4().hex
    monkeypatch.setenv("NAS_TEST_MARK", mark)
    # Not one that another test has on this machine.
    monkeypatch.setenv("RAY_ADDRESS", "local")
    process = start("predict", run, "--engine", "ray", "--json")
    said: list[str] = []
    if interrupted:
        assert process.stderr is not None
        for line in process.stderr:
            said.append(line)
            if line.startswith("measure accuracies: 2/12"):
                break
        process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=PATIENCE_S)
    err = "".join(said) + err
    if interrupted:
        assert process.returncode == 130, err
        assert err.splitlines()[-1].startswith("nas: interrupted; what was finished is kept")
        assert 2 <= len(accuracies(run)) < 12
    else:
        assert process.returncode == 0, err
        assert json.loads(out)["samples"] == 12 and len(accuracies(run)) == 12
    end = time.monotonic() + PATIENCE_S
    while left := marked(mark):
        assert time.monotonic() < end, left
        time.sleep(0.1)


def marked(mark: str) -> list[str]:
    """Commands of the processes that have it in their environment."""
    found = []
    for process in Path("/proc").iterdir():
        try:
            if mark.encode() in (process / "environ").read_bytes():
                found.append((process / "cmdline").read_text().replace("\0", " "))
        except (OSError, ValueError):  # It has ended, or is not ours to see.
            continue
    return found
