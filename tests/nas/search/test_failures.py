"""Networks that cannot be evaluated: recorded, left out, reported."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

import nas.search
import search_spaces
from nas.search import MachineError, SearchError

SPACE = search_spaces.get("small-images")
# Evolution, for it is quick; what is said here is of every search.
minimize = functools.partial(nas.search.minimize, searcher="nsga2")
Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]


def error(rows: Rows) -> Floats:
    return 10 + 5 * np.exp(-SPACE.parameters(rows) / 3e5)


class Picky:
    """Cannot say what some networks are worth: those of a middling width in the last stage."""

    choice = [choice.name for choice in SPACE.choices].index("s4.width")

    def __init__(self, how: str) -> None:
        self.how = how
        self.asked: list[tuple[int, ...]] = []

    def bad(self, rows: Rows) -> npt.NDArray[np.bool_]:
        return np.asarray(rows[:, self.choice] == 1)

    def __call__(self, rows: Rows) -> Floats:
        bad = self.bad(rows)
        self.asked += map(tuple, rows[~bad].tolist())
        if self.how == "raise" and bad.any():
            raise ValueError("out of luck")
        return np.where(bad, float("nan" if self.how == "raise" else self.how), error(rows))


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("nan", "error: nan is no finite number"),
        ("inf", "error: inf is no finite number"),
        ("raise", "error: ValueError: out of luck"),
    ],
)
def test_they_are_recorded_and_the_search_goes_on(tmp_path: Path, how: str, says: str) -> None:
    picky = Picky(how)
    given = {"space": SPACE, "budget": 120, "batch": 20, "path": tmp_path / "study.sqlite"}
    study = minimize(objectives={"error": picky}, **given)  # type: ignore[arg-type]
    failures = study.failures()
    rows = np.array([failure.row for failure in failures])
    assert len(study) == 120
    assert 0 < len(failures) < 60
    assert picky.bad(rows).all()
    assert {failure.said for failure in failures} == {says}
    assert failures[0].architecture == SPACE.decode(rows[0])
    good = np.array([evaluation.row for evaluation in study.evaluations()])
    assert len(good) + len(rows) == 120
    assert not picky.bad(good).any()
    np.testing.assert_array_equal(
        [evaluation.objectives["error"] for evaluation in study.evaluations()], error(good)
    )
    assert all(evaluation.row not in set(map(tuple, rows)) for evaluation in study.front())
    loaded = nas.search.load(tmp_path / "study.sqlite", SPACE)
    assert loaded.failures() == failures
    assert loaded.front() == study.front()


def test_they_are_evaluated_again_on_request_and_never_else(tmp_path: Path) -> None:
    given = {"space": SPACE, "budget": 60, "batch": 20, "path": tmp_path / "study.sqlite"}
    given["searcher"] = "random"  # It asks the same whatever it is told.
    first = minimize(objectives={"error": Picky("nan")}, **given)  # type: ignore[arg-type]
    failed = {failure.row for failure in first.failures()}
    asked: list[tuple[int, ...]] = []

    def mended(rows: Rows) -> Floats:
        asked.extend(map(tuple, rows.tolist()))
        return error(rows)

    again = minimize(objectives={"error": mended}, **given)  # type: ignore[arg-type]
    assert not asked
    assert {failure.row for failure in again.failures()} == failed
    mending = minimize(  # type: ignore[arg-type]
        objectives={"error": mended}, retry=True, **given
    )
    assert failed <= set(asked)
    assert not mending.failures()
    kept = nas.search.load(tmp_path / "study.sqlite", SPACE)
    assert not kept.failures()
    assert {evaluation.row for evaluation in kept.evaluations()} >= failed


def test_a_first_batch_that_fails_whole_ends_the_search_and_says_why(tmp_path: Path) -> None:
    path = tmp_path / "study.sqlite"

    def broken(rows: Rows) -> Floats:
        raise KeyError("weights")

    with pytest.raises(
        SearchError, match=r"10 networks in a row .* error: KeyError: 'weights'.*row"
    ):
        minimize(SPACE, {"error": broken}, budget=100, batch=10, path=path)
    assert len(nas.search.load(path, SPACE).failures()) == 10


@pytest.mark.parametrize("batch", [1, 3])
def test_the_first_network_may_fail(batch: int) -> None:
    asked: list[int] = []

    def error_but(fails: int) -> Floats:
        def function(rows: Rows) -> Floats:
            asked.append(len(rows))
            if len(asked) <= fails:
                raise ValueError("out of luck")
            return error(rows)

        return function  # type: ignore[return-value]

    study = minimize(SPACE, {"error": error_but(1)}, budget=12, batch=batch, piece=1)  # type: ignore[dict-item]
    assert (len(study.failures()), len(study.evaluations())) == (1, 11)
    asked.clear()
    with pytest.raises(SearchError, match=r"[56] networks in a row could not be evaluated"):
        minimize(SPACE, {"error": error_but(99)}, budget=12, batch=batch, piece=1)  # type: ignore[dict-item]


@pytest.mark.parametrize("raised", [SearchError("not this one"), ValueError("caf\udce9.onnx")])
def test_whatever_a_function_raises_is_that_networks_failure(
    tmp_path: Path, raised: Exception
) -> None:
    def picky(rows: Rows) -> Floats:
        if (rows[:, Picky.choice] == 1).any():
            raise raised
        return error(rows)

    path = tmp_path / "study.sqlite"
    study = minimize(SPACE, {"error": picky}, budget=40, batch=20, path=path)
    assert 0 < len(study.failures()) < 40
    assert nas.search.load(path, SPACE).failures() == study.failures()


@pytest.mark.parametrize("piece", [1, 4])
def test_what_the_machine_did_ends_the_search_and_is_no_failure(tmp_path: Path, piece: int) -> None:
    def breaks(rows: Rows) -> Floats:
        if (rows[:, Picky.choice] == 1).any():
            raise MachineError("the disk is full")
        return error(rows)

    path = tmp_path / "study.sqlite"
    given = {"space": SPACE, "budget": 40, "batch": 20, "piece": piece, "path": path}
    with pytest.raises(MachineError, match="^the disk is full$"):
        minimize(objectives={"error": breaks}, **given)  # type: ignore[arg-type]
    kept = nas.search.load(path, SPACE)
    assert not kept.failures() and len(kept) % piece == 0
    # Nobody waits for what was let go of, and nothing else is missing.
    study = minimize(objectives={"error": error}, **given)  # type: ignore[arg-type]
    straight = minimize(SPACE, {"error": error}, budget=40, batch=20)
    assert len(study) == 40 and study.front() == straight.front()


def test_what_breaks_in_the_middle_ends_the_search_after_twenty(tmp_path: Path) -> None:
    asked: list[int] = []

    def breaks(rows: Rows) -> Floats:
        asked.append(len(rows))
        if sum(asked) > 30:
            raise OSError("the disk is gone")
        return error(rows)

    path = tmp_path / "study.sqlite"
    with pytest.raises(SearchError, match="20 networks in a row.*the disk is gone"):
        minimize(SPACE, {"error": breaks}, budget=1000, batch=10, path=path)
    kept = nas.search.load(path, SPACE)
    assert len(kept.evaluations()) == 30
    assert len(kept.failures()) == 20
    study = minimize(SPACE, {"error": error}, budget=1000, batch=10, path=path, retry=True)
    assert len(study.evaluations()) == 1000


def test_rows_that_fail_only_together_are_evaluated_alone() -> None:
    def alone(rows: Rows) -> Floats:
        if len(rows) > 1:
            raise MemoryError("too many")
        return error(rows)

    study = minimize(SPACE, {"error": alone}, budget=30, batch=10)
    whole = minimize(SPACE, {"error": error}, budget=30, batch=10)
    assert study.front() == whole.front()
    assert not study.failures()


def test_what_one_function_cannot_say_is_not_worth_the_next() -> None:
    picky, asked = Picky("nan"), []

    def costly(rows: Rows) -> Floats:
        asked.extend(rows.tolist())
        return SPACE.macs(rows)

    minimize(SPACE, {"error": picky, "cost": costly}, budget=60, batch=20)
    assert asked
    assert not picky.bad(np.array(asked)).any()


@pytest.mark.parametrize("wrong", [lambda rows: error(rows)[:, None], lambda rows: 1.0])
def test_a_function_that_answers_for_no_row_is_no_failure_of_a_network(wrong: object) -> None:
    with pytest.raises(SearchError, match=r"one number a row, shape \(10,\); got shape"):
        minimize(SPACE, {"error": wrong}, budget=30, batch=10)  # type: ignore[dict-item]
