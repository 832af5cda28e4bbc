"""Subnets on their way through one schedule of fine-tuning, each as far as it was found worth."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nas.architectures import read_architecture
from nas.config import TrainConfig
from nas.jobs.trained import TrainedRun
from nas.jobs.tuning import ARCHITECTURE, CHECKPOINT, leave, told, tune, tuning_images
from nas.search import MachineError
from nas.training.evaluate import Evaluator
from nas.training.trainer import DivergedError, Progress
from search_spaces import Architecture
from search_spaces.errors import ArtefactError, NasLoopError
from search_spaces.files import write_atomic
from search_spaces.space import Floats, Population

__all__ = ["Further", "Tunings", "epochs_of"]

ACCURACIES = "accuracies.json"

Further = Callable[[float, str], None]
"""Called with how many epochs more were trained, and a remark."""


def epochs_of(share: float, epochs: int) -> int:
    """A share of so many epochs, rounded up; 1 at least."""
    # A ninth of nine is one, whatever the last digit says.
    return max(1, math.ceil(round(share * epochs, 6)))


class Tunings:
    """A folder for each subnet: its checkpoint, its log, and how accurate it was when it stopped.

    A subnet that is taken up again goes on from its checkpoint, so that three epochs after one cost
    two. Networks with equal digests are one, and the first of them is trained.
    """

    def __init__(
        self,
        trained: TrainedRun,
        config: TrainConfig,
        shares: Sequence[float],
        folder: Path,
    ) -> None:
        """``shares`` of the epochs of ``config`` are where subnets stop to be judged."""
        self._trained = trained
        self._config = config
        (phase,) = config.schedule
        self._epochs = phase.epochs
        self._stops = sorted({epochs_of(share, phase.epochs) for share in (*shares, 1.0)})
        self._folder = folder

    def missing(self, rows: Population, epochs: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """How many epochs it takes now to train rows [n, choices] for ``epochs`` [n] in all: [n].

        Raises ``ArtefactError`` where a file of accuracies is damaged.
        """
        found = []
        for row, wanted in zip(rows, epochs.tolist(), strict=True):
            known = _read(self._of(row) / ACCURACIES)
            there = max(map(int, known), default=0)
            # One that lost has no checkpoint any more.
            begun = there if self.kept(row) else 0
            found.append(0 if wanted <= there else wanted - begun)
        return np.array(found, dtype=np.int64)

    def kept(self, row: Population) -> bool:
        """Whether there is a checkpoint of the subnet of a row [choices]."""
        return (self._of(row) / CHECKPOINT).is_file()

    def errors(self, further: Further, rows: Population, shares: Floats) -> Floats:
        """Held-out errors [n] in percent of rows [n, choices] after shares [n] of the epochs.

        Raises:
            DivergedError: a loss or weights are not finite, for which the subnet is to blame.
            MachineError: anything else: the disk is full, a file is damaged, memory ran out.
        """
        try:
            return np.array(
                [
                    100.0 - self._accuracy(further, self._trained.space.decode(row), float(share))
                    for row, share in zip(rows, shares, strict=True)
                ]
            )
        except DivergedError:
            raise
        except Exception as error:
            said = str(error)
            if not isinstance(error, NasLoopError):
                said = f"{type(error).__name__}: {said}" if said else type(error).__name__
            raise MachineError(
                f"{said}; once that is mended, --resume goes on with all that there is"
            ) from error

    def finish(self, further: Further, row: Population, out: Path) -> dict[str, Any]:
        """Leave the subnet of a row [choices] in ``out``, trained to the end: the network, weights.

        Returns its held-out accuracies [%].
        """
        folder, architecture = self._known(self._trained.space.decode(row))
        evaluator = self._tune(further, folder, architecture)
        write_atomic(out / ARCHITECTURE, architecture.to_json() + "\n")
        return leave(self._trained, evaluator, architecture, out)

    def drop(self, over: Population, needed: Population) -> None:
        """Remove the checkpoints of rows [n, choices], not of those that are needed [m, choices].

        Another process may be doing the same.
        """
        kept = {self._of(row) for row in needed}
        for folder in {self._of(row) for row in over} - kept:
            (folder / CHECKPOINT).unlink(missing_ok=True)

    def _accuracy(self, further: Further, architecture: Architecture, share: float) -> float:
        folder, architecture = self._known(architecture)
        images = tuning_images(self._trained)
        wanted = epochs_of(share, self._epochs)
        known = _read(folder / ACCURACIES)
        # Every stop on the way is judged in passing: a checkpoint cannot go back to it.
        for stop in self._stops:
            if stop > wanted or str(stop) in known:
                continue
            evaluator = self._tune(further, folder, architecture, stop)
            known[str(stop)] = evaluator.accuracy(architecture, images.val, images.val_labels)
            write_atomic(folder / ACCURACIES, json.dumps(known) + "\n")
        return known[str(wanted)]

    def _of(self, row: Population) -> Path:
        return self._folder_of(self._trained.space.decode(row))

    def _folder_of(self, architecture: Architecture) -> Path:
        return self._folder / self._trained.space.digest(architecture)[:12]

    def _known(self, architecture: Architecture) -> tuple[Path, Architecture]:
        """A network's folder, and the subnet in it: the first that came."""
        folder = self._folder_of(architecture)
        file = folder / ARCHITECTURE
        if file.is_file():
            return folder, read_architecture(file, self._trained.space)
        folder.mkdir(parents=True, exist_ok=True)
        write_atomic(file, architecture.to_json() + "\n")
        return folder, architecture

    def _tune(
        self,
        further: Further,
        folder: Path,
        architecture: Architecture,
        until: int | None = None,
    ) -> Evaluator:
        before: float | None = None

        def tell(progress: Progress) -> None:
            nonlocal before
            done, remark = told(progress)
            before = progress.epoch if before is None else before
            further(done - before, f"{folder.name}, {remark}")
            before = done

        return tune(self._trained, architecture, self._config, folder, tell, until)


def _read(file: Path) -> dict[str, float]:
    """Held-out accuracies [%] by epochs; none where there is no file.

    Raises ``ArtefactError`` where it is damaged.
    """
    try:
        return {str(int(k)): float(v) for k, v in json.loads(file.read_text("utf-8")).items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise ArtefactError(
            f"{file}: damaged ({type(error).__name__}: {error}); remove its folder, and the subnet "
            "is fine-tuned again"
        ) from error
