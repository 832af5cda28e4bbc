"""The best network of a search: ``front.json`` names it, ``best.json`` is its copy to hand on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nas.run import Run
from search_spaces.errors import ArtefactError, NasLoopError
from search_spaces.files import write_atomic

__all__ = ["put_back", "require_best", "set_aside", "write_fleet", "write_front"]


def write_front(run: Run, front: Mapping[str, Any]) -> None:
    """``front.json``, and its best network as ``best.json``, an architecture with its figures.

    Two files cannot be replaced at once; ``require_best`` notices if only the first was.

    Raises:
        NasLoopError: a file cannot be written; the old one is kept.
    """
    _write(run, run.front, front, _best(front))


def set_aside(run: Run) -> None:
    """Move what an earlier search, of whatever kind, found out of the way of one that begins anew.

    Killed between two files, it is gone on with by the next call: the best network goes first,
    since it is what other commands take.

    Raises:
        NasLoopError: a file cannot be moved.
    """
    for file in (run.best, run.front, run.fleet_document):
        try:
            file.replace(run.earlier(file))
        except FileNotFoundError:
            continue
        except OSError as error:
            raise NasLoopError(
                f"{file}: cannot be set aside as {run.earlier(file)} ({error.strerror}); search "
                "into another -o"
            ) from error


def put_back(run: Run) -> bool:
    """Undo ``set_aside`` where a search is refused: whether there was something to put back.

    The best network goes last: until then other commands have none.
    """
    moved = False
    for file in (run.fleet_document, run.front, run.best):
        if run.earlier(file).is_file() and not file.exists():
            run.earlier(file).replace(file)
            moved = True
    return moved


def write_fleet(run: Run, fleet: Mapping[str, Any]) -> None:
    """``fleet.json``, and its compromise as ``best.json``, an architecture with its figures.

    Raises:
        NasLoopError: a file cannot be written; the old one is kept.
    """
    _write(run, run.fleet_document, fleet, _with_figures(fleet["points"][fleet["compromise"]]))


def require_best(run: Run) -> None:
    """Raise ``ArtefactError`` if ``best.json`` is not the best network of ``front.json``.

    Where one of them is missing or damaged there is nothing to compare; who reads it says so.
    """
    try:
        front = json.loads(run.front.read_text(encoding="utf-8"))
        best = json.loads(run.best.read_text(encoding="utf-8"))
        named = _best(front)
    except (OSError, ValueError, LookupError, TypeError):
        return
    if best != named:
        raise ArtefactError(
            f"{run.best} is the best network of {run.front} and a copy of what stands there; these "
            "two differ, as when a search is killed between them: search again, or name a network "
            "with --architecture"
        )


def _best(front: Mapping[str, Any]) -> dict[str, Any]:
    return _with_figures(front["points"][front["best"]])


def _with_figures(point: Mapping[str, Any]) -> dict[str, Any]:
    return {**point["architecture"], "measured": point}


def _write(run: Run, file: Path, document: Mapping[str, Any], best: Mapping[str, Any]) -> None:
    """The document of a search, then its network; what was set aside for them goes."""
    write_atomic(file, json.dumps(document, indent=1) + "\n")
    write_atomic(run.best, json.dumps(best, indent=2) + "\n")
    for written in (file, run.best):
        run.earlier(written).unlink(missing_ok=True)
