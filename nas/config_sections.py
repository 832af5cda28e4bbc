"""The sections of a configuration: what can be set, its default, its rule, and why.

Here is the place to add a key: its default, one line of help, a rule.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from latency_lut import WHOLE_NETWORKS, Effort
from nas.config_fields import above, at_least, check, fraction, not_empty, option
from search_spaces.errors import ConfigError

__all__ = [
    "PHASES",
    "DataConfig",
    "LatencyConfig",
    "Phase",
    "PhaseName",
    "SearchConfig",
    "SpaceConfig",
    "TrainConfig",
]

PhaseName = Literal["largest", "kernel", "depth", "width"]
PHASES: tuple[PhaseName, ...] = ("largest", "kernel", "depth", "width")
OptimizerName = Literal["adamw", "sgd"]
USUAL: dict[OptimizerName, tuple[float, float]] = {"adamw": (0.004, 0.05), "sgd": (0.1, 0.0005)}
"""Peak learning rate and weight decay."""


@dataclass(frozen=True)
class DataConfig:
    """Where images come from, how they are divided, and what is done to them."""

    path: str = option(
        help="A folder of class folders (perhaps below train/ and test/), a .parquet or a folder "
        "of them, an .npz, or the name digits. ~ and $VARIABLES are replaced; a relative path is "
        "relative to where the command runs.",
        rule=not_empty(),
    )
    size: int = option(
        32, help="Height and width in pixels that all images are converted to.", rule=at_least(8)
    )
    fit: Literal["crop", "pad", "stretch"] = option(
        "crop",
        help="How an image becomes square: crop the middle, pad with the background, or stretch.",
    )
    background: tuple[int, int, int] = option(
        (255, 255, 255), help="Colour (RGB, 0-255) under transparent pixels and around padding."
    )
    val_fraction: float = option(
        0.1,
        help="Part of the training images held out for the search, unless the data has train, "
        "val and test.",
        rule=fraction(),
    )
    test_fraction: float = option(
        0.2, help="Part kept for the final report, if the data has no test part.", rule=fraction()
    )
    split_seed: int = option(
        0,
        help="Decides which images are held out; changing it makes runs incomparable.",
        rule=at_least(0),
    )
    shift: int = option(
        4, help="Training images are moved by up to so many pixels.", rule=at_least(0)
    )
    horizontal_flip: bool = option(
        True, help="Mirror half of the training images; wrong for digits, letters and signs."
    )
    cutout: int = option(
        0,
        help="Side in pixels of a square that is blanked in training; 0 for none.",
        rule=at_least(0),
    )

    def __post_init__(self) -> None:
        check(self, "data")
        if not all(0 <= value <= 255 for value in self.background):
            raise ConfigError(
                f"data.background must hold values in 0..255, got {list(self.background)}"
            )
        for name in ("shift", "cutout"):
            if getattr(self, name) >= self.size:
                raise ConfigError(
                    f"data.{name} must be below data.size ({self.size}), got {getattr(self, name)}"
                )

    @property
    def location(self) -> str:
        """`path` with ~ and $VARIABLES replaced.

        Raises:
            ConfigError: a variable that is not set.
        """
        place = os.path.expandvars(str(Path(self.path).expanduser()))
        if "$" in place:
            raise ConfigError(f"data.path names a variable that is not set, got {self.path!r}")
        return place


@dataclass(frozen=True)
class SpaceConfig:
    """Which networks there are to choose from."""

    name: str = option("small-images", help="`nas spaces` lists them.", rule=not_empty())
    resolutions: tuple[int, ...] = option(
        (24, 28, 32),
        help="Heights and widths in pixels that networks may take, ascending, none above "
        "data.size.",
        rule=not_empty(),
    )
    options: Mapping[str, Any] = option(
        {}, help="Further options of the space, such as {width: 0.5}."
    )

    def __post_init__(self) -> None:
        check(self, "space")
        if list(self.resolutions) != sorted(set(self.resolutions)) or self.resolutions[0] < 8:
            raise ConfigError(
                "space.resolutions must ascend from 8 or more, each once, "
                f"got {list(self.resolutions)}"
            )
        for name in ("resolutions", "num_classes"):
            if name in self.options:
                raise ConfigError(
                    f"space.options.{name} contradicts what the configuration says elsewhere "
                    "(space.resolutions) or the data says (its classes); remove it"
                )


@dataclass(frozen=True)
class Phase:
    """One phase of progressive shrinking; each opens one more kind of choice."""

    name: PhaseName = option(help="largest, kernel, depth (with expansion) or width")
    epochs: int = option(help="passes over the training images", rule=at_least(0))
    learning_rate: float | None = option(
        None,
        help="its peak; by default train.learning_rate for largest and 0.3 of it for the others",
        rule=above(0),
    )

    def __post_init__(self) -> None:
        check(self, "train.phases")


@dataclass(frozen=True)
class TrainConfig:
    """How the supernet is trained."""

    batch_size: int = option(128, help="Images a step.", rule=at_least(1))
    optimizer: OptimizerName = option(
        "adamw", help="adamw, or sgd with Nesterov's momentum of 0.9, for long schedules."
    )
    learning_rate: float | None = option(
        None, help="The peak; null for the optimizer's usual, 0.004 or 0.1.", rule=above(0)
    )
    weight_decay: float | None = option(
        None,
        help="Not applied to norms and biases; null for the optimizer's usual, 0.05 or 0.0005.",
        rule=at_least(0),
    )
    label_smoothing: float = option(0.1, help="0 for none.", rule=fraction(zero=True))
    subnets: int = option(
        1, help="Subnets that a step trains once choices have opened.", rule=at_least(1)
    )
    extremes: float = option(
        0.25,
        help="Chance that a trained subnet is the smallest or the largest, not a random one.",
        rule=fraction(zero=True),
    )
    distillation: float = option(
        1.0,
        help="Weight of what the largest network teaches, beside the labels' 1.",
        rule=at_least(0),
    )
    seed: int = option(0, help="Same seed, same machine: same weights.", rule=at_least(0))
    threads: int = option(0, help="CPU threads; 0 for one a core.", rule=at_least(0))
    phases: tuple[Phase, ...] = option(
        (Phase("largest", 40), Phase("kernel", 5), Phase("depth", 15), Phase("width", 15)),
        help="Progressive shrinking: the largest network alone, then kernel sizes, depth with "
        "expansion, and width are opened in turn. In this order; a phase may have its own "
        "learning_rate, and be left out if a later one opens its choices as well. What no phase "
        "opens is refused, unless that phase has 0 epochs: then a search meets untrained choices.",
    )

    def __post_init__(self) -> None:
        check(self, "train")
        names = [phase.name for phase in self.phases]
        if names != [name for name in PHASES if name in names] or names[:1] != ["largest"]:
            raise ConfigError(
                "train.phases must begin with largest and go on, each at most once, in the order "
                f"{', '.join(PHASES)}, got {', '.join(names) or 'none'}"
            )

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


@dataclass(frozen=True)
class SearchConfig:
    """How a network is chosen from the trained supernet."""

    latency_ms: float | None = option(
        None, help="The budget in milliseconds; null asks for --latency-ms.", rule=above(0)
    )
    samples: int = option(
        200,
        help="Networks measured on the held-out images to fit the accuracy predictor.",
        rule=at_least(10),
    )
    population: int = option(100, help="Architectures a generation.", rule=at_least(4))
    generations: int = option(50, help="Generations of the search.", rule=at_least(1))
    candidates: int = option(
        20,
        help="Networks of the front that are measured before the best is named.",
        rule=at_least(1),
    )
    seed: int = option(0, help="Same seed: same search.", rule=at_least(0))

    def __post_init__(self) -> None:
        check(self, "search")


@dataclass(frozen=True)
class LatencyConfig:
    """How latency is measured on the device."""

    threads: int = option(
        1, help="Threads of a session; another number is another table.", rule=at_least(1)
    )
    rounds: int = option(Effort.rounds, help="Shuffled rounds over all sessions.", rule=at_least(3))
    runs: int = option(
        Effort.runs, help="Runs of a session in a round; its minimum counts.", rule=at_least(1)
    )
    references: int = option(
        WHOLE_NETWORKS,
        help="Whole networks that correct the sum of the blocks, for each resolution.",
        rule=at_least(3),
    )

    def __post_init__(self) -> None:
        check(self, "latency")
