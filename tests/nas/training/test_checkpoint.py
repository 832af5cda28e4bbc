"""Checkpoints that are whole and belong here, and those that do not."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from nas.config import TrainConfig
from nas.jobs.train import said
from nas.training.checkpoint import load_checkpoint, save_checkpoint
from search_spaces.errors import ArtefactError, NasLoopError

BELONGS = {"space": "a", "data": "b", "training configuration": "c"}
STATE: dict[str, Any] = {
    "epoch": 3,
    "log": [{"epoch": 0, "phase": "largest", "loss": 1.5}],
    "supernet": {"weight": torch.arange(1000.0).view(10, 4, 5, 5)},
    "teacher": None,
}


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    save_checkpoint(tmp_path / "checkpoint.pt", BELONGS, STATE)
    return tmp_path / "checkpoint.pt"


def test_what_was_saved_comes_back(checkpoint: Path) -> None:
    state = load_checkpoint(checkpoint, BELONGS)
    assert torch.equal(state.pop("supernet")["weight"], STATE["supernet"]["weight"])
    assert state == {name: value for name, value in STATE.items() if name != "supernet"}


def test_layouts_come_back(tmp_path: Path) -> None:
    tensor = torch.randn(2, 8, 4, 4).to(memory_format=torch.channels_last)
    save_checkpoint(tmp_path / "c.pt", BELONGS, {"tensor": tensor})
    assert load_checkpoint(tmp_path / "c.pt", BELONGS)["tensor"].stride() == tensor.stride()


@pytest.mark.parametrize("kept", [0.0, 0.001, 0.1, 0.5, 0.9, 0.999])
def test_a_truncated_checkpoint_is_refused_and_kept(checkpoint: Path, kept: float) -> None:
    content = checkpoint.read_bytes()
    content = content[: int(len(content) * kept)]
    checkpoint.write_bytes(content)
    with pytest.raises(ArtefactError, match=r"not a whole checkpoint .* remove it to train") as e:
        load_checkpoint(checkpoint, BELONGS)
    assert str(e.value).startswith(str(checkpoint)) and "\n" not in str(e.value)
    assert checkpoint.read_bytes() == content


@pytest.mark.parametrize("document", [[1, 2], {"format": 1}, 5, torch.zeros(3), "text", None])
def test_a_file_of_something_else_is_refused(checkpoint: Path, document: object) -> None:
    torch.save(document, checkpoint)
    with pytest.raises(ArtefactError, match="not a whole checkpoint"):
        load_checkpoint(checkpoint, BELONGS)


def test_a_file_that_would_run_code_is_refused(checkpoint: Path) -> None:
    torch.save({"format": 1, "belongs": BELONGS, "state": Path("x")}, checkpoint)
    with pytest.raises(ArtefactError, match="not a whole checkpoint"):
        load_checkpoint(checkpoint, BELONGS)


@pytest.mark.parametrize("name", list(BELONGS))
def test_a_checkpoint_of_something_else_says_of_what(checkpoint: Path, name: str) -> None:
    with pytest.raises(ArtefactError, match=f"belongs to another {name}; resume with"):
        load_checkpoint(checkpoint, {**BELONGS, name: "other"})


def test_all_differences_are_named(checkpoint: Path) -> None:
    with pytest.raises(ArtefactError, match="another data and space and training configuration"):
        load_checkpoint(checkpoint, dict.fromkeys(BELONGS, "other"))


def test_another_format_is_refused(checkpoint: Path) -> None:
    torch.save({"format": 99, "belongs": BELONGS, "state": STATE}, checkpoint)
    with pytest.raises(ArtefactError, match="checkpoint format 99, this version reads 2"):
        load_checkpoint(checkpoint, BELONGS)


def test_a_checkpoint_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match="cannot be read"):
        load_checkpoint(tmp_path, BELONGS)


def test_a_failed_write_keeps_the_old_one(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(NasLoopError, match=r"No space left on device.*the old file is kept"):
        save_checkpoint(checkpoint, BELONGS, {**STATE, "epoch": 4})
    monkeypatch.undo()
    assert load_checkpoint(checkpoint, BELONGS)["epoch"] == 3
    assert list(checkpoint.parent.iterdir()) == [checkpoint]


def test_what_is_usual_is_said_as_a_number() -> None:
    usual = TrainConfig("sandwich", optimizer="muon", learning_rate=0.1)
    explicit = replace(usual, weight_decay=usual.decay)
    assert said(usual) == said(explicit)
    assert said(TrainConfig()) == {"train.learning_rate": "0.004", "train.weight_decay": "0.05"}
    assert said(replace(usual, weight_decay=0.25)) == {
        "train.strategy": "'sandwich'",
        "train.optimizer": "'muon'",
        "train.learning_rate": "0.1",
        "train.weight_decay": "0.25",
    }


MUON = {"train.optimizer": "'muon'"}


@pytest.mark.parametrize(
    ("known", "fits", "differs"),
    [
        ({**MUON, "train.weight_decay": "0.01"}, ("0.1", "0.01"), ("0.1", "0.1")),
        (MUON, ("0.1", "0.1"), ("0.1", "0.01")),
        ({}, ("0.004", "0.05"), ("0.004", "0.1")),
        ({"train.optimizer": "'sgd'"}, ("0.1", "0.0005"), ("0.1", "0.005")),
    ],
)
def test_what_an_earlier_version_left_unsaid_was_what_was_usual_then(
    tmp_path: Path, known: dict[str, str], fits: tuple[str, str], differs: tuple[str, str]
) -> None:
    save_checkpoint(tmp_path / "c.pt", known, STATE)
    names = ("train.learning_rate", "train.weight_decay")
    fitting, differing = (known | dict(zip(names, one, strict=True)) for one in (fits, differs))
    assert load_checkpoint(tmp_path / "c.pt", fitting)
    then, now = (re.escape(one["train.weight_decay"]) for one in (fitting, differing))
    said = rf"belongs to another train\.weight_decay \({then} then, {now} now\); resume with"
    with pytest.raises(ArtefactError, match=said):
        load_checkpoint(tmp_path / "c.pt", differing)
