"""MobileNets against searched networks: measuring and training replaced by given numbers."""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from latency_lut import device
from latency_lut.latency import Latency
from latency_lut.networks import NetworkLatency
from nas.terminal import Screen
from search_spaces import Space

Script = Callable[[str], ModuleType]
SCREEN = Screen(False)
IMAGES = 100
MS = {"early": 1.05, "middle": 2.0, "late": 10.0}
"""Milliseconds of MobileNetV2 of width 1; others take as much as they are wide."""
BUDGETS = (0.3, 0.6, 0.9)


@pytest.fixture
def networks(space: Space) -> dict[str, Any]:
    """Three architectures by digest."""
    rows = space.sample(3, np.random.default_rng(0))
    return {space.digest(one): one for one in map(space.decode, rows)}


def milliseconds(name: str, ours: dict[str, float]) -> float:
    if name in ours:
        return ours[name]
    family, placement, width = name.split("-")
    return 8.0 * float(width) if family == "MobileNetV3" else MS[placement] * float(width)


def measure(
    ours: dict[str, float], apart: float, models: Any, *given: Any, **options: Any
) -> list[NetworkLatency]:
    """In the place of a measurement whose halves are so far ``apart``."""

    def latency(name: str) -> Latency:
        ms = milliseconds(name, ours)
        return Latency(ms, ms / 100, (ms * (1 - apart / 2), ms * (1 + apart / 2)), ms, 20)

    return [NetworkLatency(m.name, latency(m.name), 0, 0, 0, 0, None) for m in models]


def hits(script: Script, accuracy: int) -> dict[str, Any]:
    """Of a network that recognises the first so many of 100 images."""
    text = script("units").packed(np.arange(IMAGES) < accuracy)
    return {"test": float(accuracy), "images": IMAGES, "hits": text}


@pytest.fixture
def trained(script: Script, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """In the place of trainings; those that were asked for, with their epochs."""
    asked: list[tuple[str, int]] = []
    val = {"early": 80.0, "middle": 80.5, "late": 70.0}

    def alone(run: Any, plan: Any, epochs: int, seed: int, folder: Path, screen: Any) -> Any:
        name = folder.parent.name
        asked.append((name, epochs))
        return {"val": val[name.split("-")[1]], **hits(script, 88)}

    monkeypatch.setattr(script("mobilenets"), "by_itself", alone)
    monkeypatch.setattr(script("mobilenets"), "inherited", lambda *given: hits(script, 90))
    return asked


def test_placements_are_tried_wherever_others_keep_the_budget(
    script: Script,
    run: Path,
    networks: dict[str, Any],
    trained: list[tuple[str, int]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ours = dict(zip(networks, BUDGETS, strict=True))
    files = []
    for digest, one in networks.items():
        files.append(tmp_path / f"{digest}.json")
        files[-1].write_text(one.to_json())
    arguments = ["mobilenets.py", run, *files, "--epochs", 8, "-o", tmp_path / "out"]
    monkeypatch.setattr(sys, "argv", list(map(str, arguments)))
    monkeypatch.setattr(script("measured"), "measure_networks", functools.partial(measure, ours, 0))
    script("mobilenets").main()
    found = json.loads((tmp_path / "out" / "results.json").read_text())

    tried = [(one["family"], one["latency_ms"], list(one["tried"])) for one in found["trials"]]
    assert tried == [
        ("MobileNetV2", 0.6, ["early", "middle", "late"]),
        ("MobileNetV3", 0.6, ["early", "middle", "late"]),
        ("MobileNetV2", 0.3, ["early", "middle"]),  # The late strides are too slow there.
    ]
    assert all(one["kept"] == ["early", "middle"] for one in found["trials"])
    assert {epochs for _, epochs in trained} == {2, 8}
    assert not [name for name, epochs in trained if epochs == 8 and "-late-" in name]

    rows = {row["latency_ms"]: row for row in found["budgets"]}
    assert list(rows) == [0.6, 0.3, 0.9], "the middle one first"
    best = rows[0.3]["MobileNetV2"]
    assert (best["placement"], best["width"], best["of_budget"]) == ("middle", 0.15, 1.0)
    assert set(best["tried"]) == {"MobileNetV2-early-0.285", "MobileNetV2-middle-0.15"}
    assert best["ahead"]["mean"] == 2.0
    assert (rows[0.3]["latency_error_ms"], best["latency_error_ms"]) == (0.003, 0.003)
    assert rows[0.3]["MobileNetV3"] == {
        "within": False,
        "fastest": "MobileNetV3-early-0.05",
        "latency_ms": 0.4,
        "latency_error_ms": 0.004,
        "of_budget": round(4 / 3, 4),
    }
    assert found["too slow"][0].startswith("0.300 ms: no MobileNetV3 is as fast")
    assert set(found["claims"].values()) == {False}, "MobileNetV3 keeps two budgets"
    assert found["measurement"]["device"]["threads"] == 1

    monkeypatch.setattr(script("measured"), "measure_networks", None)
    script("mobilenets").main()  # what was measured is not measured again
    assert json.loads((tmp_path / "out" / "results.json").read_text()) == found


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "latencies.json"


def measured(
    script: Script, names: tuple[str, ...], file: Path, threads: int = 1, elsewhere: bool = False
) -> dict[str, float]:
    """``measurement`` of candidates, by their names: what they take."""
    plans = {name: candidate(script, name).plan(4) for name in names}
    found = script("measured").measurement(
        plans, device("cpu", threads=threads), file, elsewhere, SCREEN
    )
    return {name: time.ms for name, time in found.times.items()}


def candidate(script: Script, name: str) -> Any:
    family, placement, width = name.split("-")
    return script("families").Candidate(family, placement, float(width))


ONE, OTHER = "MobileNetV2-early-0.1", "MobileNetV2-late-0.1"


def test_times_are_kept_with_networks_and_device(
    script: Script, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, fake = script("measured"), functools.partial(measure, {}, 0.02)
    monkeypatch.setattr(module, "measure_networks", fake)
    assert measured(script, (ONE, OTHER), file) == pytest.approx({ONE: 0.105, OTHER: 1.0})
    document = json.loads(file.read_text())
    assert document["disagreement"] == 0.02
    assert document["device"]["runtime"].startswith("onnxruntime ")
    monkeypatch.setattr(module, "measure_networks", None)
    assert measured(script, (ONE,), file).keys() == {ONE, OTHER}, "known already"
    # Another network by the same name is measured, with all others.
    document["networks"][ONE]["digest"] = "another"
    file.write_text(json.dumps(document))
    monkeypatch.setattr(module, "measure_networks", fake)
    assert measured(script, (ONE,), file).keys() == {ONE}
    with pytest.raises(SystemExit, match=r"of another device or runtime \(threads 2 here, 1 there"):
        measured(script, (ONE,), file, threads=2)
    assert measured(script, (ONE,), file, threads=2, elsewhere=True).keys() == {ONE}
    with pytest.raises(SystemExit, match="and not of all these networks: measure here into"):
        measured(script, (OTHER,), file, threads=2, elsewhere=True)


def test_a_measurement_whose_halves_differ_is_refused(
    script: Script, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        script("measured"), "measure_networks", functools.partial(measure, {}, 0.04)
    )
    with pytest.raises(SystemExit, match=r"differ by 4\.0%, more than 3%: nothing is kept") as e:
        measured(script, (ONE, OTHER), file)
    assert "\n" not in str(e.value) and not file.exists()
