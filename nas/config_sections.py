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
from nas.config_fields import above, at_least, check, fraction, not_empty, option, share
from search_spaces.errors import ConfigError

__all__ = ["DataConfig", "LatencyConfig", "SamplingName", "SearchConfig", "SpaceConfig"]

SamplingName = Literal["stratified", "random", "active"]


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
    cache: str | None = option(
        None,
        help="A folder that keeps decoded images (size x size x 3 bytes each), read from there by "
        "all commands and processes instead of decoded again into memory; null for memory.",
        rule=not_empty(),
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
    randaugment: int = option(
        0,
        help="Random operations (RandAugment) on every training image; 0 for none.",
        rule=at_least(0),
    )
    magnitude: float = option(
        0.5, help="How strong those operations are, up to 1 for the strongest.", rule=share()
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
        return _expanded("data.path", self.path)

    @property
    def cache_folder(self) -> Path | None:
        """`cache` with ~ and $VARIABLES replaced.

        Raises:
            ConfigError: a variable that is not set.
        """
        return None if self.cache is None else Path(_expanded("data.cache", self.cache))


def _expanded(key: str, place: str) -> str:
    expanded = os.path.expandvars(str(Path(place).expanduser()))
    if "$" in expanded:
        raise ConfigError(f"{key} names a variable that is not set, got {place!r}")
    return expanded


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
    sampling: SamplingName = option(
        "stratified",
        help="Which networks those are: spread over cost, random, or half of them those with the "
        "largest expected gain by what was measured so far (active).",
    )
    population: int = option(200, help="Architectures a generation.", rule=at_least(4))
    generations: int = option(250, help="Generations of the search.", rule=at_least(1))
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
