"""Ablations as they are started: training and judging replaced by given numbers."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from nas.config import Config, TrainConfig
from tests.nas.tiny import registered, write_config

Script = Callable[[str], ModuleType]
EPOCHS = 16
LOG = "epoch,images_per_second,seconds\n0,100,4.5\n"
LAST_STEP = 70.0
"""Accuracy without the moving average."""


class Trained:
    """In the place of trainings: the folders of those that were asked for, in their order.

    A supernet is its accuracy, 80% and for distillation 1 more. ``left`` is how many are trained
    before somebody interrupts.
    """

    def __init__(self) -> None:
        self.folders: list[str] = []
        self.left = 100

    def __call__(
        self, folder: Path, space: Any, data: Any, config: TrainConfig, screen: Any
    ) -> SimpleNamespace:
        if not self.left:
            raise KeyboardInterrupt
        assert config.threads == 0, "threads are the environment's"
        self.left -= 1
        self.folders.append(f"{folder.parent.name}/{folder.name}")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "log.csv").write_text(LOG)
        return SimpleNamespace(supernet=81.0 if config.distillation else 80.0)


def judged(supernets: Mapping[str, float], data: Any, networks: list[Any]) -> dict[str, Any]:
    return {
        way: {images: [accuracy] * len(networks) for images in ("val", "test")}
        for way, accuracy in supernets.items()
    }


def harvested(space: Any, learned: SimpleNamespace, data: Any) -> dict[str, list[float]]:
    return {images: [2 * learned.supernet] for images in ("val", "test")}


@pytest.fixture
def trained(script: Script, monkeypatch: pytest.MonkeyPatch) -> Iterator[Trained]:
    module, found = script("ablations"), Trained()
    data = SimpleNamespace(
        classes=tuple("abcd"), fingerprint="the data", splits=SimpleNamespace(train=range(1000))
    )
    monkeypatch.setattr(module, "open_dataset", lambda config: data)
    monkeypatch.setattr(module, "trained_in", found)
    monkeypatch.setattr(module, "judged", judged)
    monkeypatch.setattr(module, "harvest", harvested)
    monkeypatch.setattr(module, "not_averaged", lambda *given: LAST_STEP)
    with registered():
        yield found


@pytest.fixture
def ablate(
    script: Script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., dict[str, Any]]:
    """Runs the script with further options; what stands in its results."""
    path = tmp_path / "config.yaml"
    config = Config.load(write_config(path, tmp_path / "none.npz"))
    replace(config, train=replace(config.train, ema=0.9)).save(path)
    out = tmp_path / "out"

    def run(*options: object) -> dict[str, Any]:
        usual = ("--epochs", EPOCHS, "--subnets", 3, "-o", out)
        monkeypatch.setattr(sys, "argv", list(map(str, ("ablations.py", path, *usual, *options))))
        script("ablations").main()
        return standing(out)

    return run


def standing(out: Path) -> dict[str, Any]:
    return dict(json.loads((out / "results.json").read_text()))


def folders(names: list[str], seed: int) -> list[str]:
    return [f"{name.replace(' ', '-')}/{EPOCHS}-epochs-seed-{seed}" for name in names]


def test_nothing_is_trained_twice_and_what_stands_is_kept(
    script: Script, trained: Trained, ablate: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    names = list(script("recipes").VARIANTS)
    first, second, third, fourth, *_ = names
    found = ablate("--seeds", 1, "--variants", second)
    assert trained.folders == folders([second], 0) and list(found["trainings"]) == [second]

    trained.left = 3
    with pytest.raises(KeyboardInterrupt):
        ablate("--seeds", 2)
    assert trained.folders == folders([second, first, third, fourth], 0), "seed by seed"
    found = standing(tmp_path / "out")
    assert set(found["trainings"]) == {first, second, third, fourth}

    trained.left = 100
    found = ablate("--seeds", 2)
    assert len(trained.folders) == len(set(trained.folders)) == 2 * len(names)
    assert {name: set(seeds) for name, seeds in found["trainings"].items()} == {
        name: {"0", "1"} for name in names
    }
    passes = {name: seeds["0"]["passes"] for name, seeds in found["trainings"].items()}
    longer = script("recipes").LONGER
    assert {name for name, count in passes.items() if count == EPOCHS} == {*names} - {longer}
    assert f"{longer.replace(' ', '-')}/{passes[longer]}-epochs-seed-1" in trained.folders
    assert len(found["networks"]) == len(found["macs"]) == 3

    trained.left = 0
    assert ablate("--seeds", 2) == found


def test_what_each_part_brings(trained: Trained, ablate: Callable[..., dict[str, Any]]) -> None:
    pair = ("sandwich", "sandwich without distillation")
    found = ablate("--seeds", 2, "--variants", *pair)
    for images in ("val", "test"):
        brings = found["brings"]["recalibrated"][images]
        assert brings["distillation, in place"]["by seed"] == [1.0, 1.0]
        assert brings["recalibration"]["mean"] == 0.0
        assert brings["moving average"] == {"mean": 10.5, "half": 0.919, "trainings": 4}
        searched = found["brings"]["searched"][images]
        assert searched["distillation, in place"]["by seed"] == [2.0, 2.0]
        assert set(searched) == {"residual", "distillation, in place"}
    assert set(found["cost"]) == set(pair)
    assert found["cost"]["sandwich"]["seconds"] == 4.5


def test_results_of_other_networks_are_refused(
    trained: Trained, ablate: Callable[..., dict[str, Any]]
) -> None:
    ablate("--seeds", 1, "--variants", "sandwich")
    with pytest.raises(SystemExit, match=r"result\.json is of another networks; take another -o"):
        ablate("--seeds", 1, "--variants", "sandwich", "--subnets", 4)


def test_sgd_is_no_variant_of_itself(
    trained: Trained, ablate: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    path = tmp_path / "config.yaml"
    config = Config.load(path)
    replace(config, train=replace(config.train, optimizer="sgd")).save(path)
    found = ablate("--seeds", 1, "--variants", "sandwich with SGD", "sandwich")
    assert list(found["trainings"]) == ["sandwich"]
