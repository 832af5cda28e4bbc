"""What every engine promises. A new one is tested by being in the catalogue."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from nas.engine import Engine, EngineError, names, opened
from tests.nas.engine.work import OddError, Recorded, cluster, drawn, odd_fails, square

# A cluster takes seconds to come and go.
SLOW = {"ray"}


@pytest.fixture(
    scope="module",
    params=[pytest.param(n, marks=[pytest.mark.slow] if n in SLOW else []) for n in names()],
)
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """Each engine; Ray's on two nodes."""
    if request.param != "ray":
        with opened(request.param) as opened_engine:
            yield opened_engine
        return
    with cluster(), opened("ray") as on_ray:
        yield on_ray


def test_every_item_has_its_result_once(engine: Engine) -> None:
    outcomes = list(engine.map(square, range(40)))
    assert len(outcomes) == 40
    assert dict(outcomes) == {number: number**2 for number in range(40)}
    assert list(engine.map(square, [])) == []


def test_functions_that_are_no_modules_work_too(engine: Engine) -> None:
    by = 3
    assert dict(engine.map(lambda number: number * by, (n for n in (5, 7)))) == {0: 15, 1: 21}


def test_equal_seeds_give_equal_numbers_wherever_they_are_drawn(engine: Engine) -> None:
    assert dict(engine.map(drawn, range(10))) == {n: drawn(n) for n in range(10)}


def test_an_exception_is_that_of_its_piece_alone(engine: Engine) -> None:
    outcomes = dict(engine.map(odd_fails, range(6)))
    assert [outcomes[n] for n in (0, 2, 4)] == [0, 2, 4]
    for number in (1, 3, 5):
        error = outcomes[number]
        # An exception that cannot travel is told of in another's words.
        assert isinstance(error, OddError | EngineError)
        assert f"{number} is odd" in str(error)


def test_a_device_has_one_piece_at_a_time(engine: Engine, tmp_path: Path) -> None:
    work = Recorded(tmp_path, 0.05)
    needs = ["a", "b", "a", None, "b", "a"]
    items = [(number, str(need)) for number, need in enumerate(needs)]
    assert sorted(engine.map(work, items, needs)) == [(n, n) for n in range(6)]
    for device in ("a", "b"):
        records = [record for record in work.records() if record["device"] == device]
        assert len(records) == needs.count(device)
        for one, next_one in itertools.pairwise(records):
            assert one["ended"] <= next_one["began"]


def test_as_many_needs_as_items(engine: Engine) -> None:
    with pytest.raises(EngineError, match="needs has one device, or None, for each item; got 1"):
        engine.map(square, range(2), ["a"])


def test_who_stops_listening_can_go_on_with_other_work(engine: Engine) -> None:
    outcomes = engine.map(square, range(30))
    next(iter(outcomes))
    outcomes.close()  # type: ignore[attr-defined]
    assert dict(engine.map(square, range(3))) == {0: 0, 1: 1, 2: 4}
