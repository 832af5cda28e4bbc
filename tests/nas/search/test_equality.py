"""Equal plans are evaluated once, and equal networks trained once."""

from __future__ import annotations

import itertools
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import numpy.typing as npt
import pytest

import nas.search
from nas.search import equality as equalities
from nas.search import evaluate
from search_spaces import Net, Space, choice, one_of
from search_spaces.specs import Classifier, Conv, MBConv

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]


def space() -> Space:
    """Two expansions of the block round to one width; either of two equal layers may be there."""
    net = Net(image=(3, 8))
    first, second = choice("first", 0, 1), choice("second", 0, 1)
    net("stem", Conv, out=8)
    net("a", Conv, out=8, when=first > 0)
    net("b", Conv, out=8, when=second > 0)
    net("c", MBConv, out=8, kernel=one_of(1, 3), expand=one_of(1, 1.05, 2))
    net("classifier", Classifier, classes=2)
    return Space(net, "rounded")


def everything(space: Space) -> Rows:
    sizes = [range(len(choice.values)) for choice in space.choices]
    return np.unique(space.canonical(list(itertools.product(*sizes))), axis=0)


@pytest.mark.parametrize("equality", ["plan", "network"])
def test_each_network_is_evaluated_once(tmp_path: Path, equality: str) -> None:
    rounded = space()
    rows = everything(rounded)
    # Counted by hand: 4 ways to have a and b, 2 kernels, 3 expansions of which 2 are one.
    networks = {"plan": 16, "network": 12}[equality]
    assert len(rows) == 24

    def name(row: Rows) -> str:
        if equality == "plan":
            return str(rounded.index(row[None]).tolist())
        return rounded.digest(rounded.decode(row))

    asked: list[tuple[int, ...]] = []

    def error(rows: Rows) -> Floats:
        asked.extend(map(tuple, rows.tolist()))
        return np.array([len(asked) + i for i in range(len(rows))], dtype=float)

    given = {"searcher": "random", "budget": 1000, "batch": 5, "equality": equality}
    path = tmp_path / "study.sqlite"
    study = nas.search.minimize(rounded, {"error": error}, path=path, **given)  # type: ignore[arg-type]
    assert len(asked) == networks
    assert len(study) == len(rows)
    values: dict[str, set[float]] = {}
    for evaluation in study.evaluations():
        of = name(np.array(evaluation.row))
        values.setdefault(of, set()).add(evaluation.objectives["error"])
    assert all(len(of_one) == 1 for of_one in values.values())
    repeats = [e for e in study.evaluations() if e.row not in set(asked)]
    assert {e.seconds for e in repeats} == {0.0}
    asked.clear()
    again = nas.search.minimize(rounded, {"error": error}, path=path, **given)  # type: ignore[arg-type]
    assert not asked
    assert again.front() == study.front()


def test_networks_cost_what_their_functions_took_and_repeats_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a clock that functions move: 3 s for a piece, 1 s for what had a value."""
    now = [0.0]
    monkeypatch.setattr(evaluate, "time", SimpleNamespace(perf_counter=lambda: now[0]))
    rounded = space()
    wanted: dict[tuple[int, ...], float] = {}

    def error(rows: Rows) -> Floats:
        now[0] += 3
        wanted.update((tuple(row), 3 / len(rows)) for row in rows.tolist())
        return np.where(rows[:, 0] == 0, np.nan, 1.0)

    def latency(rows: Rows) -> Floats:
        now[0] += len(rows)
        wanted.update((tuple(row), wanted[tuple(row)] + 1) for row in rows.tolist())
        return rounded.macs(rows)

    path = tmp_path / "study.sqlite"
    study = nas.search.minimize(
        rounded,
        {"error": error, "latency": latency},
        searcher="random",
        budget=1000,
        batch=5,
        piece=3,
        path=path,
    )
    # As counted above: the others are repeats.
    assert len(wanted) == 16
    for records in (study.records, nas.search.load(path, rounded).records):
        assert len(records.rows) == 24
        for row, seconds in zip(records.rows.tolist(), records.seconds, strict=True):
            assert seconds == pytest.approx(wanted.get(tuple(row), 0.0))


def test_the_budget_counts_networks() -> None:
    rounded = space()
    asked: list[int] = []

    def error(rows: Rows) -> Floats:
        asked.append(len(rows))
        return rounded.macs(rows)

    study = nas.search.minimize(
        rounded, {"error": error}, searcher="random", budget=5, batch=2, equality="network"
    )
    assert sum(asked) == 5
    assert study.ended_by == "evaluations"


def test_a_name_of_ones_own_tells_networks_apart() -> None:
    rounded = space()

    def by_kernel(rows: Rows) -> list[str]:
        return [str(row[-2]) for row in rows]

    asked: list[int] = []

    def error(rows: Rows) -> Floats:
        asked.append(len(rows))
        return rounded.macs(rows)

    study = nas.search.minimize(
        rounded, {"error": error}, searcher="random", budget=100, equality=by_kernel
    )
    assert sum(asked) == 2
    assert len(study) == len(everything(rounded))


@pytest.mark.parametrize("names", [lambda rows: ["a"], lambda rows: list(range(len(rows)))])
def test_names_that_tell_nothing_apart(names: equalities.Identity) -> None:
    rounded = space()
    with pytest.raises(nas.search.SearchError, match=r"a text for each of 4 rows; got \d"):
        nas.search.minimize(
            rounded, {"macs": rounded.macs}, searcher="random", budget=4, batch=4, equality=names
        )
