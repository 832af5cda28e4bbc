from __future__ import annotations

import errno
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from latency_lut import campaign
from latency_lut.campaign import Effort, Progress, collect, estimate_s
from latency_lut.errors import DeviceError
from latency_lut.journal import HEADER, SAMPLES, Journal
from latency_lut.latency import latencies
from latency_lut.references import NAMES, references
from latency_lut.seam import Loaded, Model, Sample
from latency_lut.windows import Window
from search_spaces.errors import ArtefactError, NasLoopError
from tests.latency_lut.synthetic import SyntheticDevice

EFFORT = Effort(rounds=8, runs=4)


def models(n: int = 12) -> list[Model]:
    return [Model(f"m{i}", lambda i=i: str(i).encode(), guess_ms=1) for i in range(n)]


def cost(content: bytes) -> float:
    return 1.0 + int(content) if len(content) < 3 else 1.0


def run(device: SyntheticDevice, journal: Journal, **options: Any) -> list[Progress]:
    told: list[Progress] = []
    collect(device, models(), EFFORT, np.random.default_rng(0), journal, told.append, **options)
    return told


def test_there_are_three_references_and_they_never_change() -> None:
    assert len(references()) == 3
    again = [model.content() for model in references()]
    assert [model.content() for model in references()] == again


def test_every_model_gets_its_rounds_between_looks_at_the_references() -> None:
    device = SyntheticDevice(cost=cost)
    journal = Journal(None)
    told = run(device, journal)
    assert device.connections == 2, "two fresh processes"
    counted = Counter(device.visits)
    assert {counted[f"m{i}"] for i in range(12)} == {EFFORT.rounds}
    visits = [visit for window in journal.windows for visit in window.visits]
    assert len(visits) == 12 * EFFORT.rounds
    assert all(len(visit.times_ms) >= EFFORT.runs for visit in visits), "all runs are kept"
    looks = "".join("r" if name in NAMES else "m" for name in device.visits)
    assert looks.startswith("rrr") and looks.endswith("rrr")
    assert "rrrm" in looks and all(len(part) in (0, 3, 6) for part in looks.split("m") if part)
    order = [name for name in device.visits if name not in NAMES]
    assert order[:12] != order[12:24] and sorted(order[:12]) == sorted(order[12:24])
    assert told[0].done == 0 and told[0].seconds_left == pytest.approx(
        estimate_s(models(), EFFORT), rel=0.01
    )
    assert (told[-1].done, told[-1].total) == (96, 96)
    assert set(journal.loaded) == {*NAMES, *(f"m{i}" for i in range(12))}


def test_a_slow_machine_is_corrected_and_a_jumping_one_measured_again() -> None:
    def pace(run: int) -> float:
        return 1.0 if run < 3000 else 1.07 if run < 6000 else 1.0

    slow = SyntheticDevice(cost=cost, pace=pace)
    journal = Journal(None)
    run(slow, journal)
    for i in range(12):
        measured = latencies(journal.windows, EFFORT.rounds, np.random.default_rng(0))
        assert measured[f"m{i}"].latency_ms == pytest.approx(1.0 + i, rel=1e-6)
    rng = np.random.default_rng(1)
    jumps = rng.random(100_000) < 0.002

    def jumping(run: int) -> float:
        # Spells of 200 runs, some of them far slower than usual.
        return 1.6 if jumps[run // 200 * 200 : run // 200 * 200 + 200].any() else 1.0

    device = SyntheticDevice(cost=cost, pace=jumping)
    journal = Journal(None)
    run(device, journal)
    measured = latencies(journal.windows, EFFORT.rounds, rng)
    for i in range(12):
        assert measured[f"m{i}"].latency_ms == pytest.approx(1.0 + i, rel=0.02)
    assert Counter(device.visits)["m0"] >= EFFORT.rounds


def test_patience_ends_on_a_machine_that_never_keeps_still() -> None:
    rng = np.random.default_rng(0)
    wild = rng.uniform(1, 3, 1_000_000)
    device = SyntheticDevice(cost=cost, pace=lambda run: wild[run])
    run(device, Journal(None))
    assert Counter(device.visits)["m0"] <= 8 * EFFORT.rounds


def test_models_that_do_not_fit_into_memory_together_are_measured_in_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(campaign, "BYTES_AT_ONCE", 12 << 20)
    device = SyntheticDevice(cost=cost)
    run(device, Journal(None))
    assert device.connections > 4
    assert {Counter(device.visits)[f"m{i}"] for i in range(12)} == {EFFORT.rounds}


def test_time_is_that_of_every_process_that_measured(tmp_path: Path) -> None:
    ticks = iter([100.0, 103.0, 107.5, 900.0, 902.0, 950.0, 951.0])
    first = Journal(tmp_path, lambda: next(ticks))
    first.begin({})
    first.add(Loaded("m", {}, 1.0))
    first.add(Loaded("n", {}, 1.0))
    first.close()
    second = Journal(tmp_path, lambda: next(ticks))
    second.resume()
    assert second.seconds == 7.5 + 2.0, "nothing of the time in between"
    second.close()
    third = Journal(tmp_path, lambda: next(ticks))
    third.resume()
    assert third.seconds == 7.5 + 1.0, "what left no line is lost"


def test_a_cut_campaign_goes_on_with_the_samples_that_it_has(tmp_path: Path) -> None:
    device = SyntheticDevice(cost=cost, dies_after=100)
    first = Journal(tmp_path)
    first.begin({"about": "test"})
    with pytest.raises(DeviceError, match="cut"):
        run(device, first)
    with pytest.raises(ArtefactError, match="another process measures into this folder"):
        Journal(tmp_path).resume()
    with pytest.raises(ArtefactError, match="wait for it, or choose another name"):
        Journal(tmp_path).begin({})
    first.close()
    # A kill in the middle of a line.
    with (tmp_path / SAMPLES).open("a") as stream:
        stream.write('{"window": {"leg": 0, "bef')
    second = Journal(tmp_path)
    assert second.header() == {"about": "test"}
    second.resume()
    assert second.windows == first.windows and second.loaded == first.loaded
    assert first.windows
    device.dies_after = float("inf")
    run(device, second)
    second.close()
    third = Journal(tmp_path)
    third.resume()
    assert third.windows == second.windows
    kept = sum(len(window.visits) for window in second.windows)
    assert kept == 12 * EFFORT.rounds, "nothing is measured twice"


def test_a_journal_says_what_is_wrong_with_it(tmp_path: Path) -> None:
    assert Journal(None).header() is None
    assert Journal(tmp_path).header() is None
    (tmp_path / HEADER).write_text("{")
    with pytest.raises(ArtefactError, match="is no JSON"):
        Journal(tmp_path).header()
    (tmp_path / HEADER).write_text("[]")
    with pytest.raises(ArtefactError, match="is no campaign"):
        Journal(tmp_path).header()
    (tmp_path / SAMPLES).write_text(json.dumps({"window": {"leg": 0}}) + "\n")
    with pytest.raises(ArtefactError, match="line 1, is no sample"):
        Journal(tmp_path).resume()


def test_a_full_disk_is_named_and_nothing_before_it_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(tmp_path)
    journal.begin({})
    journal.add(Loaded("m", {}, 1.0))
    journal.add(Window(0, (1.0,), (1.0,), (Sample("m", (1.0, 1.5)),)))

    def full(*_: Any, **__: Any) -> Any:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", full)
        with pytest.raises(NasLoopError, match="No space left on device.*make room and resume"):
            journal.add(Window(0, (1.0,), (1.0,), ()))
    journal.close()
    again = Journal(tmp_path)
    again.resume()
    assert again.windows == journal.windows and len(again.windows) == 1


def test_a_folder_in_use_is_left_alone_whatever_is_asked(tmp_path: Path) -> None:
    mine = Journal(tmp_path / "samples")
    mine.begin({"about": "mine"})
    with pytest.raises(ArtefactError, match="another process measures into this folder"):
        Journal(tmp_path / "samples").resume()
    Journal(tmp_path / "samples").discard()
    assert (tmp_path / "samples" / SAMPLES).exists(), "it was not this one's to delete"
    mine.close()
    Journal(tmp_path / "samples").discard()
    Journal(tmp_path / "samples").discard()
    assert not list(tmp_path.iterdir())


def test_a_file_system_without_locks_is_measured_into_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", none)
    journal = Journal(tmp_path / "samples")
    journal.begin({"about": "test"})
    run(SyntheticDevice(cost=cost), journal)
    again = Journal(tmp_path / "samples")
    again.resume()
    assert again.windows == journal.windows
