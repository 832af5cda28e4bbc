"""What is timed: a space, and how it is trained."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import search_spaces
from nas.config import Config, TrainConfig
from nas.header import space_of
from search_spaces import Space

CLASSES = 10
RATE = 1e-4
"""Low, so that many steps on the same images leave weights as they are."""


def recipe(path: Path | None) -> tuple[Space, TrainConfig]:
    """The space and the training of a configuration; else ``small-images``, AdamW and float32."""
    if path is None:
        return search_spaces.get("small-images"), TrainConfig(learning_rate=RATE)
    config = Config.load(path)
    return space_of(config, CLASSES), dataclasses.replace(config.train, learning_rate=RATE)


def named(space: Space, train: TrainConfig) -> dict[str, object]:
    """What figures belong to."""
    return {
        "space": space.identity,
        "largest_macs": int(space.macs(space.largest[None])[0]),
        "optimizer": train.optimizer,
        "precision": train.precision,
    }
