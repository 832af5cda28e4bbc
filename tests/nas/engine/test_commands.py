"""The commands on a cluster: what they find is what they find in one process."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nas.jobs.engines import engine_of
from tests.nas.conftest import BUDGET_MS
from tests.nas.engine.work import PATIENCE_S, cluster
from tests.nas.tiny import Said, accuracies, nas, rows, start

EVALUATE = ("--evaluate", "--networks", 34, "--samples", 12, "--repeats", 1, "--proxies")


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
    kept = [
        sorted((row, scores) for row, scores, _ in rows(folder / "proxies.sqlite", "samples"))
        for folder in both.values()
    ]
    assert kept[0] == kept[1] and len(kept[0]) == 34
    assert said["local"].json["rows"] == said["ray"].json["rows"]


@pytest.mark.slow
def test_a_cluster_that_a_command_starts_ends_with_it(run: Path) -> None:
    pytest.importorskip("ray")
    (run / "samples.sqlite").unlink()
    mark = f"NAS_TEST_MARK={uuid.uuid4().hex}"
    os.environ.update([mark.split("=")])  # type: ignore[list-item]
    try:
        process = start("predict", run, "--engine", "ray", "--json")
        out, err = process.communicate(timeout=PATIENCE_S)
    finally:
        del os.environ["NAS_TEST_MARK"]
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
