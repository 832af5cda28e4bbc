"""What every strategy trains and what its subnets learn from, step by step."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from nas.config import Phase, StrategyName, TrainConfig
from nas.data.augment import AugmentOptions, Normalisation, normalise, resize
from nas.data.facts import histogram_of
from nas.training.images import Images
from nas.training.learner import Learner
from nas.training.losses import adaptive_alpha
from nas.training.strategies import strategy_of
from nas.training.trainer import Trainer
from search_spaces import Architecture
from tests.nas.tiny import tiny

CLASSES, BATCH = 4, 16
SMOOTHING = 0.1
EVERYTHING = (Phase("all", 1),)
IN_PLACE: tuple[StrategyName, ...] = (
    "sandwich",
    "attentive-best",
    "attentive-worst",
    "alphanet",
    "frontier",
)
OPTIONS = AugmentOptions(shift=0, flip=False)


def images() -> Images:
    rng = np.random.default_rng(0)
    pixels = torch.from_numpy(rng.integers(0, 255, (BATCH, 3, 10, 10), np.uint8))
    labels = torch.from_numpy(rng.integers(0, CLASSES, BATCH))
    labels[0] = CLASSES - 1
    normalisation = Normalisation.of_histogram(histogram_of(pixels.numpy()))
    return Images(pixels, labels, pixels, labels, normalisation, OPTIONS)


def trainer(strategy: StrategyName, **options: object) -> Trainer:
    torch.manual_seed(0)
    phases = (Phase("largest", 1), Phase("width", 1)) if "shrinking" in strategy else EVERYTHING
    # Sorted channels would be other subnets than a twin's with the weights of before.
    usual = {"batch_size": BATCH, "phases": phases, "threads": 1, "sort_channels": False}
    config = TrainConfig(strategy, **{**usual, **options})  # type: ignore[arg-type]
    return Trainer(tiny(), images(), config)


def watched(run: Trainer, number: int) -> tuple[Tensor, Tensor, list[Architecture], float]:
    """The single step of an epoch: its images, targets, subnets and loss."""
    seen: list[tuple[Tensor, Tensor, list[Architecture]]] = []
    plain = run.learner.step

    def step(x: Tensor, targets: Tensor, architectures: list[Architecture]) -> list[float]:
        seen.append((x.clone(), targets, architectures))
        return plain(x, targets, architectures)

    run.learner.step = step  # type: ignore[method-assign]
    told: list[float] = []
    run.one_epoch(number, 0, 2, lambda progress: told.append(progress.loss))
    ((x, targets, architectures),) = seen
    return x, targets, architectures, told[0]


def twin(run: Trainer) -> Trainer:
    """A trainer with the same first weights."""
    other = Trainer(run.space, run.images, run.config)
    other.learner.supernet.load_state_dict(run.learner.supernet.state_dict())
    return other


def by_labels(scores: Tensor, labels: Tensor) -> float:
    logs = scores.log_softmax(1)
    right = logs[torch.arange(len(labels)), labels]
    return float(-(1 - SMOOTHING) * right.mean() - SMOOTHING * logs.mean())


@pytest.mark.parametrize("name", get_args(StrategyName))
def test_a_step_trains_as_many_subnets_as_its_strategy_says(name: StrategyName) -> None:
    run = trainer(name)
    _, _, architectures, _ = watched(run, len(run.config.schedule) - 1)
    # No choice of the tiny space has more than two options.
    expected = {"progressive-shrinking": 1, "single-path": 1, "fair": 2}.get(name, 4)
    assert len(architectures) == expected
    run = trainer(name, subnets=6)
    assert len(watched(run, len(run.config.schedule) - 1)[2]) == 6


@pytest.mark.parametrize(
    ("name", "distillation"),
    [("single-path", 1.0), ("fair", 1.0), ("sandwich", 0.0), ("progressive-shrinking", 0.0)],
)
def test_without_a_teacher_labels_are_all_there_is(name: StrategyName, distillation: float) -> None:
    run = trainer(name, distillation=distillation)
    other = twin(run)
    last = len(run.config.schedule) - 1
    x, labels, architectures, loss = watched(run, last)
    other.learner.supernet.train()
    with torch.no_grad():
        scores = [other.learner.supernet(resize(x, side(a)), a) for a in architectures]
    assert loss == pytest.approx(np.mean([by_labels(s, labels) for s in scores]), rel=1e-5)


@pytest.mark.parametrize("name", IN_PLACE)
def test_in_place_the_largest_learns_from_labels_and_teaches_the_others(name: StrategyName) -> None:
    run = trainer(name, distillation=0.7)
    other = twin(run)
    x, labels, architectures, loss = watched(run, 0)
    assert run.learner.teacher is None
    assert architectures[0] == run.learner.largest
    assert architectures[-1] == run.space.decode(run.space.smallest)
    other.learner.supernet.train()
    with torch.no_grad():
        largest, *rest = [other.learner.supernet(resize(x, side(a)), a) for a in architectures]
    losses = [by_labels(largest, labels)]
    for scores in rest:
        soft = -(largest.softmax(1) * scores.log_softmax(1)).sum(1).mean()
        losses.append(0.7 * float(adaptive_alpha(scores, largest) if name == "alphanet" else soft))
    assert loss == pytest.approx(np.mean(losses), rel=1e-5)


@pytest.mark.parametrize("name", ["fair", "sandwich"])
def test_a_step_goes_down_the_gradient_of_the_mean_loss(name: StrategyName) -> None:
    run = trainer(name, optimizer="sgd", learning_rate=0.1, weight_decay=0.0, subnets=3)
    plain = twin(run).learner.supernet.train()
    run.learner.supernet.train()
    x = normalise(images().train, images().normalisation)
    labels = images().train_labels
    largest, smallest = run.learner.largest, run.space.decode(run.space.smallest)
    losses, taught = [], None
    for architecture in (largest, smallest, smallest):
        scores = plain(resize(x, side(architecture)), architecture)
        wanted = labels if taught is None else taught
        smoothing = SMOOTHING if taught is None else 0.0
        losses.append(functional.cross_entropy(scores, wanted, label_smoothing=smoothing))
        if name == "sandwich" and taught is None:
            taught = scores.detach().softmax(1)
    torch.stack(losses).mean().backward()  # type: ignore[no-untyped-call]
    lost = run.learner.step(x, labels, [largest, smallest, smallest])
    assert lost == pytest.approx([loss.item() for loss in losses])
    for was, now in zip(plain.parameters(), run.learner.supernet.parameters(), strict=True):
        # Nesterov's first step, of a momentum of 0.9; what no subnet reads stays.
        down = 0.0 if was.grad is None else 0.1 * 1.9 * was.grad
        torch.testing.assert_close(now, was - down)


def side(architecture: Architecture) -> int:
    return int(str(architecture["resolution"]))


def test_attention_compares_losses_on_the_images_of_the_step(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    judged: list[float] = []
    plain = Learner.loss

    def noted(learner: Learner, architecture: Architecture, x: Tensor, targets: Tensor) -> float:
        judged.append(plain(learner, architecture, x, targets))
        with torch.no_grad():
            scores = learner.supernet(resize(x, side(architecture)), architecture)
        logs = scores.log_softmax(1)
        by_hand = float(-logs[torch.arange(len(targets)), targets].mean())
        assert judged[-1] == pytest.approx(by_hand, rel=1e-5)
        return judged[-1]

    monkeypatch.setattr(Learner, "loss", noted)
    watched(trainer("attentive-best"), 0)
    assert 2 <= len(judged) <= 6


def test_mixed_images_have_mixed_labels() -> None:
    run = trainer("single-path", mixup=0.5)
    x, targets, _, _ = watched(run, 0)
    assert targets.shape == (BATCH, CLASSES)
    torch.testing.assert_close(targets.sum(1), torch.ones(BATCH))
    assert ((targets > 0).sum(1) == 2).any()
    assert x.shape == (BATCH, 3, 10, 10)


def test_image_sizes_rise_in_stages() -> None:
    config = TrainConfig("single-path", batch_size=BATCH, phases=(Phase("all", 4),), stages=2)
    torch.manual_seed(0)
    run = Trainer(tiny((6, 8, 10)), images(), config)
    sides: list[int] = []
    plain = run.learner.step

    def step(x: Tensor, targets: Tensor, architectures: list[Architecture]) -> list[float]:
        sides.extend(side(one) for one in architectures)
        return plain(x, targets, architectures)

    run.learner.step = step  # type: ignore[method-assign]
    for epoch in range(4):
        for _ in range(8):
            run.one_epoch(0, epoch, 4, lambda _: None)
    assert set(sides[:16]) == {6} and set(sides[16:]) == {6, 8, 10}


def test_what_is_kept_is_the_average() -> None:
    run = trainer("single-path", ema=0.9, phases=(Phase("all", 4),))
    assert run.learner.result is not run.learner.supernet
    watched(run, 0)
    run.one_epoch(0, 0, 1, lambda _: None)
    now, kept = run.learner.supernet.state_dict(), run.learner.result.state_dict()
    name = "blocks.stem.main.conv.weight"
    assert not torch.equal(now[name], kept[name])
    logged = run.log[-1]["val_largest"]
    assert (
        logged == run.validate(run.learner.largest) and run.observer.supernet is run.learner.result
    )


def test_what_is_not_finite_is_named() -> None:
    learner = trainer("single-path", ema=0.9).learner
    name = "blocks.stem.main.conv.weight"
    assert learner.spoilt() is None
    learner.result.state_dict()[name][0, 0] = torch.inf
    assert learner.spoilt() == f"the average of {name}"
    learner.supernet.state_dict()[name][0, 0] = torch.nan
    assert learner.spoilt() == name


def test_strategies_differ_in_who_teaches() -> None:
    teachers = {name: strategy_of(TrainConfig(name)).teacher for name in get_args(StrategyName)}
    assert teachers == {
        "progressive-shrinking": "as-it-was",
        "sandwich": "in-place",
        "attentive-best": "in-place",
        "attentive-worst": "in-place",
        "alphanet": "in-place",
        "frontier": "in-place",
        "single-path": "none",
        "fair": "none",
    }
