"""Studies on disk: what was evaluated stays, and a killed search ends as one that was not."""

from __future__ import annotations

import functools
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import nas.search
import search_spaces
from search_spaces.errors import ArtefactError, NasLoopError

SPACE = search_spaces.get("small-images")
# Evolution, for it is quick; what is said here is of every search.
minimize = functools.partial(nas.search.minimize, searcher="nsga2")
Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]


def error(rows: Rows) -> Floats:
    return 10 + 5 * np.exp(-SPACE.parameters(rows) / 3e5)


def latency(rows: Rows) -> Floats:
    return SPACE.macs(rows) / 1e7


OBJECTIVES = {"error": error, "latency_ms": latency}
LIMITS = {"latency_ms": 0.8}

# A search that writes down whom it evaluates, and in the middle of that waits to be killed.
SLOW = """
import pathlib, signal, sys
import numpy as np
import nas.search, search_spaces
space = search_spaces.get("small-images")
asked = 0
def error(rows):
    global asked
    with open(sys.argv[2], "a") as log:
        log.writelines(" ".join(map(str, row)) + "\\n" for row in rows.tolist())
    asked += len(rows)
    if asked > int(sys.argv[3]):
        pathlib.Path(sys.argv[2] + ".waits").touch()
        signal.pause()
    return 10 + 5 * np.exp(-space.parameters(rows) / 3e5)
nas.search.minimize(
    space, {"error": error, "latency_ms": lambda rows: space.macs(rows) / 1e7},
    {"latency_ms": 0.8}, budget=600, batch=20, seed=3, searcher="nsga2", path=sys.argv[1])
"""


def count(path: Path) -> int:
    try:
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    except sqlite3.OperationalError:
        return 0
    try:
        return int(connection.execute("SELECT count(*) FROM evaluations").fetchone()[0])
    except sqlite3.OperationalError:
        return 0
    finally:
        connection.close()


def kill(path: Path, log: Path, asked: int) -> None:
    """Search in another process, and kill it after so many networks, within the next batch."""
    waits = log.with_name(f"{log.name}.waits")
    process = subprocess.Popen([sys.executable, "-c", SLOW, str(path), str(log), str(asked)])
    while not waits.exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.wait()
    waits.unlink()


def test_killed_and_resumed_it_ends_as_if_it_had_not_been(tmp_path: Path) -> None:
    path, log = tmp_path / "study.sqlite", tmp_path / "log"
    kept = []
    for asked in (60, 180):
        kill(path, log, asked)
        kept.append(count(path))
    assert kept == [60, 240]
    before = nas.search.load(path, SPACE)
    command = [sys.executable, "-c", SLOW, str(path), str(log), "600"]
    subprocess.run(command, check=True)
    resumed = nas.search.load(path, SPACE)
    whole = minimize(SPACE, OBJECTIVES, LIMITS, budget=600, batch=20, seed=3)
    assert resumed.front() == whole.front()
    np.testing.assert_array_equal(resumed.records.rows, whole.records.rows)
    np.testing.assert_array_equal(resumed.records.values, whole.records.values)
    # Nothing lost, and nothing evaluated twice but the batch that was cut off each time.
    np.testing.assert_array_equal(before.records.rows, resumed.records.rows[: len(before)])
    lines = log.read_text().splitlines()
    assert len(set(lines)) == 600
    assert len(lines) == 600 + 2 * 20
    assert not list(tmp_path.glob("*-wal"))


def test_each_batch_is_in_the_file_before_the_next_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "study.sqlite"
    seen = []
    minimize(
        SPACE,
        OBJECTIVES,
        budget=50,
        batch=10,
        path=path,
        observer=lambda study, step: seen.append((step.evaluations, count(path))),
    )
    assert seen == [(n, n) for n in range(10, 60, 10)]


def test_the_file_is_readable_with_plain_sql(tmp_path: Path) -> None:
    path = tmp_path / "runs" / "study.sqlite"
    study = minimize(SPACE, OBJECTIVES, LIMITS, budget=30, path=path)
    connection = sqlite3.connect(path)
    lines = connection.execute(
        "SELECT row, error, latency_ms, violation, generation, origin FROM evaluations"
    ).fetchall()
    connection.close()
    assert len(lines) == 30
    for line, evaluation in zip(lines, study.evaluations(), strict=True):
        assert tuple(map(int, line[0].split(","))) == evaluation.row
        assert line[1:3] == tuple(evaluation.objectives.values())
        assert line[3] == pytest.approx(max(0, line[2] / 0.8 - 1))
        assert line[4:] == (evaluation.generation, "nsga2")


def test_more_budget_later_goes_on_where_it_ended(tmp_path: Path) -> None:
    path = tmp_path / "study.sqlite"
    short = minimize(SPACE, OBJECTIVES, LIMITS, budget=90, batch=20, path=path)
    asked = []

    def counted(rows: Rows) -> Floats:
        asked.append(len(rows))
        return error(rows)

    objectives = {"error": counted, "latency_ms": latency}
    longer = minimize(SPACE, objectives, LIMITS, budget=200, batch=20, path=path)
    whole = minimize(SPACE, OBJECTIVES, LIMITS, budget=200, batch=20)
    assert (len(short), len(longer), sum(asked)) == (90, 200, 110)
    assert [e.row for e in longer.front()] == [e.row for e in whole.front()]
    again = minimize(SPACE, objectives, LIMITS, budget=200, batch=20, path=path)
    assert sum(asked) == 110
    assert again.front() == longer.front()


def test_another_seed_or_searcher_uses_what_is_known(tmp_path: Path) -> None:
    path = tmp_path / "study.sqlite"
    minimize(SPACE, OBJECTIVES, budget=50, path=path, seed=1)
    study = minimize(SPACE, OBJECTIVES, budget=50, path=path, seed=1, searcher="random")
    origins = {evaluation.origin for evaluation in study.evaluations()}
    assert origins == {"nsga2", "random"}
    assert len(study) > 50


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            {"space": search_spaces.get("small-images", num_classes=5)},
            "space small-images, [0-9a-f]{12} there",
        ),
        ({"objectives": {"latency_ms": latency, "error": error}}, "objectives"),
        ({"objectives": {"error": error}, "functions": {"latency_ms": latency}}, "objectives"),
        (
            {"constraints": {"latency_ms": 0.9}},
            "constraints latency_ms 0.8 there, latency_ms 0.9 here",
        ),
        ({"constraints": {}}, "constraints"),
        ({"belongs": {"table": "other"}}, "belongs table this there, table other here"),
    ],
)
def test_a_file_of_another_search_is_refused_and_kept(
    tmp_path: Path, change: dict[str, object], says: str
) -> None:
    path = tmp_path / "study.sqlite"
    given = {
        "space": SPACE,
        "objectives": OBJECTIVES,
        "constraints": LIMITS,
        "belongs": {"table": "this"},
        "budget": 20,
        "path": path,
    }
    minimize(**given)  # type: ignore[arg-type]
    with pytest.raises(ArtefactError, match=f"study of another search.*{says}"):
        minimize(**{**given, **change})  # type: ignore[arg-type]
    assert count(path) == 20
    with pytest.raises(ArtefactError, match="study of another search"):
        nas.search.load(path, search_spaces.get("small-images", num_classes=5))


def test_what_is_no_study_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "study.sqlite"
    with pytest.raises(ArtefactError, match="no such study"):
        nas.search.load(path, SPACE)
    path.write_bytes(b"hello " * 1000)
    for use in (
        lambda: nas.search.load(path, SPACE),
        lambda: minimize(SPACE, OBJECTIVES, budget=5, path=path),
    ):
        with pytest.raises(ArtefactError, match="not a study"):
            use()
    assert path.read_bytes() == b"hello " * 1000
    path.unlink()
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE other (x)")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(ArtefactError, match="not a study"):
        minimize(SPACE, OBJECTIVES, budget=5, path=path)
    assert path.read_bytes() == before
    path.unlink()
    minimize(SPACE, OBJECTIVES, budget=5, path=path)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE study SET value = '[9]' WHERE key = 'format'")
    connection.close()
    with pytest.raises(ArtefactError, match=r"format \[9\] is not \[2\]"):
        nas.search.load(path, SPACE)
    with pytest.raises(NasLoopError, match="cannot be"):
        minimize(SPACE, OBJECTIVES, budget=5, path=tmp_path)
    with pytest.raises(NasLoopError, match=r"cannot be written.*search into another file"):
        minimize(SPACE, OBJECTIVES, budget=5, path=path / "study.sqlite")


class Refused(sqlite3.Connection):
    """Begins a log at the third attempt, as where several processes make a study at once."""

    attempts = 0

    def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
        if "journal_mode" in sql:
            self.attempts += 1
            if self.attempts < 3:
                error = sqlite3.OperationalError("database is locked")
                error.sqlite_errorcode = sqlite3.SQLITE_BUSY
                raise error
        return super().execute(sql, *parameters)


def test_who_opens_a_study_while_others_do_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def connect(path: Path) -> sqlite3.Connection:
        return sqlite3.connect(path, isolation_level=None, factory=Refused)

    monkeypatch.setattr("nas.search.store._connect", connect)
    assert len(minimize(SPACE, OBJECTIVES, budget=5, path=tmp_path / "study.sqlite")) == 5


def test_a_truncated_study_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "study.sqlite"
    minimize(SPACE, OBJECTIVES, budget=300, path=path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ArtefactError, match="not a study, or damaged"):
        nas.search.load(path, SPACE)


def test_a_removed_study_leaves_nothing_that_a_new_one_trips_over(tmp_path: Path) -> None:
    path = tmp_path / "study.sqlite"
    kill(path, tmp_path / "log", 40)
    assert count(path) == 40
    # Only the file itself is removed; the log that SQLite keeps beside it stays.
    path.unlink()
    study = minimize(SPACE, OBJECTIVES, LIMITS, budget=30, path=path, seed=9)
    assert len(study) == len(nas.search.load(path, SPACE)) == 30


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, to be out of space")
def test_a_full_disk_is_named_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "study.sqlite"
    from nas.search import store

    connect = store._connect

    def small(path: Path) -> sqlite3.Connection:
        connection = connect(path)
        # SQLite's own way to be out of space.
        connection.execute("PRAGMA max_page_count=30")
        return connection

    monkeypatch.setattr(store, "_connect", small)
    with pytest.raises(NasLoopError, match=r"study.sqlite: the study cannot be written.*full"):
        minimize(SPACE, OBJECTIVES, budget=5000, batch=50, path=path)
    monkeypatch.undo()
    kept = len(nas.search.load(path, SPACE))
    assert kept > 50
    assert kept % 50 == 0
    study = minimize(SPACE, OBJECTIVES, budget=kept + 100, batch=50, path=path)
    assert len(study) == kept + 100


def test_an_interruption_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "study.sqlite"

    def interrupted(study: nas.search.Study, step: nas.search.Step) -> None:
        if step.evaluations == 40:
            os.kill(os.getpid(), signal.SIGINT)

    # A shell that starts the tests in the background has them ignore Ctrl-C.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            minimize(SPACE, OBJECTIVES, budget=100, batch=20, path=path, observer=interrupted)
    finally:
        signal.signal(signal.SIGINT, before)
    assert len(nas.search.load(path, SPACE)) == 40
