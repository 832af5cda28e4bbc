"""What a training computes, in multiply-accumulates, which no busy machine distorts.

An image that a network learns from counts three times its MACs: forward, and backward for inputs
and for weights. An image that a teacher looks at counts once. Left out is what all trainings have:
validation, recalibration, the update of weights; and the losses by which an attentive sampler
chooses. A frontier is taken to be spread over the MACs of all networks.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import spinning  # noqa: F401  # before PyTorch

from nas.config import TrainConfig
from nas.training import schedule
from nas.training.sampling import Front
from nas.training.strategies import strategy_of
from search_spaces import Space
from search_spaces.space import Population

LEARNING = 3
"""Multiply-accumulates of learning from an image, relative to those of looking at it."""
TERA = 1e12
STEPS = 200
"""Steps whose subnets are drawn to find out what a step takes in the mean."""


def of_one(macs: float, epochs: int, images: int, teacher: float = 0.0) -> float:
    """Tera multiply-accumulates of training one network of ``macs`` alone, or under a teacher."""
    return (LEARNING * macs + teacher) * epochs * images / TERA


def of_supernet(space: Space, config: TrainConfig, images: int) -> float:
    """Tera multiply-accumulates of training a supernet, its subnets drawn as the training does."""
    strategy, rng = strategy_of(config), np.random.default_rng(0)
    largest = float(space.macs(space.largest[None])[0])
    known: dict[tuple[int, float], float] = {}
    total = 0.0
    for number, phase in enumerate(config.schedule):
        taught = strategy.teacher == "as-it-was" and phase.name != "largest"
        teacher = largest if taught and config.distillation else 0.0
        for epoch in range(phase.epochs):
            hard = schedule.hardness(epoch, phase.epochs, config.stages)
            if (number, hard) not in known:
                known[number, hard] = _step(space, config, number, hard, rng)
            total += LEARNING * known[number, hard] + teacher
    return total * images / TERA


def _step(
    space: Space, config: TrainConfig, number: int, hard: float, rng: np.random.Generator
) -> float:
    """MACs of all subnets of a step on one image, in the mean."""
    strategy = strategy_of(config)
    low, high = schedule.opened(space, config.schedule, number, hard)
    frontier = Front(_spread(space, rng)) if strategy.scouts else None
    given = space, low, high, config.subnets, rng, _alike, frontier
    return float(np.mean([space.macs(strategy.draw(*given)).sum() for _ in range(STEPS)]))


def _spread(space: Space, rng: np.random.Generator) -> Population:
    """Networks of all MACs, rows [m, choices] by MACs."""
    rows = np.concatenate([np.stack([space.smallest, space.largest]), space.sample(STEPS, rng)])
    return rows[np.argsort(space.macs(rows))]


def _alike(rows: Population) -> npt.NDArray[np.float64]:
    """Losses [m] that prefer none of the rows [m, choices]."""
    return np.zeros(len(rows))
