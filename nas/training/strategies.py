"""Strategies of training a supernet: named compositions of who is trained and who teaches."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from nas.config import StrategyName, TrainConfig
from nas.training import losses, sampling
from nas.training.losses import Divergence
from nas.training.phases import Options, inside
from nas.training.sampling import Draw, Front, Losses, Sampler
from search_spaces import Space
from search_spaces.space import Population

__all__ = ["Strategy", "fine_tuning", "strategy_of"]


@dataclass(frozen=True)
class Strategy:
    """What a step does.

    Attributes:
        sampler: which subnets it trains.
        subnets: how many, from the smallest and largest open options [choices].
        teacher: nobody; the largest network as it was when choices opened; or the largest of the
            same step, whose row the sampler gives first.
        divergence: how far a subnet is from the teacher.
        scouts: whether the sampler asks for the frontier.

    Subnets that the largest of the same step teaches learn from it alone, as in BigNAS.
    """

    sampler: Sampler
    subnets: Callable[[Space, Options, Options], int]
    teacher: Literal["none", "as-it-was", "in-place"]
    divergence: Divergence = losses.distillation
    scouts: bool = False

    def draw(
        self,
        space: Space,
        low: Options,
        high: Options,
        number: int | None,
        rng: np.random.Generator,
        losses: Losses,
        frontier: Front | None = None,
    ) -> Population:
        """The subnets of one step, rows [n, choices]: ``number``, or as many as are usual.

        The others are those of a ``Draw``.
        """
        n = number or self.subnets(space, low, high)
        return self.sampler(Draw(space, low, high, n, rng, losses, frontier))


def _of(number: int) -> Callable[[Space, Options, Options], int]:
    return lambda space, low, high: number


def _as_many_as_options(space: Space, low: Options, high: Options) -> int:
    # FairNAS counts what stands at a place in the network.
    return int((high - low)[inside(space)].max(initial=0)) + 1


def fine_tuning(row: Population) -> Strategy:
    """One network [1, choices], which learns from labels and from the largest as it was."""
    return Strategy(sampling.always(row), _of(1), "as-it-was")


def progressive_shrinking(extremes: float) -> Strategy:
    """One subnet, the smallest or the largest with a chance of ``extremes``.

    Cai et al., "Once for All", ICLR 2020. Which choices are open is the phases' (``phases``); until
    they are, a step trains the largest network once, however many subnets are asked for.
    """
    return Strategy(sampling.bounded(extremes), _of(1), "as-it-was")


SANDWICH = Strategy(sampling.sandwich, _of(4), "in-place")
"""The sandwich rule with distillation in place: Yu et al., "BigNAS", ECCV 2020."""

ATTENTIVE_BEST = Strategy(sampling.attentive(best=True), _of(4), "in-place")
"""The sandwich, the best of candidates between: Wang et al., "AttentiveNAS", CVPR 2021."""

ATTENTIVE_WORST = Strategy(sampling.attentive(best=False), _of(4), "in-place")
"""The worst of them: "AttentiveNAS" as well."""

ALPHANET = Strategy(sampling.sandwich, _of(4), "in-place", losses.adaptive_alpha)
"""The sandwich, taught by alpha-divergence: Wang et al., "AlphaNet", ICML 2021."""

FRONTIER = Strategy(sampling.near_frontier, _of(4), "in-place", scouts=True)
"""The sandwich whose middle is near the frontier that its own losses predict (``frontier``), after
Wang et al., "AttentiveNAS", CVPR 2021."""

SINGLE_PATH = Strategy(sampling.uniform, _of(1), "none")
"""One subnet, any: Guo et al., "Single Path One-Shot", ECCV 2020."""

FAIR = Strategy(sampling.fair, _as_many_as_options, "none")
"""Every option as often as any other: Chu et al., "FairNAS", ICCV 2021."""


def strategy_of(config: TrainConfig) -> Strategy:
    """The strategy that a configuration names."""
    known: Mapping[StrategyName, Strategy] = {
        "progressive-shrinking": progressive_shrinking(config.extremes),
        "sandwich": SANDWICH,
        "attentive-best": ATTENTIVE_BEST,
        "attentive-worst": ATTENTIVE_WORST,
        "alphanet": ALPHANET,
        "frontier": FRONTIER,
        "single-path": SINGLE_PATH,
        "fair": FAIR,
    }
    return known[config.strategy]
