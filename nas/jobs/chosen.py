"""The subnet that a command is about: the one that is named, or the best of the last search."""

from __future__ import annotations

from pathlib import Path

from nas.architectures import read_architecture
from nas.best import require_best
from nas.jobs.trained import TrainedRun
from search_spaces import Architecture
from search_spaces.errors import ArtefactError

__all__ = ["chosen_architecture"]


def chosen_architecture(trained: TrainedRun, file: Path | None) -> Architecture:
    """The architecture in ``file``, or the run's best.

    Raises:
        ArtefactError: there is no best yet, or what is read is no architecture of the run's space.
    """
    run = trained.run
    if file is None and not run.best.is_file():
        raise ArtefactError(
            f"{run.best}: there is no best network yet; run `nas search {run.folder}` or name one "
            f"with --architecture FILE{run.and_earlier(run.best)}"
        )
    if file is None:
        require_best(run)
    return read_architecture(file or run.best, trained.space)
