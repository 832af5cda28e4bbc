"""The configuration of a run: frozen sections that check themselves, kept as commented YAML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from nas.config_fields import check, option, section_from
from nas.config_sections import (
    DataConfig,
    LatencyConfig,
    SamplingName,
    SearchConfig,
    SpaceConfig,
)
from nas.config_training import PHASES, Phase, PhaseName, StrategyName, TrainConfig
from nas.config_yaml import dump, parse
from search_spaces.errors import ConfigError
from search_spaces.files import write_atomic

__all__ = [
    "PHASES",
    "Config",
    "DataConfig",
    "LatencyConfig",
    "Phase",
    "PhaseName",
    "SamplingName",
    "SearchConfig",
    "SpaceConfig",
    "StrategyName",
    "TrainConfig",
]

VERSION = 1


@dataclass(frozen=True, kw_only=True)
class Config:
    """Everything a run is told. Equal configurations are equal objects."""

    version: int = option(VERSION, help="The version of this file format.")
    data: DataConfig | None = option(
        help="The images, and what is done to them; null for a run of imported weights without "
        "images."
    )
    space: SpaceConfig = option(SpaceConfig(), help="Which networks there are to choose from.")
    train: TrainConfig = option(TrainConfig(), help="How the supernet is trained.")
    search: SearchConfig = option(SearchConfig(), help="How a network is chosen from it.")
    latency: LatencyConfig = option(LatencyConfig(), help="How latency is measured.")

    def __post_init__(self) -> None:
        check(self)
        if self.version != VERSION:
            raise ConfigError(
                f"version must be {VERSION}, the format this program knows, got {self.version}; "
                "use the release that wrote the configuration"
            )
        if self.data is not None and self.space.resolutions[-1] > self.data.size:
            raise ConfigError(
                f"space.resolutions may not exceed data.size ({self.data.size}), got "
                f"{self.space.resolutions[-1]}; raise data.size or remove the resolution"
            )

    @property
    def images(self) -> DataConfig:
        """The section ``data``.

        Raises:
            ConfigError: it is null.
        """
        if self.data is None:
            raise ConfigError(
                "data is null, and this needs images; `nas init IMAGES` writes a configuration to "
                "train with, `nas import-ofa` takes images with --data IMAGES"
            )
        return self.data

    @staticmethod
    def load(path: str | Path) -> Config:
        """Read a YAML file.

        Raises:
            ConfigError: missing or unreadable, not YAML, or a key or a value that is refused;
                the text begins with the path.
        """
        try:
            return Config.from_yaml(Path(path).read_text(encoding="utf-8"))
        except OSError as error:
            raise ConfigError(f"{path}: cannot be read ({error.strerror})") from error
        except UnicodeDecodeError as error:
            raise ConfigError(f"{path}: is not UTF-8 text ({error.reason})") from error
        except ConfigError as error:
            raise ConfigError(f"{path}: {error}") from error

    @staticmethod
    def from_yaml(text: str) -> Config:
        """As `load`, from the text of a file."""
        return section_from(Config, parse(text) or {})

    def to_yaml(self, notes: Mapping[str, str] | None = None) -> str:
        """YAML with a comment above every key; `notes` adds remarks by key (`data.size`)."""
        return dump(
            self, notes or {}, "Configuration of nas-loop. A key that is left out has its default."
        )

    def save(self, path: str | Path) -> None:
        """Write `to_yaml` atomically.

        Raises:
            NasLoopError: the file cannot be written.
        """
        write_atomic(path, self.to_yaml())
