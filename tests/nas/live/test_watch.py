"""When a search is looked at, and where it is told."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from types import SimpleNamespace

import pytest

from nas.live import Watch, watch, watching
from nas.live.progress import Looked
from nas.search import Budget, Step, Study, minimize
from nas.terminal import Screen
from tests.nas.tiny import tiny


@dataclass
class Clock:
    """A time that passes when it is told to."""

    now: float = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(watch, "time", SimpleNamespace(monotonic=made.monotonic))
    return made


def test_looks_are_seldom(clock: Clock) -> None:
    study = a_study(20)
    shown: list[int] = []
    looking = Watch(lambda looked: shown.append(looked.evaluations), 0.25)
    for number in range(1, 1001):
        clock.now += 0.01
        looking(study, Step(number, Budget(1000), clock.now - 100, 0))
    assert 39 <= len(shown) <= 41, "ten seconds, four looks in each, the first not at once"


def test_looks_that_take_long_are_put_off(clock: Clock) -> None:
    study = a_study(20)
    shown: list[float] = []

    def show(looked: Looked) -> None:
        shown.append(clock.now)
        clock.now += 0.1

    looking = Watch(show, 0.25)
    for number in range(10_000):
        clock.now += 0.01
        looking(study, Step(number, Budget(10_000), clock.now - 100, 0))
    assert len(shown) * 0.1 <= watch.SHARE * (clock.now - 100) + 0.1
    assert len(shown) >= 10


def a_study(rows: int) -> Study:
    space = tiny()
    return minimize(
        space,
        {"error": lambda X: 100 - space.macs(X) / 1e5, "macs": space.macs},
        searcher="random",
        budget=rows,
    )


def look(screen: Screen, clock: Clock) -> None:
    """A search of 120 evaluations, two minutes long."""
    study = a_study(120)
    with watching(screen, "search") as observer:
        for evaluations in (30, 60, 90, 120):
            clock.now += 31.0
            observer(study, Step(float(evaluations), Budget(120), clock.now - 100, 0))


def test_a_terminal_gets_a_picture(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    look(Screen(as_json=True), clock)
    said = capsys.readouterr()
    assert said.out == "", "results alone go there"
    assert "120/120 evaluations" in said.err and "front of" in said.err and "macs" in said.err
    assert "hypervolume" in said.err


def test_no_terminal_gets_lines_now_and_then(
    capsys: pytest.CaptureFixture[str], clock: Clock
) -> None:
    look(Screen(as_json=True), clock)
    said = capsys.readouterr()
    lines = said.err.splitlines()
    assert said.out == "" and len(lines) == 4
    assert re.fullmatch(
        r"search: 120/120 evaluations, 0.97 a second, 0 s left; front of \d+ networks?, "
        r"hypervolume [\d.e+]+, grew last at \d+",
        lines[-1],
    ), lines[-1]
    assert "\x1b" not in said.err


def test_a_quick_search_is_not_told_of(capsys: pytest.CaptureFixture[str]) -> None:
    study = a_study(10)
    with watching(Screen(as_json=False), "search") as observer:
        for done in range(10):
            observer(study, Step(done, Budget(10), done / 100, done))
    assert capsys.readouterr() == ("", "")


def test_it_follows_a_search(clock: Clock) -> None:
    shown: list[Looked] = []
    looking = Watch(shown.append)

    def observer(study: Study, step: Step) -> None:
        clock.now += 1.0
        looking(study, replace(step, seconds=clock.now - 100))

    space = tiny()
    minimize(space, {"macs": space.macs}, searcher="random", budget=50, batch=10, observer=observer)
    assert [looked.evaluations for looked in shown] == [10, 20, 30, 40, 50]
    assert shown[-1].speed == pytest.approx(10) and shown[-1].left_s == 0
    assert shown[-1].names == ("macs",)
