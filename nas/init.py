"""A configuration with sensible values for a data set, and the reason for each as a comment."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from nas.config import Config, DataConfig, SpaceConfig, TrainConfig
from nas.data.decode import Fit
from nas.data.digits import DIGITS
from nas.data.summary import DatasetSummary, inspect
from nas.disk import megabytes
from nas.memory import machine_memory
from nas.processor import multiplies_bfloat16
from search_spaces.errors import ConfigError
from search_spaces.files import write_atomic

__all__ = ["DatasetSummary", "inspect", "lasting_path", "proposed_cache", "suggest", "write_config"]

# Networks of `small-images` halve their maps three times; two cores train no larger images.
_SIZES = (16, 24, 32)
# As many images as the default numbers of epochs were chosen with (CIFAR-10).
_REFERENCE_IMAGES = 45_000
_CACHE = "~/.cache/nas-loop/images"


def write_config(summary: DatasetSummary, out: str | Path, overwrite: bool = False) -> Config:
    """Write the configuration that `suggest` chooses to `out`, and return it.

    Raises:
        ConfigError: `out` exists, and `overwrite` is false.
        NasLoopError: the file cannot be written.
    """
    if Path(out).exists() and not overwrite:
        raise ConfigError(f"{out}: exists and is not overwritten; choose another file with -o")
    config, notes = suggest(summary)
    write_atomic(out, config.to_yaml(notes))
    return config


def suggest(summary: DatasetSummary) -> tuple[Config, dict[str, str]]:
    """A configuration for a data set, and remarks by key (`data.size`) that give the reasons."""
    notes: dict[str, str] = {}
    data = _data(summary, notes)
    space = SpaceConfig(resolutions=_resolutions(data.size))
    return Config(data=data, space=space, train=_train(summary, notes)), notes


def _data(summary: DatasetSummary, notes: dict[str, str]) -> DataConfig:
    size = _size(summary, notes)
    fit: Fit = "pad" if summary.elongation > 1.5 else "crop"
    if fit == "pad":
        notes["data.fit"] = (
            "Some images are more than 1.5 times as long as wide; cropping would lose much."
        )
    if summary.transparent:
        notes["data.background"] = (
            f"{summary.transparent} of {summary.looked_at} images have transparency."
        )
    notes["data.horizontal_flip"] = _flip_note(summary)
    if summary.has_test:
        notes["data.test_fraction"] = "Not read: the data has a test part."
    if summary.imbalance > 1.5:
        counts = summary.counts["train"]
        notes["data.val_fraction"] = (
            f"Classes have {min(counts):,} to {max(counts):,} training images; every class is "
            "divided by itself."
        )
    images = sum(map(sum, summary.counts.values()))
    cache = proposed_cache(images, size)
    if cache is not None:
        notes["data.cache"] = (
            f"Decoded, {images:,} images take {megabytes(_bytes(images, size))}, more than half of "
            "this machine's memory. They are kept there, which takes as much room on disk; choose "
            "a fast disk."
        )
    return DataConfig(
        path=lasting_path(summary.path),
        size=size,
        fit=fit,
        cache=cache,
        # Predictors are fitted on it: a few hundred images at least, where there are so few.
        val_fraction=0.1 if summary.training_images >= 5_000 else 0.2,
        shift=size // 8,
        horizontal_flip=not summary.grey,
    )


def _size(summary: DatasetSummary, notes: dict[str, str]) -> int:
    side = summary.short_side
    size = next((size for size in _SIZES if size >= side), _SIZES[-1])
    if side != size:
        verb = "shrunk" if side > size else "enlarged"
        notes["data.size"] = f"The images' shorter side is {side} (median); they are {verb}." + (
            " Larger values keep more detail and train slower, by the square."
            if side > size
            else ""
        )
    return size


def proposed_cache(images: int, size: int) -> str | None:
    """Where to keep so many images, decoded, that take more than half of this machine's memory."""
    return _CACHE if 2 * _bytes(images, size) > machine_memory() else None


def _bytes(images: int, size: int) -> int:
    return images * 3 * size * size


def _resolutions(size: int) -> tuple[int, ...]:
    return tuple(value for value in (size - 8, size - 4, size) if value >= 12)


def _flip_note(summary: DatasetSummary) -> str:
    if summary.grey:
        return (
            "The images are grey; whether they are digits, letters or signs cannot be seen, so "
            "it is off. Set it to true if a mirrored image keeps its class."
        )
    return "Set it to false if a mirrored image does not keep its class."


def lasting_path(given: str) -> str:
    """Absolute, because a run is resumed from wherever the user happens to be."""
    return given if given == DIGITS else str(Path(given).resolve())


def _train(summary: DatasetSummary, notes: dict[str, str]) -> TrainConfig:
    train = TrainConfig()
    count = summary.training_images
    factor = min(4.0, max(0.5, round(2 * (_REFERENCE_IMAGES / count) ** 0.5) / 2))
    phases = tuple(
        replace(phase, epochs=max(1, round(phase.epochs * factor))) for phase in train.schedule
    )
    if phases != train.schedule:
        notes["train.phases"] = (
            f"Epochs are scaled for {count:,} training images. They belong to {train.strategy}; "
            "null stands for the usual ones of any strategy."
        )
    batch_size = train.batch_size
    while batch_size > 16 and count < 16 * batch_size:
        batch_size //= 2
    scaled = None if phases == train.schedule else phases
    train = replace(train, phases=scaled, batch_size=batch_size)
    if multiplies_bfloat16():
        notes["train.precision"] = (
            "This machine's processor multiplies bfloat16 (AMX). Where training takes another one "
            "that does not, float32 may be faster."
        )
        train = replace(train, precision="bfloat16")
    return train
