"""A real cluster of two nodes: workers that are killed, and devices."""

from __future__ import annotations

import itertools
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import search_spaces
from nas.engine import LOCAL, Engine, EngineError, opened
from nas.search import Function, Study, load, minimize
from tests.nas.engine.work import (
    Cluster,
    Collecting,
    Deadly,
    Fatal,
    Heavy,
    Meeting,
    Placed,
    Recorded,
    cluster,
    lock,
    square,
    value_error,
    wait_for,
)

pytestmark = pytest.mark.slow
pytest.importorskip("ray")


@pytest.fixture(scope="module")
def two_nodes() -> Iterator[Cluster]:
    with cluster() as nodes:
        yield nodes


@pytest.fixture
def engine(two_nodes: Cluster) -> Iterator[Engine]:
    with opened("ray") as on_ray:
        yield on_ray


def test_both_nodes_work(engine: Engine, tmp_path: Path) -> None:
    work = Placed(tmp_path)
    collecting = Collecting(engine.map(work, range(4)))
    collecting.start()
    wait_for(lambda: len({node for _, node in work.attempts()}) == 2)
    (tmp_path / "go").touch()
    assert collecting.all() == {n: n * n for n in range(4)}


def test_a_killed_worker_costs_its_own_piece_alone(engine: Engine, tmp_path: Path) -> None:
    work = Fatal(tmp_path, victim=3, times=1)
    assert dict(engine.map(work, range(8))) == {n: n * n for n in range(8)}
    assert [work.attempts(n) for n in range(8)] == [2 if n == 3 else 1 for n in range(8)]


def test_a_piece_that_kills_every_worker_is_given_up(engine: Engine, tmp_path: Path) -> None:
    work = Fatal(tmp_path, victim=1, times=99)
    outcomes = dict(engine.map(work, range(4)))
    assert isinstance(error := outcomes.pop(1), EngineError)
    assert "item 1 was given up: 3 workers ended on it" in str(error)
    assert "--engine local" in str(error)
    assert outcomes == {n: n * n for n in (0, 2, 3)}
    assert work.attempts(1) == 3


def test_a_killed_worker_with_a_device_lets_go_of_it(engine: Engine, tmp_path: Path) -> None:
    work = Fatal(tmp_path, victim=1, times=1)
    assert dict(engine.map(work, range(3), ["pi"] * 3)) == {n: n * n for n in range(3)}
    assert [work.attempts(n) for n in range(3)] == [1, 2, 1]


def test_work_is_unpacked_once_a_worker(engine: Engine, tmp_path: Path) -> None:
    heavy = Heavy(tmp_path / "log")
    results = dict(engine.map(heavy, range(12)))
    results |= {12 + n: one for n, one in engine.map(heavy, range(12))}
    unpacked = Counter((tmp_path / "log").read_text().split())
    calls = Counter(str(pid) for pid, _ in results.values())
    assert sum(calls.values()) == 24
    assert set(unpacked) == set(calls) and set(unpacked.values()) == {1}
    # What it builds in a worker stays there: each call found what the one before had left.
    assert sorted(built for _, built in results.values()) == sorted(
        itertools.chain.from_iterable(range(1, n + 1) for n in calls.values())
    )


def test_devices_are_exclusive_among_all_who_use_the_cluster(
    engine: Engine, tmp_path: Path
) -> None:
    work = Recorded(tmp_path, 0.05)
    with opened("ray") as other:
        two = [
            Collecting(one.map(work, [(first + n, "pi") for n in range(6)], ["pi"] * 6))
            for first, one in ((0, engine), (100, other))
        ]
        for collecting in two:
            collecting.start()
        for first, collecting in zip((0, 100), two, strict=True):
            assert collecting.all() == {n: first + n for n in range(6)}
    records = work.records()
    assert len(records) == 12
    for one, next_one in itertools.pairwise(records):
        assert one["ended"] <= next_one["began"]


def test_two_devices_work_at_the_same_time(engine: Engine, tmp_path: Path) -> None:
    outcomes = engine.map(Meeting(tmp_path, 2), ["a", "b"], ["a", "b"])
    assert dict(outcomes) == {0: "a", 1: "b"}


def test_a_search_is_the_same_as_in_one_process(engine: Engine, tmp_path: Path) -> None:
    """Also where a worker is killed, which costs one evaluation."""
    space = search_spaces.get("nas-bench-macro")

    def search(error: Function, path: Path, engine: Engine = LOCAL) -> Study:
        return minimize(
            space,
            {"error": error, "macs": space.macs},
            searcher="nsga2",
            budget=60,
            seed=4,
            batch=15,
            piece=1,
            path=path,
            engine=engine,
        )

    alone = search(lambda rows: 10.0 + rows @ np.arange(1.0, 9.0), tmp_path / "local.sqlite")
    victim = tuple(int(option) for option in alone.records.rows[20])
    (tmp_path / "asked").mkdir()
    shared = search(Deadly(tmp_path / "asked", victim), tmp_path / "ray.sqlite", engine)
    np.testing.assert_array_equal(shared.records.rows, alone.records.rows)
    np.testing.assert_array_equal(shared.records.values, alone.records.values)
    assert shared.front() == alone.front()
    asked = {file.name: len(file.read_text()) for file in (tmp_path / "asked").iterdir()}
    assert asked.pop(",".join(map(str, victim))) == 2
    assert set(asked.values()) == {1} and len(asked) == 59
    kept = load(tmp_path / "ray.sqlite", space)
    assert len(kept) == 60 and not kept.failures()
    assert kept.front() == alone.front()


def test_what_cannot_be_sent(engine: Engine) -> None:
    unsendable = threading.Lock()
    with pytest.raises(EngineError, match="work cannot be sent"):
        engine.map(lambda number: (unsendable, number), range(2))
    with pytest.raises(EngineError, match="an item cannot be sent"):
        list(engine.map(square, [unsendable]))
    outcomes = dict(engine.map(lock, range(3)))
    assert isinstance(outcomes[1], EngineError) and "cannot be sent back" in str(outcomes[1])
    assert outcomes[0] == 0 and outcomes[2] == 2


def test_an_exception_says_where_it_was_raised(engine: Engine) -> None:
    ((_, error),) = engine.map(value_error, [7])
    assert isinstance(error, ValueError) and str(error) == "not 7"
    assert "in value_error" in error.__notes__[0]
