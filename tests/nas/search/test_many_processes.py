"""Several processes on one study, and processes that are killed: nothing lost, nothing twice."""

from __future__ import annotations

import collections
import functools
import multiprocessing
import os
import signal
import sqlite3
import threading
import time
from multiprocessing.connection import Connection
from multiprocessing.context import ForkProcess
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

import nas.search
import search_spaces
from nas.search import workers

SPACE = search_spaces.get("nas-bench-macro")
# Evolution, for it is quick; what is said here is of every search.
minimize = functools.partial(nas.search.minimize, searcher="nsga2")
Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]

# Forked, because fifty interpreters would spend their lives importing.
FORK = multiprocessing.get_context("fork")


def work(path: Path, log: Path, seed: int, budget: int, pause: float) -> None:
    """Writes down whom it evaluates, in one write each, before it says what they are worth."""

    def error(rows: Rows) -> Floats:
        time.sleep(pause)
        file = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        for row in rows.tolist():
            os.write(file, (",".join(map(str, row)) + "\n").encode())
        os.close(file)
        return rows @ np.arange(1.0, 9.0)

    minimize(
        SPACE,
        {"error": error, "macs": SPACE.macs},
        budget=budget,
        batch=12,
        piece=2,
        seed=seed,
        path=path,
    )


def start(path: Path, log: Path, seed: int, budget: int, pause: float) -> ForkProcess:
    process = FORK.Process(target=work, args=(path, log, seed, budget, pause))
    process.start()
    return process


def ended(processes: list[ForkProcess]) -> list[int | None]:
    for process in processes:
        process.join(120)
    return [process.exitcode for process in processes]


def kept(path: Path) -> list[str]:
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)
    try:
        return [row for (row,) in connection.execute("SELECT row FROM evaluations ORDER BY number")]
    except sqlite3.OperationalError:
        return []
    finally:
        connection.close()


def alone(seed: int, budget: int) -> nas.search.Study:
    return minimize(
        SPACE,
        {"error": lambda rows: rows @ np.arange(1.0, 9.0), "macs": SPACE.macs},
        budget=budget,
        batch=12,
        piece=2,
        seed=seed,
    )


def test_equal_searches_share_the_work(tmp_path: Path) -> None:
    path, log = tmp_path / "study.sqlite", tmp_path / "log"
    processes = [start(path, log, seed=5, budget=96, pause=0.05) for _ in range(2)]
    assert ended(processes) == [0, 0]
    lines = log.read_text().splitlines()
    assert len(lines) == len(set(lines)) == 96
    shared, whole = nas.search.load(path, SPACE), alone(5, 96)
    assert shared.front() == whole.front()
    assert {e.row for e in shared.evaluations()} == {e.row for e in whole.evaluations()}
    assert sorted(file.name for file in tmp_path.iterdir()) == ["log", "study.sqlite"]


def test_others_take_what_is_known(tmp_path: Path) -> None:
    path, log = tmp_path / "study.sqlite", tmp_path / "log"
    processes = [start(path, log, seed, budget=120, pause=0.01) for seed in (1, 2, 3)]
    assert ended(processes) == [0, 0, 0]
    lines = log.read_text().splitlines()
    assert len(lines) == len(set(lines)) == len(kept(path))
    rows = {e.row for e in nas.search.load(path, SPACE).evaluations()}
    for seed in (1, 2, 3):
        assert {e.row for e in alone(seed, 120).evaluations()} <= rows


@pytest.mark.slow
def test_fifty_kills_lose_nothing_and_double_nothing(tmp_path: Path) -> None:
    path, log = tmp_path / "study.sqlite", tmp_path / "log"
    rng = np.random.default_rng(0)
    log.touch()
    before: list[str] = []
    kills = 0
    # One search goes on for as long as the others are killed, so slowly that it does not end, and
    # is the last to be killed. They have other seeds, lest they wait for it.
    living = start(path, log, seed=2, budget=900, pause=0.5)
    for _ in range(49):
        process = start(path, log, seed=int(rng.integers(2)), budget=900, pause=0.002)
        wanted = len(before) + int(rng.integers(1, 30))
        while len(kept(path) if path.exists() else []) < wanted and process.is_alive():
            time.sleep(0.005)
        process.kill()
        kills += ended([process]) == [-signal.SIGKILL]
        now = kept(path)
        assert now[: len(before)] == before, "what was evaluated stays evaluated"
        assert len(now) == len(set(now))
        before = now
    living.kill()
    kills += ended([living]) == [-signal.SIGKILL]
    assert kills == 50
    processes = [start(path, log, seed, budget=900, pause=0) for seed in range(3)]
    assert ended(processes) == [0, 0, 0]
    now = kept(path)
    assert now[: len(before)] == before
    asked = collections.Counter(log.read_text().splitlines())
    assert set(asked) == set(now)
    # Begun again is only what was under way when its process was killed: a piece of two at most.
    assert sum(asked.values()) - len(asked) <= 2 * kills
    for seed in range(3):
        assert {e.row for e in alone(seed, 900).evaluations()} <= {
            e.row for e in nas.search.load(path, SPACE).evaluations()
        }
    assert sorted(file.name for file in tmp_path.iterdir()) == ["log", "study.sqlite"]


def test_what_a_living_process_has_begun_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "study.sqlite"
    first_is_at_it, go_on = threading.Event(), threading.Event()
    asked: list[str] = []

    def slow(rows: Rows) -> Floats:
        asked.append("first")
        first_is_at_it.set()
        assert go_on.wait(30)
        return rows @ np.arange(1.0, 9.0)

    def quick(rows: Rows) -> Floats:
        asked.append("second")
        return rows @ np.arange(1.0, 9.0)

    def search(error: nas.search.Function) -> None:
        minimize(SPACE, {"error": error}, budget=10, batch=10, path=path)

    threads = [threading.Thread(target=search, args=(error,)) for error in (slow, quick)]
    threads[0].start()
    assert first_is_at_it.wait(30)
    threads[1].start()
    threads[1].join(0.5)
    assert threads[1].is_alive()
    go_on.set()
    for thread in threads:
        thread.join(30)
    assert asked == ["first"]
    assert len(kept(path)) == 10


def leaves_a_child(path: Path, child: Connection) -> None:
    """Forks while it evaluates, as a function with a pool of processes does, and never ends."""

    def error(rows: Rows) -> Floats:
        number = os.fork()
        if number:
            child.send(number)
        while True:
            signal.pause()

    minimize(SPACE, {"error": error}, budget=10, batch=10, path=path)


def test_what_a_dead_process_had_begun_is_free_though_its_child_lives(tmp_path: Path) -> None:
    path = tmp_path / "study.sqlite"
    here, there = FORK.Pipe()
    process = FORK.Process(target=leaves_a_child, args=(path, there))
    process.start()
    child = here.recv()
    process.kill()
    process.join()
    try:
        second = threading.Thread(
            target=minimize,
            args=(SPACE, {"error": lambda rows: rows @ np.arange(1.0, 9.0)}),
            kwargs={"budget": 10, "batch": 10, "path": path},
            daemon=True,
        )
        second.start()
        second.join(60)
        assert len(kept(path)) == 10
    finally:
        os.kill(child, signal.SIGKILL)


def test_files_of_who_was_killed_before_it_was_known_are_removed(tmp_path: Path) -> None:
    (tmp_path / "study.sqlite-worker-gone").touch()
    minimize(SPACE, {"macs": SPACE.macs}, budget=10, path=tmp_path / "study.sqlite")
    assert [file.name for file in tmp_path.iterdir()] == ["study.sqlite"]


def test_claims_by_hand(tmp_path: Path) -> None:
    path = tmp_path / "study.sqlite"
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute(workers.TABLE)
    first, second = workers.Worker(path), workers.Worker(path)
    first.enter(connection)
    second.enter(connection)
    assert first.claim(connection, {"a", "b"}) == {"a", "b"}
    assert second.claim(connection, {"b", "c"}) == {"c"}
    # Names are whatever a user's function says.
    first.hold(connection, {"a", "b\nc"})
    assert second.claim(connection, {"b", "c"}) == {"b", "c"}
    first.close(connection)
    third = workers.Worker(path)
    third.enter(connection)
    assert third.claim(connection, {"a", "b"}) == {"a"}
    second.close(connection)
    assert third.claim(connection, {"a", "b"}) == {"a", "b"}
    third.close(connection)
    assert connection.execute("SELECT count(*) FROM workers").fetchone() == (0,)
    connection.close()
