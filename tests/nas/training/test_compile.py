"""The compiled teacher of progressive shrinking says what the plain one says."""

from __future__ import annotations

import shutil
import sysconfig
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
import torch

from nas.config import Config, Phase, TrainConfig
from nas.dataset import Dataset, open_dataset
from nas.jobs.train import train_command
from nas.terminal import Screen
from nas.training.loop import train
from nas.training.trainer import Trainer
from search_spaces.errors import ConfigError
from tests.nas.tiny import registered, tiny, write_config, write_images

# The teacher is there from the last phases on, and knows something by then.
LARGEST = 4
PLAIN = TrainConfig(
    batch_size=16,
    threads=1,
    phases=(Phase("largest", LARGEST), Phase("kernel", 1), Phase("width", 1)),
)
HEADER = Path(sysconfig.get_path("include")) / "Python.h"


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    with registered():
        config = write_config(tmp_path / "config.yaml", write_images(tmp_path / "images.npz"))
        return open_dataset(Config.load(config))


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What is compiled is left here alone, and the number of threads as it was."""
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "compiled"))
    before = torch.get_num_threads()
    yield
    torch.compiler.reset()
    torch.set_num_threads(before)


def losses(dataset: Dataset, config: TrainConfig, checkpoint: Path, *stops: int) -> list[float]:
    """Of every step; stopped after so many epochs, and gone on with."""
    found: list[float] = []
    for until in (*stops, LARGEST + 2):
        train(
            *(tiny(), dataset.images, config, checkpoint, {}),
            tell=lambda progress: found.append(progress.loss),
            record=lambda _: None,
            until=until,
        )
    return found


@pytest.mark.slow
@pytest.mark.skipif(
    shutil.which("g++") is None or not HEADER.is_file(),
    reason="needs a C++ compiler and Python's headers (Debian: g++, python3-dev)",
)
def test_a_compiled_teacher_teaches_the_same_and_resumes(dataset: Dataset, tmp_path: Path) -> None:
    expected = losses(dataset, PLAIN, tmp_path / "plain.pt")
    compiled = replace(PLAIN, compile=True)
    with mock.patch.object(torch, "compile", wraps=torch.compile) as compilation:
        whole = losses(dataset, compiled, tmp_path / "whole.pt")
        assert compilation.call_count == 2, "a trial and the teacher"
        resumed = losses(dataset, compiled, tmp_path / "resumed.pt", LARGEST + 1)
        assert compilation.call_count == 6, "both before it stops and both after"
    assert resumed == whole
    np.testing.assert_allclose(whole, expected, rtol=1e-5)
    assert any((tmp_path / "compiled").rglob("*.so"))


def test_without_a_compiler_it_is_said_before_training(dataset: Dataset, tmp_path: Path) -> None:
    nowhere = {"cpp.cxx": (str(tmp_path / "no-compiler"),)}
    file = tmp_path / "config.yaml"
    config = Config.load(file)
    replace(config, train=replace(PLAIN, compile=True)).save(file)
    with (
        registered(),
        torch._inductor.config.patch(nowhere),
        pytest.raises(ConfigError, match=r"^train\.compile is true.*g\+\+[^\n]*$"),
    ):
        train_command(file, tmp_path / "run", False, Screen(as_json=False))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("change", [{"strategy": "fair", "phases": None}, {"distillation": 0.0}])
def test_without_a_teacher_nothing_is_compiled(
    dataset: Dataset, tmp_path: Path, change: dict[str, Any]
) -> None:
    config = replace(PLAIN, compile=True, **change)
    with mock.patch.object(torch, "compile", side_effect=AssertionError):
        Trainer(tiny(), dataset.images, config)
