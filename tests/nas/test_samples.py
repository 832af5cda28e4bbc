"""Measured subnets: each once, spread over cost, and kept."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import numpy as np
import pytest

from nas.jobs.samples import Samples
from search_spaces.errors import ArtefactError, NasLoopError, SpaceError
from tests.nas.tiny import tiny

SPACE = tiny()
BELONGS = {"weights": "w", "data": "d"}


def ignored(done: int, of: int) -> None:
    pass


class Measured:
    """Accuracies that are known, and which rows they were asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, ...]] = []

    def __call__(self, row: np.ndarray) -> float:
        self.asked.append(tuple(row.tolist()))
        return float(row.sum())


def test_each_row_is_measured_once(tmp_path: Path) -> None:
    X = SPACE.sample(6, np.random.default_rng(0))
    X = np.concatenate([X, X[:2]])
    measured, told = Measured(), []
    samples = Samples(tmp_path / "samples.sqlite", SPACE, BELONGS)
    values = samples.measure(X, measured, lambda *progress: told.append(progress))
    assert values.tolist() == X.sum(axis=1).tolist()
    assert measured.asked == [tuple(row) for row in X[:6].tolist()]
    assert told == [(done, 8) for done in range(1, 9)]
    again = Samples(tmp_path / "samples.sqlite", SPACE, BELONGS)
    assert again.known() == {tuple(row): float(sum(row)) for row in X.tolist()}
    assert again.measure(X, measured, ignored).tolist() == values.tolist()
    assert len(measured.asked) == 6
    assert again.seconds().keys() == again.known().keys()


def test_rows_of_one_network_are_one_sample(tmp_path: Path) -> None:
    row = SPACE.smallest
    unread = np.flatnonzero(~SPACE.used(row[None])[0])[0]
    other = row.copy()
    other[unread] = 1
    measured, told = Measured(), []
    samples = Samples(tmp_path / "samples.sqlite", SPACE, BELONGS)
    X = np.stack([other, row])
    values = samples.measure(X, measured, lambda *progress: told.append(progress))
    assert values.tolist() == [row.sum()] * 2 and told == [(1, 2), (2, 2)]
    assert measured.asked == [*samples.known()] == [tuple(row.tolist())]
    with pytest.raises(SpaceError):
        samples.measure(X + 99, measured, ignored)
    assert len(samples.known()) == 1


def test_how_long_each_took_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr("time.perf_counter", lambda: clock[0])

    def slow(row: np.ndarray) -> float:
        clock[0] += float(row.sum()) / 8
        return 50.0

    X = np.unique(SPACE.sample(6, np.random.default_rng(0)), axis=0)
    samples = Samples(tmp_path / "samples.sqlite", SPACE, BELONGS)
    samples.measure(X, slow, ignored)
    assert samples.seconds() == {tuple(row): sum(row) / 8 for row in X.tolist()}


def test_what_was_measured_before_trouble_is_kept(tmp_path: Path) -> None:
    X = SPACE.sample(5, np.random.default_rng(0))

    def third_fails(row: np.ndarray) -> float:
        if (row == X[2]).all():
            raise KeyboardInterrupt
        return 50.0

    samples = Samples(tmp_path / "samples.sqlite", SPACE, BELONGS)
    with pytest.raises(KeyboardInterrupt):
        samples.measure(X, third_fails, ignored)
    again = Samples(tmp_path / "samples.sqlite", SPACE, BELONGS)
    assert set(again.known()) == {tuple(row) for row in X[:2].tolist()}


@pytest.mark.parametrize("name", ["weights", "data", "space"])
def test_samples_of_something_else(tmp_path: Path, name: str) -> None:
    Samples(tmp_path / "samples.sqlite", SPACE, BELONGS)
    space = tiny(num_classes=7) if name == "space" else SPACE
    belongs = {**BELONGS, **({} if name == "space" else {name: "other"})}
    with pytest.raises(ArtefactError, match=f"belong to another {name}; remove the file"):
        Samples(tmp_path / "samples.sqlite", space, belongs)


@pytest.mark.parametrize(
    ("column", "value", "says"),
    [
        ("accuracy", None, "NoneType"),
        ("accuracy", "much", "much"),
        ("row", "[0, 1", "delimiter"),
        ("row", "[0, 1]", "no row of tiny"),
        ("row", "7", "not iterable"),
        ("seconds", None, "NoneType"),
    ],
)
def test_damaged_values(tmp_path: Path, column: str, value: str | None, says: str) -> None:
    samples = Samples(tmp_path / "samples.sqlite", SPACE, BELONGS)
    samples.measure(SPACE.smallest[None], Measured(), ignored)
    with sqlite3.connect(tmp_path / "samples.sqlite") as file:
        file.execute(f"UPDATE samples SET {column} = ?", (value,))
    with pytest.raises(ArtefactError, match=f"cannot be read .*{says}.*; remove the file"):
        samples.known()


def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    samples = Samples(tmp_path / "samples.sqlite", SPACE, BELONGS)
    samples.measure(SPACE.smallest[None], Measured(), ignored)
    # Somebody else is in the middle of a long transaction.
    other = sqlite3.connect(tmp_path / "samples.sqlite", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    samples._file.execute("PRAGMA busy_timeout = 1")
    with pytest.raises(ArtefactError, match=r"cannot be read \(database is locked\)"):
        samples.known()
    other.execute("ROLLBACK")
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(NasLoopError, match="cannot be stored .* what was stored before is kept"):
        samples.measure(SPACE.largest[None], Measured(), ignored)
    other.execute("ROLLBACK")
    assert list(samples.known()) == [tuple(SPACE.smallest.tolist())]


def test_a_folder_in_its_place(tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match="cannot be used as a store of samples"):
        Samples(tmp_path, SPACE, BELONGS)
