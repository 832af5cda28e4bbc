"""Channels sorted when a phase opens them: which, and that training goes on as if it had not."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
import torch
from torch import Tensor

from nas.config import Phase, TrainConfig
from nas.data.augment import AugmentOptions, Normalisation
from nas.data.facts import histogram_of
from nas.training.images import Images
from nas.training.learner import Learner
from nas.training.ranks import Ranks
from nas.training.sorting import order_for
from nas.training.start import Start
from nas.training.trainer import Trainer
from search_spaces.sorting import importance
from tests.nas.tiny import tiny

PHASES = (
    Phase("largest", 1),
    Phase("depth", 1),
    Phase("expand", 1),
    Phase("expand", 1),
    Phase("width", 1),
)
INSIDE = {f"{stage}.{i}" for stage in "ab" for i in range(2)}


def moved(phases: tuple[Phase, ...], number: int) -> set[str]:
    """The tensors whose outputs a phase reorders: their slot and layer."""
    torch.manual_seed(0)
    order = order_for(tiny().supernet(), phases, number)
    return {
        name.removeprefix("blocks.").removesuffix(".conv.weight")
        for name, axes in order.items()
        if name.endswith("conv.weight") and 0 in axes
    }


def test_a_phase_sorts_what_it_is_the_first_to_narrow() -> None:
    slots = {name.replace(".", "_") for name in INSIDE}
    inside = moved(PHASES, 2)
    assert {name.split(".")[-1] for name in inside} == {"expand", "depthwise"}
    assert len({name.rpartition(".")[0] for name in inside}) == len(slots)
    across = moved(PHASES, 4)
    assert {name.split(".")[-1] for name in across} == {"project"}
    for number in (0, 1, 3):
        assert not moved(PHASES, number)


def test_what_a_phase_of_no_epochs_opens_is_sorted_by_the_next() -> None:
    skipped = (Phase("largest", 1), Phase("expand", 0), Phase("width", 1))
    assert moved(skipped, 2) == moved(PHASES, 2) | moved(PHASES, 4)


def images() -> Images:
    rng = np.random.default_rng(0)
    pixels = torch.from_numpy(rng.integers(0, 255, (16, 3, 10, 10), np.uint8))
    labels = torch.arange(16) % 4
    still = AugmentOptions(shift=0, flip=False)
    normalisation = Normalisation.of_histogram(histogram_of(pixels.numpy()))
    return Images(pixels, labels, pixels, labels, normalisation, still)


@pytest.mark.parametrize("optimizer", ["sgd", "adamw", "muon"])
def test_a_step_after_sorting_is_the_same_step(optimizer: Literal["sgd", "adamw", "muon"]) -> None:
    config = TrainConfig(
        "single-path",
        optimizer=optimizer,
        learning_rate=0.01,
        ema=0.9,
        phases=(Phase("all", 2),),
    )
    x, labels = torch.randn(16, 3, 10, 10, dtype=torch.float64), torch.arange(16) % 4
    outputs: list[tuple[Tensor, Tensor]] = []
    for sort in (False, True):
        torch.manual_seed(0)
        learner = Learner(tiny(), config, Ranks())
        learner.supernet.double().train()
        learner.result.double()
        learner.step(x, labels, [learner.largest])
        before = {name: tensor.clone() for name, tensor in learner.supernet.state_dict().items()}
        if sort:
            learner.sort(config.schedule, 0)
            after = learner.supernet.state_dict()
            assert any(not torch.equal(after[name], before[name]) for name in before)
            for values in importance(learner.supernet).values():
                assert (values.diff() <= 1e-9).all()
        for _ in range(3):
            learner.step(x, labels, [learner.largest])
        with torch.no_grad():
            now, kept = learner.supernet.eval(), learner.result.eval()
            outputs.append((now(x, learner.largest), kept(x, learner.largest)))
    for plain, changed in zip(*outputs, strict=True):
        torch.testing.assert_close(plain, changed, rtol=1e-5, atol=1e-6)


def test_weights_that_are_given_keep_their_order() -> None:
    weights = tiny().supernet().state_dict()
    config = TrainConfig("sandwich", batch_size=16, phases=(Phase("all", 1),))
    trainer = Trainer(tiny(), images(), config, start=Start(weights))
    trainer.begin(0)
    now = trainer.learner.supernet.state_dict()
    assert all(torch.equal(now[name], weights[name]) for name in weights)


def test_an_epoch_sorts_when_its_phase_begins() -> None:
    for sort in (False, True):
        torch.manual_seed(0)
        config = TrainConfig(batch_size=16, learning_rate=1e-12, sort_channels=sort, phases=PHASES)
        trainer = Trainer(tiny(), images(), config)
        first = importance(trainer.learner.supernet)
        trainer.one_epoch(2, 0, 5, lambda _: None)
        now = importance(trainer.learner.supernet)
        for group, values in now.items():
            torch.testing.assert_close(values.sort().values, first[group].sort().values)
            descends = bool((values.diff() <= 1e-6).all())
            assert descends == (sort and group.endswith(".middle"))
