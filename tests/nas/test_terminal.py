"""What goes where: results to standard output, everything else to standard error."""

from __future__ import annotations

import itertools
import json
from types import SimpleNamespace

import pytest

from nas import terminal
from nas.terminal import Screen, duration


def test_results_and_remarks_do_not_mix(capsys: pytest.CaptureFixture[str]) -> None:
    screen = Screen(as_json=False)
    screen.say("a remark")
    screen.result({"a": 1}, "the result")
    said = capsys.readouterr()
    assert (said.out, said.err) == ("the result\n", "a remark\n")


def test_json_alone(capsys: pytest.CaptureFixture[str]) -> None:
    screen = Screen(as_json=True)
    screen.say("a remark")
    screen.result({"ä": [1.5, None], "path": "a\nb"}, "the result")
    said = capsys.readouterr()
    assert json.loads(said.out) == {"ä": [1.5, None], "path": "a\nb"} and said.out.count("\n") == 1
    assert said.err == "a remark\n"


def test_nothing_to_say(capsys: pytest.CaptureFixture[str]) -> None:
    Screen(as_json=False).result({"a": 1})
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("path", ["run[1]", "run[red]", "[/etc]", "a:smile:", "a  b", "x" * 300])
def test_paths_come_out_as_they_are(capsys: pytest.CaptureFixture[str], path: str) -> None:
    screen = Screen(as_json=False)
    screen.say(path)
    screen.result({}, path)
    said = capsys.readouterr()
    assert (said.out, said.err) == (f"{path}\n", f"{path}\n")


def test_lines_of_progress_come_now_and_then(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = itertools.count(0.0, 10.0)  # Ten seconds pass whenever somebody looks.
    monkeypatch.setattr(terminal, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    with Screen(as_json=False).progress("train", 12) as advance:
        for done in range(13):
            advance(done, f"step {done}")
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "train: 2/12, 2 min left  step 2",  # 20 s for 2 steps, 100 s for 10
        "train: 5/12, 70 s left  step 5",
        "train: 8/12, 40 s left  step 8",
        "train: 11/12, 10 s left  step 11",
    ]


def test_what_an_earlier_call_had_done_does_not_count_as_speed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = itertools.count(0.0, 10.0)
    monkeypatch.setattr(terminal, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    with Screen(as_json=False).progress("train", 100) as advance:
        for done in (90, 91, 92, 93):
            advance(done, "fast")
    assert capsys.readouterr().err.splitlines() == ["train: 92/100, 80 s left  fast"]


def test_a_terminal_gets_a_bar(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    with Screen(as_json=False).progress("measure accuracies", 4) as advance:
        advance(1, "subnet")
        advance(4, "the last one")
    said = capsys.readouterr()
    assert said.out == ""
    assert "measure accuracies" in said.err and "4/4" in said.err and "the last one" in said.err


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.2, "0 s"),
        (89, "89 s"),
        (90, "2 min"),
        (600, "10 min"),
        (5400, "1.5 h"),
        (36000, "10.0 h"),
    ],
)
def test_durations(seconds: float, said: str) -> None:
    assert duration(seconds) == said
