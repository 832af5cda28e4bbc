"""Which latency table a command uses, and that none is lost."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from latency_lut import LatencyTable, Verification, device, table_name
from latency_lut.populations import resolutions_of
from nas.config import Config
from nas.jobs.budget import SearchOptions
from nas.jobs.search import search_run
from nas.jobs.tables import table_to_extend
from nas.jobs.trained import TrainedRun
from nas.run import Run
from nas.terminal import Screen
from search_spaces.errors import ArtefactError, ConfigError
from tests.nas.conftest import Job
from tests.nas.tiny import files, nas, registered, tiny


def edit(path: Path, change: Callable[[Any], object]) -> None:
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


def another_device(table: Path) -> None:
    edit(table, lambda document: document["fingerprint"].update(cpu="Z80"))


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch, job: Job) -> list[dict[str, Any]]:
    """What was asked to be measured; the answer is the job's table, on the device asked."""
    asked: list[dict[str, Any]] = []
    table = LatencyTable.load(job.run / "latency" / "cpu.json", tiny())

    def measure(space: object, on: Any, **options: Any) -> LatencyTable:
        asked.append({"threads": on.threads, **options})
        sides = options["resolutions"] or [8, 10]
        fits = {side: table.fits[side] for side in sides}
        return replace(table, fingerprint=on.fingerprint(), fits=fits)

    monkeypatch.setattr("nas.jobs.measure.measure", measure)
    monkeypatch.setattr("os.cpu_count", lambda: 4)
    return asked


def test_names_tell_devices_and_threads_apart() -> None:
    assert table_name("cpu") == table_name("cpu", 1) == "cpu"
    assert table_name("cpu", 2) == "cpu-2threads"
    assert table_name("cuda:0") == "cuda-0"
    assert table_name("ssh://pi@10.0.0.7", 4) == "ssh-pi-10.0.0.7-4threads"


@pytest.mark.slow
def test_resolutions_are_added_to_the_table_that_is_there(run: Path) -> None:
    path = run / "latency" / "cpu.json"
    before = LatencyTable.load(path, tiny())
    edit(path, lambda document: (document["fits"].pop("10"), document["accuracy"].pop("10")))
    said = nas("search", run, "--latency-ms", 1)
    assert said.code == 2 and "`nas measure RUN --resolution 10` adds what is missing" in said.err
    said = nas("measure", run, "--resolution", 10, "--allow-noisy", "--json")
    assert said.code == 0, said.err
    assert said.json["resolutions"] == [8, 10] == list(map(int, said.json["held_out_mape"]))
    table = LatencyTable.load(path, tiny())
    assert table.windows == before.windows and table.fits[8].blocks == before.fits[8].blocks
    assert [one.resolutions for one in table.further] == [(10,)]
    rows = tiny().sample(200, np.random.default_rng(0))
    old, new = before.predict(rows), table.predict(rows)
    kept = resolutions_of(tiny(), tiny().index(rows)) == 8
    np.testing.assert_allclose(new[kept], old[kept], rtol=1e-6)
    # The same machine, some seconds later.
    np.testing.assert_allclose(new[~kept], old[~kept], rtol=0.5)
    assert nas("search", run, "--latency-ms", 1, "--budget", 20).code == 0


@pytest.mark.slow
def test_other_threads_are_another_table(run: Path, measured: list[dict[str, Any]]) -> None:
    before = (run / "latency" / "cpu.json").read_bytes()
    other = run / "latency" / "cpu-2threads.json"
    line = f"nas: {other}: there is no latency table; run `nas measure {run} --threads 2`\n"
    assert nas("search", run, "--latency-ms", 1, "--threads", 2).err == line
    said = nas("measure", run, "--threads", 2, "--json")
    assert said.code == 0 and said.json["table"] == str(other), said.err
    assert [one["threads"] for one in measured] == [2]
    assert (run / "latency" / "cpu.json").read_bytes() == before
    text = (run / "config.yaml").read_text()
    (run / "config.yaml").write_text(text.replace("threads: 1\n  # Shuffled", "threads: 3\n  #"))
    assert Config.load(run / "config.yaml").latency.threads == 3
    third = run / "latency" / "cpu-3threads.json"
    line = f"nas: {third}: there is no latency table; run `nas measure {run}`\n"
    assert nas("search", run, "--latency-ms", 1).err == line
    assert nas("measure", run, "--json").json["table"] == str(third)
    show = ("show", run / "best.json", "--run", run, "--json")
    assert "predicted_latency_ms" in nas(*show).json["architectures"][0]
    third.unlink()
    assert "predicted_latency_ms" not in nas(*show).json["architectures"][0]


@pytest.mark.parametrize("damage", ["device", "truncated"])
def test_a_table_of_something_else_is_replaced_only_by_name(
    run: Path, measured: list[dict[str, Any]], damage: str
) -> None:
    path = run / "latency" / "cpu.json"
    if damage == "device":
        another_device(path)
    else:
        path.write_bytes(path.read_bytes()[:9999])
    before = files(run)
    said = nas("measure", run)
    assert said.code == 2 and files(run) == before and not measured
    assert said.err.startswith(f"nas: {path}: the latency table is ") and said.err.count("\n") == 1
    assert "stays as it is: choose a name with --name, or name this file with -o" in said.err
    assert nas("measure", run, "--name", "mine").code == 0
    assert (run / "latency" / "mine.json").is_file() and path.read_bytes() == before[
        "latency/cpu.json"
    ]
    assert nas("measure", run, "--name", "cpu").code == 0
    assert LatencyTable.load(path, tiny()).fingerprint == device("cpu").fingerprint()


def test_a_search_refuses_a_table_of_another_device_whoever_asks(
    job: Job, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nas.jobs.trained.TrainedRun.val_accuracy", None)
    path = run / "latency" / "cpu.json"
    another_device(path)
    before = files(run)
    with registered():
        trained = TrainedRun(Run(run))
        table = LatencyTable.load(path, trained.space)
        with pytest.raises(ArtefactError, match="of another device or runtime: cpu .*'Z80'"):
            search_run(trained, table, SearchOptions(1.0), run, device("cpu"), Screen(True))
    monkeypatch.setattr("nas.jobs.demo.CONFIG", Config.load(run / "config.yaml"))
    said = nas("demo", "--out", run)
    assert said.code == 2 and files(run) == before
    assert f"nas: {path}: the latency table is of another device" in said.err


def test_a_table_that_is_named_says_on_how_many_threads(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = run / "two.json"
    table.write_bytes((run / "latency" / "cpu.json").read_bytes())
    arguments = ("search", run, "--latency-ms", 1, "--table", table, "--budget", 10)
    with monkeypatch.context() as patch:
        patch.setattr("os.cpu_count", lambda: 4)
        said = nas(*arguments, "--threads", 2)
    assert said.code == 2 and "threads 2 here, 1 there" in said.err
    assert nas(*arguments).code == 0


def test_points_of_a_front_and_profiles_say_at_which_pace_they_are(job: Job) -> None:
    front = job.said["search"].json
    points = [*front["points"], *front["dominated"]]
    assert all(point["pace"] > 0 for point in points)
    profile = ("profile", job.run / "best.onnx", "--json")
    assert nas(*profile).json["pace"] is None
    said = nas(*profile, "--table", job.run)
    assert said.code == 0, said.err
    assert said.json["pace"] > 0
    assert said.json["table"] == str(job.run / "latency" / "cpu.json")
    best = front["points"][front["best"]]
    assert said.json["latency_ms"] == pytest.approx(best["latency_ms"], rel=0.5)


def test_what_was_measured_before_an_update_is_not_extended(job: Job, tmp_path: Path) -> None:
    path = tmp_path / "cpu.json"
    table = LatencyTable.load(job.run / "latency" / "cpu.json", tiny())
    updated = replace(table.fingerprint, runtime="updated 2.0")
    found = Verification("today", updated, 4, 1.0, 0.0, 0.0, None, 0.0, holds=True)
    replace(table, verified=(found,)).save(path)
    LatencyTable.load(path, tiny()).require(updated)  # it is used there
    with pytest.raises(ConfigError, match=r"another device or runtime.*choose a name with --name"):
        table_to_extend(path, tiny(), updated, named=False)
    assert table_to_extend(path, tiny(), updated, named=True) is None
    extended = table_to_extend(path, tiny(), table.fingerprint, named=False)
    assert extended is not None and extended.verified == (found,)
