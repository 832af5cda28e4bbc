"""What every search of a run does first: refuse what can be refused, and say what it will take."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from latency_lut import networks_seconds
from nas.data import open_source
from nas.disk import megabytes, require_room
from nas.jobs.budget import SearchOptions
from nas.jobs.curves import compare_seconds
from nas.jobs.predictor import sampled
from nas.jobs.samples import Samples
from nas.jobs.search_cost import (
    most_evaluations,
    round_seconds,
    search_bytes,
    search_seconds,
)
from nas.jobs.trained import TrainedRun
from nas.run import Run
from nas.terminal import duration
from search_spaces.errors import ConfigError

__all__ = ["announced", "require_folder", "require_images"]


def require_folder(out: Path, fleet: bool) -> None:
    """Raises ``ConfigError`` where ``out`` is a file, or has the ``best.json`` of another kind of
    search: for a ``fleet``, or for one device."""
    if out.exists() and not out.is_dir():
        raise ConfigError(f"{out}: a search writes several files; -o is a folder")
    files = Run(out)
    found = files.front if fleet else files.fleet_document
    held = [found, files.earlier(found), *([files.config_file] if fleet else [])]
    if any(file.exists() for file in held):
        what = "a run, or the search for one device" if fleet else "the search for a fleet"
        raise ConfigError(
            f"{out}: holds {what}, and its best.json stays that one's; -o is another folder"
        )


def require_images(trained: TrainedRun) -> None:
    """Look for the run's images, and for what was measured on them, before hours are spent.

    Raises:
        DataError: the images are gone.
        ArtefactError: the accuracies are damaged, or of other weights or images.
    """
    if trained.has_images:
        open_source(trained.config.images.location)
        Samples(trained.run.samples, trained.space, trained.belongs()).known()


def announced(
    trained: TrainedRun,
    out: Path,
    what: str,
    *,
    to_fit: bool,
    options: SearchOptions,
    rounds: int,
    most: int,
    limit_ms: float,
    devices: int = 1,
    compared: bool = False,
) -> str:
    """How long a search will take and how much disk, in words.

    Args:
        what: the candidates, in words.
        to_fit: a predictor is fitted first, on subnets that are measured.
        options: what ends each of so many ``rounds``.
        most: candidates that are measured, ``limit_ms`` each, on so many ``devices`` in turn.
        compared: other searches are run afterwards.

    Raises ``NasLoopError`` where there is no room in ``out``.
    """
    choices = len(trained.space.choices)
    rows = sampled(trained) if to_fit else np.empty((0, choices), np.int64)
    evaluations = rounds * most_evaluations(options, trained.space.size)
    needed = search_bytes(choices, len(rows), evaluations, most)
    require_room(out, needed, "-o")
    measuring = search_seconds(trained, rows, most, limit_ms)
    known = rounds * round_seconds(options, trained.space.size)
    known += (devices - 1) * networks_seconds([limit_ms] * most)
    known += measuring or 0.0
    known += compare_seconds(known) if compared else 0.0
    left = f"up to {duration(known)} to go"
    if measuring is None:
        left += " beside the measuring (no accuracy was timed yet)"
    subnets = f"up to {len(rows)} subnets and " if to_fit else ""
    return f"{subnets}{what}: {left} and up to {megabytes(needed)} in {out}"
