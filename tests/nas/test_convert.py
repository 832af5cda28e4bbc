"""``nas convert``: from a network that torch.fx can trace to a run that all commands take."""

from __future__ import annotations

import re
from pathlib import Path

import onnxruntime
import pytest
import torch

from nas.config import Config
from nas.header import peek
from nas.jobs.outside import IMAGENET
from nas.jobs.trained import TrainedRun
from nas.run import Run
from tests.nas.tiny import nas, write_images

NETWORK = """
import torch
from torch import nn

class Block(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)

    def forward(self, x):
        y = torch.relu(self.bn1(self.conv1(x)))
        return torch.relu(x + self.bn2(self.conv2(y)))

def network():
    torch.manual_seed(0)
    stem = nn.Sequential(nn.Conv2d(3, 16, 3, 2, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU())
    head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 4))
    return nn.Sequential(stem, Block(16), Block(16), Block(16), head)

def sequence():
    return nn.LSTM(3, 4)

def number():
    return 4

def broken():
    raise ValueError("no such luck\\nat all")
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("convert")
    (folder / "mine.py").write_text(NETWORK)
    write_images(folder / "images.npz")
    return folder


@pytest.fixture(scope="module")
def run(folder: Path) -> Path:
    said = nas(
        *("convert", f"{folder / 'mine.py'}:network", "--out", folder / "run", "--json"),
        *("--data", folder / "images.npz", "--resolution", 16, "--mean", "0.5,0.5,0.5"),
        *("--std", "0.25,0.25,0.25"),
    )
    assert said.code == 0, said.err
    assert said.json["classes"] == 4 and said.json["size"] > 10
    assert max(said.json["choices"]["resolution"]) == 16
    return folder / "run"


def original(folder: Path) -> torch.nn.Module:
    names: dict[str, object] = {}
    exec((folder / "mine.py").read_text(), names)
    network = names["network"]()  # type: ignore[operator]
    assert isinstance(network, torch.nn.Module)
    return network.eval()


def test_without_images_the_largest_is_exported_as_the_network_it_was(
    folder: Path, tmp_path: Path
) -> None:
    convert = ("convert", f"{folder / 'mine.py'}:network", "--resolution", 16)
    assert nas(*convert, "--out", tmp_path / "run").code == 0
    trained = TrainedRun(Run.open(tmp_path / "run"))
    file = tmp_path / "largest.json"
    file.write_text(trained.space.decode(trained.space.largest).to_json())
    said = nas(
        *("export", tmp_path / "run", "--architecture", file, "-o", tmp_path / "a.onnx"),
        *("--batch", 0),
    )
    assert said.code == 0, said.err
    x = torch.randn(5, 3, 16, 16)
    session = onnxruntime.InferenceSession(tmp_path / "a.onnx")
    (scores,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
    with torch.no_grad():
        expected = original(folder)(x)
    torch.testing.assert_close(torch.from_numpy(scores), expected, rtol=1e-3, atol=1e-4)


def test_a_file_may_import_its_neighbours_and_hold_dataclasses(tmp_path: Path) -> None:
    (tmp_path / "beside.py").write_text(NETWORK)
    text = """
from __future__ import annotations
from dataclasses import dataclass
from beside import network as made

@dataclass
class Options:
    width: int = 4

def network():
    return made()
"""
    (tmp_path / "whole.py").write_text(text)
    out = tmp_path / "run"
    said = nas("convert", f"{tmp_path / 'whole.py'}:network", "--resolution", 16, "--out", out)
    assert said.code == 0, said.err


def test_the_run_says_what_it_was_made_of(run: Path) -> None:
    header = peek(run / "supernet.safetensors")
    assert header.origin.endswith("mine.py:network, converted")
    assert header.mean == (127.5,) * 3 and header.std == (63.75,) * 3
    config = Config.load(run / "config.yaml")
    assert config.train.weights == str(run / "supernet.safetensors")


def test_it_is_trained_on_from_there(run: Path, tmp_path: Path) -> None:
    text = (run / "config.yaml").read_text()
    short = tmp_path / "short.yaml"
    for key, value in {"epochs": 1, "threads": 1, "batch_size": 32}.items():
        text = re.sub(rf"\b{key}: \d+", f"{key}: {value}", text)
    short.write_text(text)
    said = nas("train", short, "--out", tmp_path / "trained")
    assert said.code == 0, said.err
    first, now = (peek(one / "supernet.safetensors") for one in (run, tmp_path / "trained"))
    assert (now.mean, now.std, now.identity) == (first.mean, first.std, first.identity)
    # One gentle epoch: what was there before is still there, and was not left alone.
    before, after = (
        TrainedRun(Run.open(one)).trained.supernet.state_dict()
        for one in (run, tmp_path / "trained")
    )
    name = next(name for name in before if name.endswith("conv.weight"))
    off = (after[name] - before[name]).norm() / before[name].norm()
    assert 0 < off < 0.5
    other = tmp_path / "other.safetensors"
    other.write_bytes(b"nothing")
    again = tmp_path / "again.yaml"
    again.write_text(short.read_text().replace(str(run / "supernet.safetensors"), str(other)))
    refused = nas("train", again, "--out", tmp_path / "again")
    assert refused.code == 2 and "other.safetensors" in refused.err


def test_weights_and_imagenet(folder: Path, tmp_path: Path) -> None:
    network = original(folder)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(1.5)
    torch.save(network.state_dict(), tmp_path / "w.pt")
    said = nas(
        *("convert", f"{folder / 'mine.py'}:network", "--weights", tmp_path / "w.pt"),
        *("--resolution", 16, "--resolution", 8, "--out", tmp_path / "run"),
    )
    assert said.code == 0, said.err
    assert "next: nas measure" in said.out
    trained = TrainedRun(Run.open(tmp_path / "run"))
    assert trained.trained.normalisation == IMAGENET and not trained.has_images
    x = torch.randn(3, 3, 16, 16)
    with torch.no_grad():
        found = trained.trained.supernet(x, trained.space.decode(trained.space.largest))
        torch.testing.assert_close(found, network(x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("network", "more", "reason"),
    [
        ("mine.py", (), "MODULE:CALLABLE or FILE.py:CALLABLE"),
        ("none.py:network", (), "there is no such file"),
        ("no.such.module:network", (), "failed: ModuleNotFoundError"),
        ("mine.py:nothing", (), "nothing named nothing"),
        ("mine.py:number", (), "makes a int"),
        ("mine.py:broken", (), "ValueError: no such luck"),
        ("mine.py:sequence", (), "torch.fx cannot trace it"),
        ("mine.py:network", ("--mean", "1,2,3"), "--mean and --std come together"),
        ("mine.py:network", ("--mean", "1,2", "--std", "1,1,1"), "three numbers"),
        ("mine.py:network", ("--mean", "123,116,103", "--std", "1,1,1"), "units of 0 to 1"),
        ("mine.py:network", ("--mean", "0.5,0.5,0.5", "--std", "0,1,1"), "units of 0 to 1"),
        ("wrong.py:network", (), "wrong.py failed: SyntaxError"),
        ("wrong:network", (), "wrong failed: SyntaxError"),
        ("mine.py:network", ("--weights", "mine.py"), "not a whole file of weights"),
        ("mine.py:network", ("--weights", "other.pt"), "not the weights of this network"),
        ("mine.py:network", ("--width", "2"), "widths are fractions"),
    ],
)
def test_what_cannot_be_converted_is_refused_in_a_line(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    network: str,
    more: tuple[str, ...],
    reason: str,
) -> None:
    monkeypatch.chdir(folder)
    torch.save({"a": torch.zeros(3)}, folder / "other.pt")
    (folder / "wrong.py").write_text("def network(:")
    said = nas("convert", network, "--resolution", 16, "--out", tmp_path / "run", *more)
    assert said.code == 2 and reason in said.err, said.err
    assert len(said.err.strip().splitlines()) == 1
    assert not (tmp_path / "run").exists()


def test_other_classes_than_the_images_have_are_refused(folder: Path, tmp_path: Path) -> None:
    text = NETWORK.replace("nn.Linear(16, 4)", "nn.Linear(16, 5)")
    (tmp_path / "five.py").write_text(text)
    said = nas(
        *("convert", f"{tmp_path / 'five.py'}:network", "--resolution", 16),
        *("--data", folder / "images.npz", "--out", tmp_path / "run"),
    )
    assert said.code == 2 and "has 4 classes, the weights have 5" in said.err
    assert not (tmp_path / "run").exists()
