"""Learning rates: a short warm-up and a cosine for every phase."""

from __future__ import annotations

import math

from nas.config import Phase, TrainConfig

__all__ = ["LATER_PHASES", "peak", "rate"]

LATER_PHASES = 0.3
"""Later phases start from trained weights: this fraction of the learning rate by default."""

WARM_UP = 0.1


def peak(phase: Phase, config: TrainConfig) -> float:
    """The highest learning rate of a phase."""
    if phase.learning_rate is not None:
        return phase.learning_rate
    return config.highest_rate * (1.0 if phase.name == "largest" else LATER_PHASES)


def rate(step: int, steps: int, highest: float) -> float:
    """The learning rate of step ``step`` of ``steps``: linear up, cosine down to zero.

    Loshchilov and Hutter, "SGDR", ICLR 2017, without restarts.
    """
    done = (step + 1) / steps
    if done < WARM_UP:
        return highest * done / WARM_UP
    return highest * 0.5 * (1 + math.cos(math.pi * (done - WARM_UP) / (1 - WARM_UP)))
