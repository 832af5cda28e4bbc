"""Which subnets a search over fine-tunings begins with: those of the run's last search."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from nas.jobs.trained import TrainedRun
from nas.terminal import Screen
from search_spaces import Architecture
from search_spaces.errors import ArtefactError, SpaceError
from search_spaces.files import write_atomic
from search_spaces.space import Population, Space

__all__ = ["CANDIDATES", "keep", "kept", "searched_before"]

CANDIDATES = "candidates.json"
"""Kept beside the study, because the next search of the run replaces what it found before."""

DAMAGED = (OSError, ValueError, LookupError, TypeError, AttributeError, SpaceError)


def searched_before(trained: TrainedRun, screen: Screen) -> Population:
    """The networks that the run's search measured, the best first: canonical rows [n, choices].

    None of them, n = 0, where there was no search; that, and a search with other weights, is said.
    Raises ``ArtefactError`` where its document is damaged.
    """
    path, space = trained.run.front, trained.space
    if not path.is_file():
        screen.say(
            f"there is no {path}, so that the first candidates are drawn by chance; `nas search` "
            "finds better ones"
        )
        return _rows(space, [])
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        points = [*document["points"], *document["dominated"]]
        points.sort(key=lambda point: -float(point["score"]))
        rows = _rows(space, [point["architecture"] for point in points])
        weights = document.get("weights")
    except DAMAGED as error:
        raise ArtefactError(
            f"{path}: damaged, or not of this run ({type(error).__name__}: {error}); search again"
        ) from error
    if weights != trained.belongs()["weights"]:
        screen.say(
            f"{path} was found with other weights; its networks are tried first all the same, "
            "`nas search` finds better ones"
        )
    return rows


def keep(folder: Path, space: Space, rows: Population) -> None:
    """Write them down, so that a search that is taken up again begins with the same."""
    listed = [json.loads(space.decode(row).to_json()) for row in rows]
    write_atomic(folder / CANDIDATES, json.dumps(listed, indent=1) + "\n")


def kept(folder: Path, space: Space) -> Population:
    """What ``keep`` wrote; raises ``ArtefactError`` where it is damaged."""
    path = folder / CANDIDATES
    try:
        return _rows(space, json.loads(path.read_text(encoding="utf-8")))
    except DAMAGED as error:
        raise ArtefactError(
            f"{path}: damaged ({type(error).__name__}: {error}); restore it, or choose another "
            "--out"
        ) from error


def _rows(space: Space, documents: Iterable[Any]) -> Population:
    rows = [space.encode(Architecture.from_json(json.dumps(one))) for one in documents]
    return space.canonical(np.array(rows, dtype=np.int64).reshape(-1, len(space.choices)))
