"""Engines by name, and what is said where one is not to be had."""

from __future__ import annotations

import subprocess
import sys

import pytest

from nas.engine import EngineError, LocalEngine, opened
from tests.nas.tiny import ROOT


def test_the_local_engine_works_in_order_and_no_further_than_it_is_asked() -> None:
    done: list[int] = []
    outcomes = LocalEngine().map(done.append, range(5))
    assert [next(outcomes)[0] for _ in range(2)] == [0, 1]
    assert done == [0, 1]


def test_who_interrupts_is_no_piece_of_work() -> None:
    def interrupted(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(LocalEngine().map(interrupted, range(2)))


def test_an_unknown_engine() -> None:
    with pytest.raises(EngineError, match="no engine 'rai'; there are local, ray; did you mean"):
        opened("rai")


def test_without_ray_the_command_to_get_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("nas.engine.ray_")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(EngineError, match=r"pip install 'nas-loop\[ray\]'"), opened("ray"):
        pass


def test_ray_is_imported_by_those_who_ask_for_it_alone() -> None:
    code = "import sys, nas.engine; nas.engine.opened('local'); assert 'ray' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("ray://127.0.0.1:10001", "join it with `ray start --address HOST:PORT`"),
        ("127.0.0.1:1", r"no Ray cluster answers at RAY_ADDRESS=127\.0\.0\.1:1 "),
    ],
)
def test_a_cluster_that_does_not_answer(
    monkeypatch: pytest.MonkeyPatch, address: str, says: str
) -> None:
    pytest.importorskip("ray")
    monkeypatch.setenv("RAY_ADDRESS", address)
    with pytest.raises(EngineError, match=says), opened("ray"):
        pass
