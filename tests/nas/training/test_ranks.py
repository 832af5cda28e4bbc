"""Two processes that train together, against one that takes the images of both."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional

from nas.config import Config, DataConfig, Phase, SpaceConfig, StrategyName, TrainConfig
from nas.data.augment import normalise
from nas.data.batches import epoch_generator, shuffled
from nas.dataset import open_dataset
from nas.header import space_of
from nas.training.learner import Learner, at
from nas.training.ranks import note_launch, restarted
from nas.training.schedule import rate
from nas.training.trainer import Trainer
from search_spaces import Architecture
from tests.nas.tiny import ROOT

BATCH = 16
IMAGES = 104
STEPS = IMAGES // (2 * BATCH)
PHASES = (Phase("largest", 1), Phase("width", 1))

# Trains in one process or under torchrun, each with a run folder of its own; leaves the losses of
# every step and the weights of each.
CHILD = """
import json, sys
from pathlib import Path
from unittest import mock
import torch
from nas.config import Config
from nas.dataset import open_dataset
from nas.jobs import train as job
from nas.run import Run
from nas.training.ranks import joined

torch.set_num_threads(1)
config = Config.load(sys.argv[1])
out = Path(sys.argv[2])
losses, learned, train = [], [], job.train

def kept(*given, **named):
    learned.append(train(*given, **named))
    return learned[-1]

with joined() as ranks, mock.patch.object(job, "train", kept):
    run = Run(out / str(ranks.rank))
    run.folder.mkdir()
    tell = lambda progress: losses.append(progress.loss)
    job.train_run(run, config, open_dataset(config), tell, ranks)
    state = learned[0].supernet.state_dict().items()
    weights = {name: tensor for name, tensor in state if "running" not in name}
    torch.save(weights, out / f"weights.{ranks.rank}.pt")
    (out / f"losses.{ranks.rank}.json").write_text(json.dumps(losses))
"""


def torchrun(processes: int, *arguments: object) -> list[str]:
    start = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    return [*start, f"--nproc-per-node={processes}", *map(str, arguments)]


def config(folder: Path, strategy: StrategyName, batch: int, **options: Any) -> Path:
    rng = np.random.default_rng(0)
    labels = np.arange(144) % 4
    pixels = rng.integers(0, 255, (144, 10, 10, 3), np.uint8)
    pixels[..., 0] = (pixels[..., 0] // 4 + 60 * labels[:, None, None]).astype(np.uint8)
    np.savez(folder / "images.npz", images=pixels, labels=labels)
    phases = PHASES if strategy == "progressive-shrinking" else (Phase("all", 2),)
    path = folder / "config.yaml"
    Config(
        data=DataConfig(
            str(folder / "images.npz"), size=10, shift=0, horizontal_flip=False, val_fraction=0.1
        ),
        space=SpaceConfig(resolutions=(8, 10)),
        train=TrainConfig(
            strategy,
            batch_size=batch,
            optimizer="sgd",
            learning_rate=0.05,
            threads=1,
            phases=phases,
            **options,
        ),
    ).save(path)
    return path


def trained(command: list[str], folder: Path) -> list[float]:
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=300)
    assert done.returncode == 0, done.stderr
    losses: list[float] = json.loads((folder / "losses.0.json").read_text())
    return losses


def folder(tmp_path: Path, name: str) -> Path:
    (tmp_path / name).mkdir()
    return tmp_path / name


@pytest.mark.parametrize("strategy", ["progressive-shrinking", "sandwich"])
def test_with_shared_norms_two_processes_are_one_with_twice_the_batch(
    tmp_path: Path, strategy: StrategyName
) -> None:
    one, two = folder(tmp_path, "one"), folder(tmp_path, "two")
    script = tmp_path / "child.py"
    script.write_text(CHILD)
    single = config(one, strategy, 2 * BATCH)
    expected = trained([sys.executable, str(script), str(single), str(one)], one)
    pair = config(two, strategy, BATCH, sync_batch_norm=True, tensorboard=True)
    found = trained(torchrun(2, script, pair, two), two)
    assert len(found) == len(expected) == 2 * STEPS
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    here, there = (torch.load(two / f"weights.{rank}.pt") for rank in (0, 1))
    whole = torch.load(one / "weights.0.pt")
    files = {"checkpoint.pt", "log.csv", "supernet.safetensors", "tensorboard"}
    assert {path.name for path in (two / "0").iterdir()} == files
    assert list((two / "1").iterdir()) == [], "only the first of them writes"
    assert json.loads((two / "losses.1.json").read_text()) == [], "nor do the others say anything"
    for name, tensor in whole.items():
        assert torch.equal(here[name], there[name]), name
        torch.testing.assert_close(here[name], tensor, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("strategy", ["progressive-shrinking", "sandwich"])
def test_with_norms_of_their_own_two_processes_are_one_that_takes_half_batches_in_turn(
    tmp_path: Path, strategy: StrategyName
) -> None:
    two = folder(tmp_path, "two")
    script = tmp_path / "child.py"
    script.write_text(CHILD)
    path = config(two, strategy, BATCH)
    found = trained(torchrun(2, script, path, two), two)
    given = Config.load(path)
    dataset = open_dataset(given)
    images = dataset.images
    torch.manual_seed(given.train.seed)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    run = Trainer(space_of(given, len(dataset.classes)), images, given.train)
    expected: list[float] = []
    # Two phases of an epoch, or one of two.
    phases = len(given.train.schedule)
    steps = 2 * STEPS // phases
    for epoch in range(2):
        number = epoch % phases
        if epoch < phases:
            run.begin(number)
        run.learner.supernet.train()
        rng = np.random.default_rng((0, epoch))
        low, high = run.open(number, 1.0)
        order = shuffled(len(images.train_labels), 2 * BATCH, epoch_generator(0, epoch))
        for step, batch in enumerate(order, start=epoch * STEPS % steps):
            rows = run.learner.draw(low, high, rng, torch.zeros(0), torch.zeros(0))
            asked = [run.space.decode(row) for row in rows]
            total = 0.0
            for part in (batch[0::2], batch[1::2]):
                x = normalise(images.train[part], images.normalisation)
                loss = mean_loss(run.learner, x, images.train_labels[part], asked)
                (loss / 2).backward()
                total += loss.item() / 2
            for group in run.learner.optimizer.param_groups:
                group["lr"] = rate(step, steps, 0.015 if number else 0.05)
            run.learner.optimizer.step()
            run.learner.optimizer.zero_grad()
            expected.append(total)
    torch.set_num_threads(threads)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def mean_loss(learner: Learner, x: Tensor, labels: Tensor, asked: list[Architecture]) -> Tensor:
    """Of the subnets on images [B, C, H, W] with labels [B].

    The largest of before teaches beside the labels; where it is the first of a sandwich, alone.
    """
    losses: list[Tensor] = []
    taught: Tensor | None = None
    if learner.teacher is not None:
        with torch.no_grad():
            taught = learner.teacher(at(x, learner.largest)).softmax(1)
    for architecture in asked:
        scores = learner.supernet(at(x, architecture), architecture)
        hard = functional.cross_entropy(scores, labels, label_smoothing=0.1)
        soft = torch.zeros(()) if taught is None else functional.cross_entropy(scores, taught)
        in_place = learner.teacher is None and taught is not None
        losses.append(soft if in_place else hard + soft)
        if len(asked) > 1 and taught is None:
            taught = scores.detach().softmax(1)
    return torch.stack(losses).mean()


@pytest.mark.slow
def test_when_a_process_dies_torchrun_goes_on_from_the_checkpoint(tmp_path: Path) -> None:
    runs = {}
    for name in ("whole", "killed"):
        path = config(folder(tmp_path, name), "progressive-shrinking", BATCH, ema=0.5)
        out = tmp_path / name / "run"
        command = torchrun(2, "--max-restarts=1", "-m", "nas.cli", "train", path, "--out", out)
        with subprocess.Popen(
            command, cwd=ROOT, stderr=subprocess.PIPE, text=True, start_new_session=True
        ) as parent:
            if name == "killed":
                until = time.monotonic() + 120
                while not (out / "checkpoint.pt").exists() and time.monotonic() < until:
                    time.sleep(0.01)
                os.kill(rank_of(parent.pid, 1), signal.SIGKILL)
            _, said = parent.communicate(timeout=300)
        assert parent.returncode == 0, said
        runs[name] = load_file(out / "supernet.safetensors")
    for name, tensor in runs["whole"].items():
        assert torch.equal(runs["killed"][name], tensor), name


def rank_of(torchrun: int, rank: int) -> int:
    """The process of a rank."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                environment = (entry / "environ").read_bytes().split(b"\0")
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            if parent == torchrun and f"RANK={rank}".encode() in environment:
                return int(entry.name)
    raise AssertionError("no such rank")


def test_a_restart_goes_on_with_what_its_own_launch_began(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "first")
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "0")
    assert not restarted(tmp_path)
    note_launch(tmp_path)
    assert not restarted(tmp_path)
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "1")
    assert restarted(tmp_path)
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "second")
    assert not restarted(tmp_path)


def test_more_images_at_once_than_there_are_is_refused(tmp_path: Path) -> None:
    path = config(tmp_path, "progressive-shrinking", 100)
    command = torchrun(2, "-m", "nas.cli", "train", path, "--out", tmp_path / "run")
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=120)
    assert done.returncode != 0
    said = f"2 processes take 200 images a step, there are {IMAGES}; lower train.batch_size"
    assert said in done.stderr
