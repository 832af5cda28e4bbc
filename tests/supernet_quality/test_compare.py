"""Subnets against networks alone, as it is started: trainings replaced by given numbers."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest import mock

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from nas.config import TrainConfig
from nas.jobs.trained import TrainedRun
from nas.run import Run
from search_spaces import Architecture, Space
from search_spaces.files import sha256_of

Script = Callable[[str], ModuleType]
EPOCHS, TUNED = 5, 2
IMAGES, TEST = 1000, 100
INHERITED, ALONE, FINE_TUNED = 80, 81, 83
"""Test images of 100 that the smallest network recognises; the next one more."""
LOG = "epoch,images_per_second,seconds\n0,100,36\n"


class Trained:
    """In the place of trainings: the folders of those that were asked for, in their order.

    A network is how many images it recognises. ``left`` is how many are trained before somebody
    interrupts.
    """

    def __init__(self, space: Space, digests: list[str]) -> None:
        self.space, self.digests = space, digests
        self.folders: list[str] = []
        self.left = 100

    def train(self, folder: Path, log: Path) -> None:
        if not self.left:
            raise KeyboardInterrupt
        self.left -= 1
        self.folders.append(f"{folder.parent.name}/{folder.name}")
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(LOG)

    def rank(self, digest: str) -> int:
        return [one[:12] for one in self.digests].index(digest[:12])

    def network(self, one: Architecture) -> int:
        """As the supernet's evaluator."""
        return INHERITED + self.rank(self.space.digest(one))

    def alone(
        self, folder: Path, space: Any, data: Any, config: TrainConfig, *given: Any
    ) -> SimpleNamespace:
        """As ``trained_in``; a supernet is how many images it recognises."""
        assert config.threads == 0, "threads are the environment's"
        self.train(folder, folder / "log.csv")
        return SimpleNamespace(supernet=ALONE + self.rank(folder.parent.name))

    def tune(self, run: Any, one: Any, config: TrainConfig, folder: Path, *given: Any) -> None:
        """As ``fine_tune``."""
        assert (config.epochs, config.threads) == (TUNED, 0), "threads are the environment's"
        self.train(folder, folder / "log.csv")

    def tuned(self, file: Path, space: Space) -> SimpleNamespace:
        """As ``load_subnet``."""
        return SimpleNamespace(subnet=FINE_TUNED + self.rank(file.parents[1].name))


@pytest.fixture
def networks(space: Space) -> list[Architecture]:
    """The smallest, one between and the largest, by MACs."""
    middle, wider = space.smallest.copy(), [one.name for one in space.choices].index("b.width")
    middle[wider] = space.largest[wider]
    return [space.decode(row) for row in (space.smallest, middle, space.largest)]


@pytest.fixture
def digests(space: Space, networks: list[Architecture]) -> list[str]:
    return [space.digest(one) for one in networks]


@pytest.fixture
def trained(
    script: Script, space: Space, digests: list[str], monkeypatch: pytest.MonkeyPatch
) -> Trained:
    found, lone, compare = Trained(space, digests), script("lone"), script("compare")

    def tested(evaluator: Any, run: Any, count: int, one: Any) -> dict[str, Any]:
        text = script("units").packed(np.arange(TEST) < count)
        return {"val": float(count), "test": float(count), "images": TEST, "hits": text}

    data = SimpleNamespace(
        fingerprint="the data", images=mock.Mock(), splits=SimpleNamespace(train=range(IMAGES))
    )
    monkeypatch.setattr(TrainedRun, "dataset", data)
    monkeypatch.setattr(TrainedRun, "evaluator", found)
    monkeypatch.setattr(lone, "trained_in", found.alone)
    monkeypatch.setattr(
        lone, "Evaluator", lambda count, *given: SimpleNamespace(network=lambda one: count)
    )
    monkeypatch.setattr(lone, "tested", tested)
    monkeypatch.setattr(compare, "fine_tune", found.tune)
    monkeypatch.setattr(compare, "load_subnet", found.tuned)
    monkeypatch.setattr(compare, "tested", tested)
    return found


@pytest.fixture
def compare(
    script: Script,
    networks: list[Architecture],
    run: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., dict[str, Any]]:
    """Runs the script with further options; what stands in its results."""
    Run(run).log.write_text(LOG)
    named = tmp_path / "middle.json"
    named.write_text(networks[1].to_json())

    def start(*options: object) -> dict[str, Any]:
        usual = ("compare.py", run, named, "--fine-tune", TUNED, "-o", tmp_path / "out")
        monkeypatch.setattr(sys, "argv", list(map(str, (*usual, *options))))
        script("compare").main()
        return standing(tmp_path / "out")

    return start


def standing(out: Path) -> dict[str, Any]:
    return dict(json.loads((out / "results.json").read_text()))


def test_nothing_is_trained_twice_and_what_stands_is_kept(
    trained: Trained,
    compare: Callable[..., dict[str, Any]],
    digests: list[str],
    run: Path,
    tmp_path: Path,
) -> None:
    weights = sha256_of(Run(run).supernet)
    smallest, middle, largest = (digest[:12] for digest in digests)

    def alone(seed: int, *networks: str) -> list[str]:
        return [f"{one}/alone-{EPOCHS}-seed-{seed}" for one in networks]

    trained.left = 2
    with pytest.raises(KeyboardInterrupt):
        compare("--what", "alone")
    assert trained.folders == alone(0, smallest, middle), "cheap ones first"
    found = standing(tmp_path / "out")
    assert [len(row["alone"]) for row in found["rows"]] == [1, 1, 0]

    found = compare("--what", "inherited")
    assert [len(row["alone"]) for row in found["rows"]] == [1, 1, 0], "it stands"
    assert [row["inherited"]["test"] for row in found["rows"]] == [80.0, 81.0, 82.0]

    trained.folders.clear()
    trained.left = 100
    found = compare()
    assert trained.folders == [
        *alone(0, largest),
        *(f"{one}/fine-tuned-{TUNED}-{weights[:8]}" for one in (smallest, middle, largest)),
        *alone(1, smallest, middle),
        *alone(2, smallest, middle),
    ]
    assert [row["network"] for row in found["rows"]] == digests
    assert [[one["seed"] for one in row["alone"]] for row in found["rows"]] == [
        [0, 1, 2],
        [0, 1, 2],
        [0],
    ]
    assert (found["weights"], found["epochs"]) == (weights, EPOCHS)
    assert "hits" not in (tmp_path / "out" / "results.json").read_text()

    trained.left = 0
    assert compare() == found


def test_what_is_said_of_them(trained: Trained, compare: Callable[..., dict[str, Any]]) -> None:
    found = compare("--seeds", 1)
    assert found["summary"]["inherited"]["gaps"] == [-1.0, -1.0, -1.0]
    assert found["summary"]["fine-tuned"]["mean"] == 2.0
    assert found["summary"]["kendall"] == 1.0
    assert not found["claims"]["six networks or more inherited and alone"]
    assert found["cost"]["supernet"]["core_hours"] == 0.01
    lone = found["cost"]["all networks alone"]
    assert (lone["networks"], lone["core_hours"]) == (3, round(0.03 * torch.get_num_threads(), 2))
    # Forward and twice backward, of as many images as a training has in all epochs.
    for row in found["rows"]:
        expected = 3 * row["macs"] * EPOCHS * IMAGES / 1e12
        assert row["alone"][0]["tera_macs"] == pytest.approx(expected, abs=0.005)


def test_what_belongs_to_another_supernet_is_beside(
    trained: Trained,
    compare: Callable[..., dict[str, Any]],
    run: Path,
    digests: list[str],
    tmp_path: Path,
) -> None:
    compare("--what", "alone", "inherited", "--seeds", 1)
    assert trained.folders
    trained.folders.clear()
    # Networks alone are of no supernet: they need not be trained again.
    tensors = load_file(Run(run).supernet)
    with safe_open(Run(run).supernet, "pt") as stream:
        header = stream.metadata()
    name = next(iter(tensors))
    save_file({**tensors, name: tensors[name] + 1}, Run(run).supernet, header)
    found = compare("--what", "alone", "inherited", "--seeds", 1)
    assert trained.folders == [] and all(row["alone"] for row in found["rows"])
    out = tmp_path / "out"
    assert [len(list(out.glob(f"{digest[:12]}/inherited-*"))) for digest in digests] == [2, 2, 2]
