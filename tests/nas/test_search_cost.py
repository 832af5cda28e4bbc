"""What a search says of itself beforehand, against what it then takes."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from nas.jobs.budget import SearchOptions
from nas.jobs.search_cost import most_evaluations, round_seconds, search_bytes
from nas.jobs.trained import TrainedRun
from nas.terminal import duration
from tests.nas.conftest import BUDGET_MS
from tests.nas.tiny import accuracies, nas, tiny

SEARCH_FILES = ("study.sqlite", "samples.sqlite", "front.json", "best.json")
TOLD = r"up to 12 subnets and 2 to 4 candidates to measure: (.*) to go and up to 1 MB in (\S+) \("


def test_time_and_disk_are_told_before_anything_is_measured(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in SEARCH_FILES:
        (run / name).unlink()
    monkeypatch.setattr("nas.jobs.search_cost.networks_seconds", lambda ms: 600 * len(ms))
    said = nas("search", run, "--latency-ms", BUDGET_MS)
    assert said.code == 0, said.err
    told = re.search(TOLD, said.err)
    assert told is not None, said.err
    # The candidates alone are 2400 seconds, and a tenth more to compare; accuracies of the tiny
    # space take none to speak of.
    assert told.groups() == ("up to 44 min", str(run))


def by_macs(run: Path) -> np.ndarray:
    """As if every accuracy had taken 100 s, and a second for each thousand MACs: those MACs."""
    with sqlite3.connect(run / "samples.sqlite") as file:
        keys = [row for (row,) in file.execute("SELECT row FROM samples")]
        macs = tiny().macs(np.array([json.loads(key) for key in keys]))
        took = zip((100 + macs / 1e3).tolist(), keys, strict=True)
        file.executemany("UPDATE samples SET seconds = ? WHERE row = ?", took)
    return macs


def test_measured_accuracies_tell_how_long_others_take(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A network of so many MACs took so many seconds; twelve are known, two are candidates."""
    monkeypatch.setattr("nas.jobs.search_cost.networks_seconds", lambda ms: 0.0)
    macs = by_macs(run)
    seconds = 1.1 * 4 * (100 + float(np.median(macs)) / 1e3)
    for out in (run, run / "elsewhere"):
        said = nas("search", run, "--latency-ms", BUDGET_MS, "--resume", "-o", out)
        told = re.search(TOLD, said.err)
        assert told is not None and told[1] == f"up to {duration(seconds)}", said.err


def test_nothing_is_run_to_tell_the_time_where_a_guide_is_named(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (run / "samples.sqlite").unlink()
    asked: list[object] = []
    monkeypatch.setattr("nas.jobs.one_round.searching.minimize", lambda *a, **k: asked.append(a))
    monkeypatch.setattr("nas.jobs.trained.TrainedRun.val_accuracy", None)
    with pytest.raises(AttributeError):  # There is no study to go on with.
        nas("search", run, "--latency-ms", BUDGET_MS, "--proxy", "macs")
    assert len(asked) == 1


def test_the_files_of_a_search_fit_in_what_was_told(run: Path, tmp_path: Path) -> None:
    choices, evaluations = 10, 400
    out = tmp_path / "out"
    said = nas("search", run, "--latency-ms", BUDGET_MS, "--budget", evaluations, "-o", out)
    assert said.code == 0, said.err
    shutil.copy(run / "samples.sqlite", out)
    taken = sum((out / name).stat().st_size for name in SEARCH_FILES)
    assert taken < search_bytes(choices, 12, evaluations, 2) < 20 * taken


def test_predictors_say_what_measuring_and_fitting_take(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = by_macs(run)
    monkeypatch.setattr(TrainedRun, "val_accuracy", lambda _, row: float(row.sum()))
    asked = ("--evaluate", "--networks", 45, "--samples", 20, "--samples", 12, "--repeats", 2)
    said = nas("predict", run, *asked, "--predictor", "ridge", "--predictor", "mlp")
    assert said.code == 0, said.err
    rows = np.array([json.loads(row) for row, _ in accuracies(run)])
    # Those that it then measured; fits of an ensemble of networks are about two seconds.
    seconds = float((100 + tiny().macs(rows[len(before) :]) / 1e3).sum()) + 4 * (2 + 0.05)
    assert len(rows) > 40
    told = re.match(r"45 subnets and 8 fits: about (.*) to go and up to 3 MB in (\S+) \(", said.err)
    assert told is not None and told.groups() == (duration(seconds), str(run)), said.err
    said = nas("predict", run)
    assert said.code == 0, said.err
    # None to measure; a fit, and five to cross-validate it.
    told = re.match(r"12 subnets to fit a .* on: about 12 s to go and up to (\d) MB in ", said.err)
    assert told is not None, said.err
    assert (run / "predictor.npz").stat().st_size <= int(told[1]) * 1e6


def test_a_predictor_and_its_subnets_each_need_room_where_they_go(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    out, free = elsewhere / "p.npz", {run: 0, elsewhere: 0}
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=free[path]))

    def refusal() -> str:
        said = nas("predict", run, "-o", out)
        assert said.code == 2 and not out.exists()
        return said.err.splitlines()[-1]

    assert refusal().startswith(f"nas: {run}: 1 MB are needed and 0 MB are free")
    free[run] = 10**9
    assert refusal().endswith("2 MB are needed and 0 MB are free; make room or choose another -o")
    # A predictor is 1.05 MB at most, and 0.26 MB more are for what is measured on the same disk.
    free[elsewhere] = 1_200_000
    assert refusal().startswith(f"nas: {out}: 2 MB are needed and 1 MB are free")
    monkeypatch.setattr("nas.jobs.predict_cost.same_disk", lambda *paths: False)
    said = nas("predict", run, "-o", out)
    assert said.code == 0 and f"up to 1 MB in {run}, up to 2 MB in {out} (" in said.err, said.err


def test_what_ends_a_round_bounds_it() -> None:
    large = 10**20
    usual = SearchOptions(1.0, evaluations=50_000)
    assert most_evaluations(usual, large) == 50_000 and most_evaluations(usual, 480) == 480
    assert round_seconds(usual, large) == 2.5
    timed = SearchOptions(1.0, evaluations=2_000_000, minutes=0.1)
    assert most_evaluations(timed, large) == 180_000 and round_seconds(timed, large) == 6.0
    modelled = SearchOptions(1.0, "mobo", evaluations=500)
    assert round_seconds(modelled, large) == pytest.approx(50.0)


def test_the_minutes_of_all_rounds_are_told(run: Path) -> None:
    given = ("--latency-ms", BUDGET_MS, "--proxy", "macs", "--no-baselines", "--budget", 50)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nas.jobs.search_cost.networks_seconds", lambda ms: 0.0)
        patch.setattr("nas.jobs.beginning.round_seconds", lambda options, size: 600.0)
        said = nas("search", run, *given)
    assert said.code == 0 and "up to 30 min to go" in said.err, said.err
