"""Work that is kept, trainings' logs, and how threads wait."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

import numpy as np
import pytest

from nas.config import TrainConfig
from nas.terminal import Screen

Script = Callable[[str], ModuleType]
ROOT = Path(__file__).resolve().parents[2]


def test_what_is_done_is_not_done_again(script: Script, tmp_path: Path) -> None:
    once, folder = script("units").once, tmp_path / "new" / "unit"
    found = once(folder, {"network": "a"}, lambda: {"val": 90.0})
    assert found["val"] == 90.0 and found["machine"] == script("units").machine()
    assert once(folder, {"network": "a"}, mock.Mock(side_effect=AssertionError)) == found
    with pytest.raises(SystemExit, match=r"result\.json is of another data and network; take"):
        once(folder, {"network": "b", "data": "c"}, dict)


def test_a_result_says_its_machine(script: Script, tmp_path: Path) -> None:
    script("units").once(tmp_path, {}, dict)
    machine = json.loads((tmp_path / "result.json").read_text())["found"]["machine"]
    assert {"cpu", "cores", "gpu", "threads", "torch"} <= set(machine)
    assert machine["GOMP_SPINCOUNT"] == os.environ["GOMP_SPINCOUNT"]


def test_processes_share_what_there_is_to_do(script: Script, tmp_path: Path) -> None:
    units, done = script("units"), []
    kept: list[list[str]] = []

    def elsewhere(name: str) -> None:
        units.once(tmp_path / name, {}, lambda: {"by": "another"})

    def unit(name: str, wanted: bool = True) -> Any:
        def train() -> dict[str, str]:
            if name == "a":
                elsewhere("unwanted")
            return {"by": "me"}

        def work() -> None:
            found = units.once(tmp_path / name, {}, train)
            done.append(f"{name} by {found['by']}")

        return units.Unit(tmp_path / name, work, wanted)

    elsewhere("b")
    (tmp_path / "c").mkdir()
    several = [unit("a"), unit("b"), unit("c"), unit("unwanted", wanted=False), unit("d")]
    with (tmp_path / "c" / ".lock.tmp").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        left = units.share(several, lambda: kept.append(list(done)), tmp_path)
    assert left == [tmp_path / "c"], "another process is at it"
    last = ["b by another", "a by me", "unwanted by another", "d by me"]
    assert kept == [last[:1], last[:3], last]
    done.clear()
    assert units.share(several, lambda: None, tmp_path) == []
    assert done[-1] == "c by me" and len(done) == len(several), "whoever was at it has ended"


def test_hits_come_back(script: Script) -> None:
    hits = np.random.default_rng(0).random(37) < 0.5
    text = script("units").packed(hits)
    assert len(text) == 10 and (script("units").unpacked(text, 37) == hits).all()


def test_what_a_training_took(script: Script, tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    log.write_text("epoch,images_per_second,seconds\n0,100,4.5\n1,300,1.75\n")
    assert script("units").took(log) == {"seconds": 6.2, "images_per_second": 150.0}


def test_a_network_alone_trains_where_fine_tuning_does(
    script: Script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    train = mock.Mock()
    monkeypatch.setattr(script("lone"), "train", train)
    data: Any = mock.Mock(fingerprint="the data")
    space: Any = mock.Mock(identity="the space")
    script("lone").trained_in(tmp_path, space, data, TrainConfig(), Screen(False))
    assert train.call_args.kwargs["ranks"].device == "cuda"


PROBE = """
import os, runpy, sys

class Probe:
    def find_spec(self, name, path, target=None):
        if name == "torch":
            print(os.environ["GOMP_SPINCOUNT"], flush=True)
            os._exit(0)

sys.meta_path.insert(0, Probe())
sys.path.insert(0, os.path.dirname(sys.argv[1]))
runpy.run_path(sys.argv[1])
"""


@pytest.mark.parametrize("name", ["ablations", "compare", "mobilenets"])
def test_threads_spin_as_long_as_those_of_the_command(name: str) -> None:
    file = ROOT / "experiments" / "supernet_quality" / f"{name}.py"
    environment = {k: v for k, v in os.environ.items() if k not in ("GOMP_SPINCOUNT",)}
    said = subprocess.run(
        [sys.executable, "-c", PROBE, str(file)],
        env={**environment, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    spins = said.stdout.strip()
    assert f'"GOMP_SPINCOUNT", "{spins}")' in (ROOT / "nas" / "cli.py").read_text()
