"""A training that is small enough to watch: deterministic, resumable, honest about trouble."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn

from nas.config import Config, DataConfig, Phase, SpaceConfig, TrainConfig
from nas.data.augment import normalise, resize
from nas.data.batches import epoch_generator, shuffled
from nas.dataset import Dataset, open_dataset
from nas.header import space_of
from nas.jobs.estimate import estimate_training
from nas.jobs.train import train_run
from nas.run import Run
from nas.training.evaluate import Evaluator, correct
from nas.training.frontier import Frontier
from nas.training.images import Images
from nas.training.learner import Learner
from nas.training.loop import train
from nas.training.sampling import Front
from nas.training.trainer import DivergedError, Progress
from nas.weights import load_supernet
from search_spaces import Architecture
from search_spaces.errors import ArtefactError, NasLoopError
from tests.nas.tiny import ROOT, registered, tiny

PHASES = (
    Phase("largest", 2),
    Phase("kernel", 1),
    Phase("depth", 1),
    Phase("expand", 1),
    Phase("width", 1),
)
BATCH = 32

# Says where it is after every step, so that the test knows when to kill it.
CHILD = """
import sys
from nas.config import Config
from nas.dataset import open_dataset
from nas.header import space_of
from nas.jobs.train import train_run
from nas.run import Run
from tests.nas.tiny import registered

with registered():
    config = Config.load(sys.argv[1])
    run = Run.create(sys.argv[2], config, resume=True)
    train_run(run, config, open_dataset(config), lambda p: print(p.epoch, p.step, flush=True))
"""


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def two_threads() -> Iterator[int]:
    """For a training to set; all others go on with one."""
    yield 2
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    """Two hundred of the digits at 8x8."""
    path = tmp_path_factory.mktemp("images") / "digits.npz"
    digits = load_digits()
    np.savez(path, images=(digits.images[:200] * 15).astype(np.uint8), labels=digits.target[:200])
    train = TrainConfig(batch_size=BATCH, learning_rate=0.005, threads=1, phases=PHASES)
    data = DataConfig(path=str(path), size=8, shift=1, horizontal_flip=False)
    return Config(data=data, space=SpaceConfig(resolutions=(8,)), train=train)


@pytest.fixture(scope="module")
def dataset(config: Config) -> Dataset:
    return open_dataset(config)


@pytest.fixture(scope="module")
def whole(
    config: Config, dataset: Dataset, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Run, list[Progress]]:
    """A run that nobody interrupted."""
    run = Run.create(tmp_path_factory.mktemp("run") / "whole", config, resume=False)
    told: list[Progress] = []
    train_run(run, config, dataset, told.append)
    return run, told


def weights(run: Run, dataset: Dataset) -> dict[str, torch.Tensor]:
    space = space_of(run.config(), len(dataset.classes))
    return load_supernet(run.supernet, space).supernet.state_dict()


def test_it_tells_and_logs_every_epoch(whole: tuple[Run, list[Progress]], dataset: Dataset) -> None:
    run, told = whole
    steps = len(dataset.images.train_labels) // BATCH
    assert [(p.epoch, p.step) for p in told] == [(e, s) for e in range(6) for s in range(steps)]
    assert {p.epochs for p in told} == {6} and {p.steps for p in told} == {steps}
    header, *rows = run.log.read_text().splitlines()
    assert header == (
        "epoch,phase,learning_rate,loss,val_largest,val_smallest,images_per_second,seconds"
    )
    phases = [row.split(",")[1] for row in rows]
    assert phases == ["largest", "largest", "kernel", "depth", "expand", "width"]


def test_the_estimate_of_disk_holds_the_run_and_two_checkpoints_at_once(
    config: Config, dataset: Dataset, whole: tuple[Run, list[Progress]]
) -> None:
    run, _ = whole
    left = sum(path.stat().st_size for path in run.folder.iterdir())
    told = estimate_training(config, dataset, done=6).bytes
    assert max(left, 2 * run.checkpoint.stat().st_size) <= told < 3 * left


def test_an_estimate_takes_no_step_that_could_go_wrong(config: Config, dataset: Dataset) -> None:
    wild = replace(config, train=replace(config.train, learning_rate=1e30))
    assert estimate_training(wild, dataset).seconds > 0


@pytest.mark.parametrize(
    ("settled", "done", "searches"), [(0, 0, 6), (8, 0, 3), (8, 1, 2), (8, 4, 0), (0, 4, 2)]
)
def test_the_estimate_counts_searches_for_the_frontier(
    settled: int,
    done: int,
    searches: int,
    config: Config,
    dataset: Dataset,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every epoch begins with one, but for those in which it is settled: the last three of six."""
    how = replace(config.train, strategy="frontier", phases=(Phase("all", 6),), settled=settled)
    searching = replace(config, train=how)
    plain = Frontier.begin

    def slow(frontier: Frontier, seed: int, settle: bool = False) -> Front:
        clock[0] += 1000.0
        return plain(frontier, seed, settle)

    clock, watch = [0.0], time.perf_counter
    with monkeypatch.context() as patch:
        patch.setattr(Frontier, "begin", slow)
        patch.setattr(time, "perf_counter", lambda: watch() + clock[0])
        told = estimate_training(searching, dataset, done).seconds
    assert 1000 * searches < told < 1000 * searches + 900


def test_it_learns(whole: tuple[Run, list[Progress]]) -> None:
    _, told = whole
    first, last = (np.mean([p.loss for p in told if p.epoch == epoch]) for epoch in (0, 1))
    assert last < first


def test_killed_twice_and_resumed_it_ends_in_the_same_weights(
    config: Config, dataset: Dataset, whole: tuple[Run, list[Progress]], tmp_path: Path
) -> None:
    ends_the_same(config, dataset, whole[0], ((1, 2), (4, 3)), tmp_path)


def test_killed_with_all_that_a_recipe_has_it_ends_in_the_same_weights(
    config: Config, two_threads: int, tmp_path: Path
) -> None:
    """With every part of it that has a state, or draws something."""
    data = replace(config.images, size=10, cutout=3, randaugment=2, horizontal_flip=True)
    recipe = TrainConfig(
        "frontier",
        subnets=12,  # Of which enough are noted in the five steps of an epoch.
        batch_size=BATCH,
        optimizer="muon",
        mixup=0.2,
        ema=0.9,
        stages=3,
        precision="bfloat16",
        threads=two_threads,
        phases=(Phase("all", 3),),
    )
    space = SpaceConfig("tiny", resolutions=(8, 9, 10))
    config = Config(data=data, space=space, train=recipe)
    dataset = open_dataset(config)
    with registered():
        whole = Run.create(tmp_path / "whole", config, resume=False)
        train_run(whole, config, dataset, lambda _: None)
        ends_the_same(config, dataset, whole, ((1, 2), (2, 1)), tmp_path)


def ends_the_same(
    config: Config, dataset: Dataset, whole: Run, kills: tuple[tuple[int, int], ...], folder: Path
) -> None:
    """Killed at each epoch and step, the training ends as the ``whole`` one did."""
    config.save(folder / "config.yaml")
    for epoch, step in kills:
        kill_at(epoch, step, folder / "config.yaml", folder / "killed")
        assert not (folder / "killed" / "supernet.safetensors").exists()
    run = Run.create(folder / "killed", config, resume=True)
    told: list[Progress] = []
    train_run(run, config, dataset, told.append)
    assert (told[0].epoch, told[0].step) == (kills[-1][0], 0)
    expected, found = weights(whole, dataset), weights(run, dataset)
    assert expected.keys() == found.keys()
    assert [name for name in expected if not torch.equal(expected[name], found[name])] == []

    def kept(run: Run) -> list[list[str]]:
        return [row.split(",")[:6] for row in run.log.read_text().splitlines()]  # without times

    assert kept(run) == kept(whole)


def kill_at(epoch: int, step: int, config: Path, folder: Path) -> None:
    """Start a training and end it the hard way in the middle of an epoch."""
    arguments = [sys.executable, "-c", CHILD, str(config), str(folder)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, cwd=ROOT) as child:
        assert child.stdout is not None
        for line in child.stdout:
            if line.split() == [str(epoch), str(step)]:
                os.kill(child.pid, signal.SIGKILL)
                break
    assert child.returncode == -signal.SIGKILL


def test_resuming_a_finished_run_trains_no_further(
    config: Config, dataset: Dataset, whole: tuple[Run, list[Progress]]
) -> None:
    run, _ = whole
    before = weights(run, dataset)
    told: list[Progress] = []
    train_run(run, config, dataset, told.append)
    after = weights(run, dataset)
    assert told == [] and all(torch.equal(after[name], before[name]) for name in before)


def test_stopped_and_taken_up_again_it_ends_in_the_same_weights(
    config: Config, dataset: Dataset, whole: tuple[Run, list[Progress]], tmp_path: Path
) -> None:
    space = space_of(config, len(dataset.classes))
    told: list[Progress] = []
    # In the first of its phases, at the end of it, not at all, behind others, and at the end.
    for until in (1, 2, 2, 5, 6):
        learned = train(
            *(space, dataset.images, config.train, tmp_path / "checkpoint.pt", {}),
            tell=told.append,
            record=lambda rows: None,
            until=until,
        )
        assert max(p.epoch for p in told) + 1 == until and {p.epochs for p in told} == {6}
    assert [(p.epoch, p.step, p.loss) for p in told] == [
        (p.epoch, p.step, p.loss) for p in whole[1]
    ]
    found, expected = learned.supernet.state_dict(), weights(whole[0], dataset)
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_another_seed_gives_other_weights_and_is_refused_on_resume(
    config: Config, dataset: Dataset, whole: tuple[Run, list[Progress]], tmp_path: Path
) -> None:
    short = (Phase("largest", 1), Phase("width", 0))
    found = []
    for seed in (0, 1):
        once = replace(config, train=replace(config.train, seed=seed, phases=short))
        run = Run.create(tmp_path / str(seed), once, resume=False)
        train_run(run, once, dataset, lambda _: None)
        found.append(weights(run, dataset))
    kernels = [name for name in found[0] if name.endswith("conv.weight")]
    assert kernels and not any(torch.equal(found[0][name], found[1][name]) for name in kernels)
    other = replace(config, train=replace(config.train, seed=1))
    run = Run(tmp_path)
    run.checkpoint.write_bytes(whole[0].checkpoint.read_bytes())
    with pytest.raises(ArtefactError, match="belongs to another train.seed;"):
        train_run(run, other, dataset, lambda _: None)


def test_a_loss_that_is_no_number_is_named(
    config: Config, dataset: Dataset, tmp_path: Path
) -> None:
    phases = (Phase("largest", 5, learning_rate=1e30), Phase("width", 1))
    wild = replace(config.train, phases=phases)
    told: list[Progress] = []
    with pytest.raises(
        NasLoopError, match=r"the loss is (nan|inf) .*lower train.learning_rate"
    ) as e:
        train_run(Run(tmp_path), replace(config, train=wild), dataset, told.append)
    assert f"at step {len(told)} of epoch 0 (phase largest), of the subnet " in str(e.value)
    named = re.search(r"subnet (.*) on the training images (\[[0-9, ]+\]);", str(e.value))
    assert named is not None and "\n" not in str(e.value)
    space = space_of(config, len(dataset.classes))
    assert Architecture.from_json(named[1]) == space.decode(space.largest)
    generator = epoch_generator(0, 0)
    batches = list(shuffled(len(dataset.images.train_labels), BATCH, generator))
    assert json.loads(named[2]) == batches[len(told)].tolist()


@pytest.mark.parametrize(
    ("epochs", "batch_size", "rate", "said"),
    [
        (1, BATCH, 1e30, r"the loss is (nan|inf) at step \d of epoch 1 \(phase width\), of"),
        # All images in one step, whose loss nothing has spoilt yet.
        (2, 1000, 1e39, r"\S+ is not finite after epoch 1 \(phase width\), though all losses"),
    ],
    ids=["loss", "weights"],
)
def test_what_diverges_later_leaves_the_checkpoint_as_it_was(
    config: Config,
    dataset: Dataset,
    tmp_path: Path,
    epochs: int,
    batch_size: int,
    rate: float,
    said: str,
) -> None:
    phases = (Phase("largest", 1), Phase("width", epochs, learning_rate=rate))
    wild = replace(config, train=replace(config.train, phases=phases, batch_size=batch_size))
    run = Run(tmp_path)
    before: list[bytes] = []

    def tell(progress: Progress) -> None:
        assert np.isfinite(progress.loss)
        if (progress.epoch, progress.step) == (1, 0):
            before.append(run.checkpoint.read_bytes())

    with pytest.raises(DivergedError, match=said) as e:
        train_run(run, wild, dataset, tell)
    assert "\n" not in str(e.value) and "lower train.learning_rate" in str(e.value)
    assert [run.checkpoint.read_bytes()] == before
    assert len(run.log.read_text().splitlines()) == 2 and not run.supernet.exists()


def test_accuracy_is_what_it_says(
    config: Config, dataset: Dataset, whole: tuple[Run, list[Progress]]
) -> None:
    space = space_of(config, len(dataset.classes))
    images = dataset.images
    trained = load_supernet(whole[0].supernet, space)
    before = {k: v.clone() for k, v in trained.supernet.state_dict().items()}
    evaluator = Evaluator(trained.supernet, images.normalisation, images.calibration)
    architecture = space.decode(space.largest)
    network = evaluator.network(architecture)
    assert not network.training
    scores = evaluator.logits(network, architecture, images.val)
    right = int((scores.argmax(1) == images.val_labels).sum())
    accuracy = evaluator.accuracy(architecture, images.val, images.val_labels)
    assert accuracy == correct(scores, images.val_labels) == 100 * right / len(images.val)
    logged = float(whole[0].log.read_text().splitlines()[-1].split(",")[4])
    assert accuracy == pytest.approx(logged, abs=1e-3)
    after = trained.supernet.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


OPENED = {
    "largest": {"resolution"},
    "kernel": {"resolution", "kernel"},
    "depth": {"resolution", "kernel", "depth"},
    "expand": {"resolution", "kernel", "depth", "expand"},
    "width": {"resolution", "kernel", "depth", "expand", "width"},
}
SMOOTHING, DISTILLATION = 0.2, 0.7
Tensors = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Step:
    """What a step was given and said; what there was before it, and its losses by formula.

    ``largest`` is the largest network of the supernet, recalibrated on all training images.
    """

    phase: str
    architectures: list[Architecture]
    loss: float
    hard: float
    soft: float
    teacher: Tensors
    largest: Tensors


@pytest.fixture(scope="module")
def steps(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> list[Step]:
    """Every step of a training with one epoch a phase and four subnets a step."""
    phases = tuple(Phase(phase.name, 1) for phase in PHASES)
    how = TrainConfig(
        batch_size=BATCH,
        learning_rate=0.005,
        label_smoothing=SMOOTHING,
        subnets=4,
        threads=1,
        phases=phases,
    )
    seen: list[Step] = []
    told: list[Progress] = []
    plain = Learner.step

    def watched(
        learner: Learner, x: Tensor, labels: Tensor, asked: list[Architecture]
    ) -> list[float]:
        teacher = learner.teacher
        assert teacher is None or not teacher.training
        before = {name: t.clone() for name, t in teacher.state_dict().items()} if teacher else {}
        hard, soft = losses(learner, x, labels, asked)
        largest = recalibrated(learner, dataset.images)
        loss = plain(learner, x, labels, asked)
        seen.append(Step("", asked, float(np.mean(loss)), hard, soft, before, largest))
        return loss

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Learner, "step", watched)
        train(
            tiny((6, 8), len(dataset.classes)),
            dataset.images,
            replace(how, distillation=DISTILLATION),
            tmp_path_factory.mktemp("steps") / "checkpoint.pt",
            {},
            tell=told.append,
            record=lambda _: None,
        )
    return [replace(step, phase=one.phase) for step, one in zip(seen, told, strict=True)]


def losses(
    learner: Learner, x: Tensor, labels: Tensor, architectures: list[Architecture]
) -> tuple[float, float]:
    """Mean losses of the subnets by labels and by the teacher (0 without), with logarithms.

    On a twin of the supernet, because norms remember what they have seen.
    """
    twin = learner.space.supernet().train()
    twin.load_state_dict(learner.supernet.state_dict())
    hard, soft = [], []
    with torch.no_grad():
        taught = learner.teacher(x).softmax(1) if learner.teacher else torch.zeros(1)
        for architecture in architectures:
            scores = twin(resize(x, int(str(architecture["resolution"]))), architecture)
            logs = scores.log_softmax(1)
            right = logs[torch.arange(len(labels)), labels]
            hard.append(float(-(1 - SMOOTHING) * right.mean() - SMOOTHING * logs.mean()))
            soft.append(float(-(taught * logs).sum(1).mean()))
    return float(np.mean(hard)), float(np.mean(soft))


def recalibrated(learner: Learner, images: Images) -> Tensors:
    """The largest network, its norms with the statistics of all training images together."""
    network = learner.supernet.extract(learner.largest).train()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.reset_running_stats()
            module.momentum = 1.0
    with torch.no_grad():
        network(normalise(images.train, images.normalisation, 8))
    return dict(network.state_dict())


def test_a_step_learns_from_labels_and_later_from_the_teacher(steps: list[Step]) -> None:
    for step in steps:
        later = step.phase != "largest"
        assert bool(step.teacher) is later is (step.soft != 0)
        assert step.loss == pytest.approx(step.hard + DISTILLATION * step.soft, rel=1e-5)


def test_the_teacher_is_the_largest_as_it_was_and_stays_so(steps: list[Step]) -> None:
    first, *others = [step for step in steps if step.teacher]
    assert first.phase == "kernel"
    torch.testing.assert_close(first.teacher, first.largest)
    for step in others:
        assert all(torch.equal(first.teacher[name], step.teacher[name]) for name in first.teacher)
    with pytest.raises(AssertionError):  # The largest network itself goes on learning.
        torch.testing.assert_close(others[-1].teacher, others[-1].largest)


def test_steps_train_what_their_phase_has_opened_and_all_of_it(steps: list[Step]) -> None:
    space = tiny((6, 8), 10)
    for phase, opened in OPENED.items():
        asked = [a for step in steps if step.phase == phase for a in step.architectures]
        rows = np.array([space.encode(architecture) for architecture in asked])
        # What a network does not read is no choice of it.
        smaller = space.used(rows) & (rows < space.largest)
        varied = [c.name for c, any_ in zip(space.choices, smaller.any(0), strict=True) if any_]
        assert {name.split(".")[-1] for name in varied} == opened
