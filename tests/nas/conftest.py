"""One small job, done once: images, configuration, and a run with everything in it."""

from __future__ import annotations

import functools
import math
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import pytest

from latency_lut import Effort, measure_networks
from tests.nas.tiny import Said, nas, write_config, write_images

BUDGET_MS = 1.0
"""Milliseconds that every network of the tiny space keeps, on any machine."""


@dataclass(frozen=True)
class Job:
    """A finished job; ``said`` is what each command printed with ``--json``."""

    folder: Path
    images: Path
    config: Path
    run: Path
    said: dict[str, Said]


@pytest.fixture(scope="session")
def job(tmp_path_factory: pytest.TempPathFactory) -> Job:
    """Trained, measured, searched, exported and reported. Not to be changed: see ``run``."""
    folder = tmp_path_factory.mktemp("job")
    images = write_images(folder / "images.npz")
    config = write_config(folder / "config.yaml", images)
    run = folder / "run"
    commands = {
        "train": ("train", config, "--out", run),
        "measure": ("measure", run, "--allow-noisy"),
        "search": ("search", run, "--latency-ms", BUDGET_MS),
        "export": ("export", run),
        "report": ("report", run),
    }
    said = {}
    # How many rounds a search takes depends on the machine's noise: one here.
    with mock.patch("nas.jobs.rounds.WITHIN", math.inf):
        for name, arguments in commands.items():
            said[name] = nas(*arguments, "--json")
            assert said[name].code == 0, said[name].err
    return Job(folder, images, config, run, said)


@pytest.fixture
def run(job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the finished run, to be changed; its searches time candidates briefly, and once."""
    brief = functools.partial(measure_networks, effort=Effort(rounds=4, runs=1), memory=False)
    monkeypatch.setattr("nas.jobs.candidates.measure_networks", brief)
    monkeypatch.setattr("nas.jobs.rounds.WITHIN", math.inf)
    return Path(shutil.copytree(job.run, tmp_path / "run"))


@pytest.fixture
def untrained(tmp_path: Path) -> Iterator[Path]:
    """The configuration of a run that is not there yet, in a folder of its own."""
    yield write_config(tmp_path / "config.yaml", write_images(tmp_path / "images.npz"))
