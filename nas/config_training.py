"""The section of a configuration that says how a supernet is trained."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from nas.config_fields import above, at_least, check, fraction, option, share
from search_spaces.errors import ConfigError

__all__ = ["PHASES", "STRATEGIES", "Phase", "PhaseName", "StrategyName", "TrainConfig"]

PhaseName = Literal["largest", "kernel", "depth", "expand", "width", "all"]
PHASES: tuple[PhaseName, ...] = ("largest", "kernel", "depth", "expand", "width", "all")
OptimizerName = Literal["adamw", "sgd", "muon"]
USUAL: dict[OptimizerName, tuple[float, float]] = {
    "adamw": (0.004, 0.05),
    "sgd": (0.1, 0.0005),
    "muon": (0.1, 0.01),
}
"""Peak learning rate and weight decay."""
RATES = ("train.learning_rate", "train.weight_decay")
"""Keys whose null is what is usual. That changes, so a checkpoint says which number it was."""
StrategyName = Literal[
    "progressive-shrinking",
    "sandwich",
    "attentive-best",
    "attentive-worst",
    "alphanet",
    "frontier",
    "single-path",
    "fair",
]


@dataclass(frozen=True)
class Phase:
    """One phase of a training; each opens one more kind of choice."""

    name: PhaseName = option(
        help="largest (with resolution), kernel, depth, expand, width or all; twice for two steps"
    )
    epochs: int = option(help="passes over the training images", rule=at_least(0))
    learning_rate: float | None = option(
        None,
        help="its peak; by default train.learning_rate for the first and 0.3 of it for the others",
        rule=above(0),
    )

    def __post_init__(self) -> None:
        check(self, "train.phases")


IN_PLACE = ("sandwich", "attentive-best", "attentive-worst", "alphanet", "frontier")
"""Strategies where the largest of a step teaches the others."""
EVERYTHING = (Phase("all", 75),)
STRATEGIES: Mapping[StrategyName, tuple[Phase, ...]] = {
    "progressive-shrinking": (
        Phase("largest", 40),
        Phase("kernel", 5),
        Phase("depth", 4),
        Phase("depth", 4),
        Phase("expand", 4),
        Phase("expand", 4),
        Phase("width", 14),
    ),
    "sandwich": EVERYTHING,
    "attentive-best": EVERYTHING,
    "attentive-worst": EVERYTHING,
    "alphanet": EVERYTHING,
    "frontier": EVERYTHING,
    "single-path": EVERYTHING,
    "fair": EVERYTHING,
}
"""The phases of each strategy, where a configuration does not say."""


def _usual(which: int) -> str:
    return ", ".join(f"{of[which]} with {optimizer}" for optimizer, of in USUAL.items())


@dataclass(frozen=True)
class TrainConfig:
    """How the supernet is trained."""

    strategy: StrategyName = option(
        "progressive-shrinking",
        help="Which subnets a step trains, and what they learn from. progressive-shrinking: one, "
        "of choices that open in turn, taught by the largest network as it was (Once for All). "
        "sandwich: largest, smallest and two others, taught by the largest of the same step "
        "(BigNAS); attentive-best and attentive-worst: the others are the best or worst of a few "
        "(AttentiveNAS); alphanet: taught by alpha-divergence; frontier: the others are like those "
        "that lose least for their MACs so far. single-path and fair: by labels alone (SPOS, "
        "FairNAS).",
    )
    weights: str | None = option(
        None,
        help="Begin with these, the supernet.safetensors of a run of the same space; null for "
        "random ones.",
    )
    batch_size: int = option(128, help="Images a step, of each process.", rule=at_least(1))
    optimizer: OptimizerName = option(
        "adamw",
        help="adamw; sgd with Nesterov's momentum of 0.9, for long schedules; or muon, which makes "
        "the momentum of convolutions orthogonal, and is sgd for the rest.",
    )
    learning_rate: float | None = option(
        None,
        help=f"The peak; null for what is usual: {_usual(0)}.",
        rule=above(0),
    )
    weight_decay: float | None = option(
        None,
        help=f"Not applied to norms and biases; null for what is usual: {_usual(1)}.",
        rule=at_least(0),
    )
    label_smoothing: float = option(0.1, help="0 for none.", rule=fraction(zero=True))
    mixup: float = option(
        0.0,
        help="Images are mixed with others, by shares from Beta(mixup, mixup); 0 for none.",
        rule=at_least(0),
    )
    ema: float = option(
        0.0,
        help="Decay of the moving average of weights that is kept in the end; 0 for the weights "
        "themselves.",
        rule=fraction(zero=True),
    )
    stages: int = option(
        1,
        help="Stages of a phase in which image size, mixup and magnitude rise "
        "together (EfficientNetV2); 1 for none.",
        rule=at_least(1),
    )
    first_stage: float = option(
        0.3,
        help="What mixup and magnitude are in the first stage, relative to the last.",
        rule=share(),
    )
    sort_channels: bool = option(
        True,
        help="Before a phase leaves channels out for the first time, put the important ones first.",
    )
    precision: Literal["float32", "bfloat16"] = option(
        "float32",
        help="bfloat16: mixed precision, for GPUs and processors that are faster at it (AMX).",
    )
    compile: bool = option(
        False, help="Compile the teacher of progressive shrinking, which never changes."
    )
    sync_batch_norm: bool = option(
        False, help="With several processes: batch norms see the images of all of them."
    )
    subnets: int | None = option(
        None, help="Subnets that a step trains; null for the strategy's own.", rule=at_least(1)
    )
    extremes: float = option(
        0.25,
        help="Chance that a subnet of progressive shrinking is the smallest or the largest.",
        rule=fraction(zero=True),
    )
    settled: int = option(
        8,
        help="Networks of the frontier, spread over its MACs, that frontier trains with the two "
        "ends in the second half of the last phase; 0 for their likes to the end.",
        rule=at_least(0),
    )
    distillation: float = option(
        1.0,
        help="Weight of what the largest network teaches; labels have 1 where both teach. With 0 "
        "labels teach all.",
        rule=at_least(0),
    )
    tensorboard: bool = option(
        False, help="Write what log.csv says for TensorBoard as well (pip install tensorboard)."
    )
    seed: int = option(
        0, help="Same seed, same machine: same weights, but for rounding on GPUs.", rule=at_least(0)
    )
    threads: int = option(0, help="CPU threads; 0 for one a core.", rule=at_least(0))
    phases: tuple[Phase, ...] | None = option(
        None,
        help="When choices open; null for the strategy's own. The largest network alone (at all "
        "resolutions), then kernel sizes, depth, expansion and width are opened in turn, or all at "
        "once. In this order; a phase may have its own learning_rate, be named twice (its choices "
        "open in two steps), and be left out if a later one opens its choices as well. What no "
        "phase opens is refused, unless that phase has 0 epochs: then a search meets untrained "
        "choices.",
    )

    def __post_init__(self) -> None:
        check(self, "train")
        if self.strategy in IN_PLACE and self.subnets == 1:
            raise ConfigError(
                f"{self.strategy} trains the largest and the smallest in every step; train.subnets "
                "is 2 or more, got 1"
            )
        names = [phase.name for phase in self.schedule]
        once = [name for name, _ in itertools.groupby(names)]
        first = once[0] if once else None
        fits = first == "largest" or (first == "all" and self.strategy != "progressive-shrinking")
        in_order = once == [name for name in PHASES if name in once]
        if not (fits and in_order and names.count("largest") < 2 and names.count("all") < 2):
            or_all = "" if self.strategy == "progressive-shrinking" else "or all, "
            raise ConfigError(
                f"train.phases must begin with largest {or_all}and go on in the order "
                f"{', '.join(PHASES)}, got {', '.join(names) or 'none'}"
            )

    @property
    def schedule(self) -> tuple[Phase, ...]:
        """The phases, or those that are usual for the strategy."""
        return STRATEGIES[self.strategy] if self.phases is None else self.phases

    @property
    def epochs(self) -> int:
        """Passes over the training images, in all phases together."""
        return sum(phase.epochs for phase in self.schedule)

    @property
    def highest_rate(self) -> float:
        """The learning rate at the peak of the first phase."""
        usual, _ = USUAL[self.optimizer]
        return usual if self.learning_rate is None else self.learning_rate

    @property
    def decay(self) -> float:
        """The weight decay."""
        _, usual = USUAL[self.optimizer]
        return usual if self.weight_decay is None else self.weight_decay
