"""What a search says of itself beforehand, against what it then takes."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from nas.jobs.search_cost import search_bytes
from tests.nas.conftest import BUDGET_MS
from tests.nas.tiny import nas

SEARCH_FILES = ("study.sqlite", "samples.sqlite", "front.json", "best.json")
TOLD = r"up to 12 subnets and 2 candidates to measure: (.*) to go and up to 1 MB in (\S+) \("


def test_time_and_disk_are_told_before_anything_is_measured(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in SEARCH_FILES:
        (run / name).unlink()
    monkeypatch.setattr("nas.jobs.search_cost.networks_seconds", lambda device, ms: 600 * len(ms))
    said = nas("search", run, "--latency-ms", BUDGET_MS)
    assert said.code == 0, said.err
    told = re.search(TOLD, said.err)
    assert told is not None, said.err
    # The candidates alone are 1200 seconds; accuracies of the tiny space take none to speak of.
    assert told.groups() == ("about 20 min", str(run))


def test_known_accuracies_leave_the_time_of_the_last_candidates(run: Path) -> None:
    front = json.loads((run / "front.json").read_text())
    front["seconds"]["measure"] = 7200.0
    (run / "front.json").write_text(json.dumps(front))
    said = nas("search", run, "--latency-ms", BUDGET_MS, "--resume")
    told = re.search(TOLD, said.err)
    assert told is not None and told[1] == "about 2.0 h", said.err


def test_no_time_is_told_where_nothing_was_timed(run: Path) -> None:
    (run / "front.json").unlink()
    said = nas("search", run, "--latency-ms", BUDGET_MS, "--resume")
    told = re.search(TOLD, said.err)
    assert told is not None and told[1] == "as long as its candidates take", said.err


def test_the_files_of_a_search_fit_in_what_was_told(run: Path, tmp_path: Path) -> None:
    choices, evaluations = 10, 400
    out = tmp_path / "out"
    said = nas("search", run, "--latency-ms", BUDGET_MS, "--budget", evaluations, "-o", out)
    assert said.code == 0, said.err
    shutil.copy(run / "samples.sqlite", out)
    taken = sum((out / name).stat().st_size for name in SEARCH_FILES)
    assert taken < search_bytes(choices, 12, evaluations, 2) < 20 * taken
