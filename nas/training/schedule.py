"""What changes within a phase: the learning rate, and how hard the images are made.

The size of images and what regularises, mixup and the magnitude of RandAugment, rise together in
stages: training-aware progressive learning (Tan and Le, "EfficientNetV2", ICML 2021, section 4).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from nas.config import Phase, TrainConfig
from nas.data.augment import AugmentOptions
from nas.training.phases import Options, kind, largest, smallest_open
from search_spaces import Space

__all__ = ["LATER_PHASES", "harder", "hardness", "opened", "peak", "rate", "resolutions", "settles"]

LATER_PHASES = 0.3
"""Later phases start from trained weights: this fraction of the learning rate by default."""

WARM_UP = 0.1


def peak(phase: Phase, config: TrainConfig) -> float:
    """The highest learning rate of a phase."""
    if phase.learning_rate is not None:
        return phase.learning_rate
    return config.highest_rate * (1.0 if phase is config.schedule[0] else LATER_PHASES)


def rate(step: int, steps: int, highest: float) -> float:
    """The learning rate of step ``step`` of ``steps``: linear up, cosine down to zero.

    Loshchilov and Hutter, "SGDR", ICLR 2017, without restarts.
    """
    done = (step + 1) / steps
    if done < WARM_UP:
        return highest * done / WARM_UP
    return highest * 0.5 * (1 + math.cos(math.pi * (done - WARM_UP) / (1 - WARM_UP)))


def hardness(epoch: int, epochs: int, stages: int) -> float:
    """0 in the first of ``stages`` equal stages of a phase, 1 in the last (always with one).

    A phase has as many stages as epochs at most, so that its last epoch is as hard as any.

    Tan and Le, "EfficientNetV2", ICML 2021, algorithm 1.
    """
    stages = min(stages, epochs)
    if stages == 1:
        return 1.0
    return min(stages - 1, epoch * stages // epochs) / (stages - 1)


def harder(
    options: AugmentOptions, mixup: float, first: float, hard: float
) -> tuple[AugmentOptions, float]:
    """Magnitude and mixup at ``hard`` from 0 to 1, from ``first`` of each on."""
    part = first + (1 - first) * hard
    return replace(options, magnitude=part * options.magnitude), part * mixup


def resolutions(count: int, hard: float) -> int:
    """How many of ``count`` ascending resolutions are used at ``hard``: 1 to all."""
    return 1 + round(hard * (count - 1))


def settles(phases: Sequence[Phase], number: int, epoch: int) -> bool:
    """Whether ``epoch`` of phase ``number`` is in the second half of the last phase."""
    last = max(i for i, phase in enumerate(phases) if phase.epochs)
    return number == last and 2 * epoch >= phases[last].epochs


def opened(
    space: Space, phases: Sequence[Phase], number: int, hard: float
) -> tuple[Options, Options]:
    """The smallest and the largest open option of every choice [choices] in phase ``number``.

    Below the highest ``hard`` large images are left out.
    """
    low, high = smallest_open(space, phases, number), largest(space)
    for i, choice in enumerate(space.choices):
        if kind(choice) == "resolution":
            high[i] = resolutions(len(choice.values), hard) - 1
    return np.minimum(low, high), high
