"""What TensorBoard reads is what the log says, after an interruption as well."""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from nas.training.board import board
from search_spaces.errors import ConfigError
from tests.nas.tiny import nas, write_config, write_images


def scalars(folder: Path, name: str) -> list[tuple[int, float]]:
    events = EventAccumulator(str(folder))
    events.Reload()
    return [(event.step, event.value) for event in events.Scalars(name)]


def test_a_run_writes_its_log_for_tensorboard(tmp_path: Path) -> None:
    config = write_config(tmp_path / "nas.yaml", write_images(tmp_path / "images.npz"))
    text = config.read_text().replace("train:\n", "train:\n  tensorboard: true\n")
    config.write_text(text)
    said = nas("train", config, "--out", tmp_path / "run")
    assert said.code == 0, said.err
    with (tmp_path / "run" / "log.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    for name in ("loss", "val_largest", "learning_rate"):
        expected = [(int(row["epoch"]), float(row[name])) for row in rows]
        found = scalars(tmp_path / "run" / "tensorboard", f"train/{name}")
        assert [step for step, _ in found] == [step for step, _ in expected]
        assert [v for _, v in found] == pytest.approx([v for _, v in expected], rel=1e-5)


def test_what_is_repeated_is_replaced(tmp_path: Path) -> None:
    rows = [{"epoch": epoch, "phase": "all", "loss": 3.0 - epoch} for epoch in range(3)]
    first = board(tmp_path)
    for number in (1, 2, 3):
        first(rows[:number])
    again = [*rows[:1], {"epoch": 1, "phase": "all", "loss": 9.0}]
    board(tmp_path)(again)
    assert scalars(tmp_path, "train/loss") == [(0, 3.0), (1, 9.0)]


def test_without_tensorboard_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(ConfigError, match="pip install tensorboard"):
        board(tmp_path)
