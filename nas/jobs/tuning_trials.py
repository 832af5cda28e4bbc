"""Subnets on their way through one schedule of fine-tuning, each as far as it was found worth."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nas.config import TrainConfig
from nas.jobs.export import read_architecture
from nas.jobs.trained import TrainedRun
from nas.jobs.tuning import ARCHITECTURE, CHECKPOINT, leave, tune, tuning_images
from nas.terminal import Advance
from nas.training.trainer import Progress
from search_spaces import Architecture
from search_spaces.errors import ArtefactError
from search_spaces.files import write_atomic
from search_spaces.space import Floats, Population

__all__ = ["Trials", "epochs_of"]

ACCURACIES = "accuracies.json"


def epochs_of(share: float, epochs: int) -> int:
    """A share of so many epochs, rounded up; 1 at least."""
    # A ninth of nine is one, whatever the last digit says.
    return max(1, math.ceil(round(share * epochs, 6)))


class Trials:
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
        """``shares`` of the epochs of ``config`` are where subnets stop to be judged.

        Raises ``ArtefactError`` where a file of accuracies is damaged.
        """
        self._trained = trained
        self._config = config
        (phase,) = config.schedule
        self._epochs = phase.epochs
        self._stops = sorted({epochs_of(share, phase.epochs) for share in (*shares, 1.0)})
        self._folder = folder
        self.advance: Advance = _nobody
        self._reached = {
            file.parent.name: float(max(map(int, _read(file)), default=0))
            for file in folder.glob(f"*/{ACCURACIES}")
        }

    @property
    def epochs(self) -> float:
        """How many epochs the subnets have been trained, all together."""
        return sum(self._reached.values())

    @property
    def checkpoints(self) -> int:
        """How many checkpoints there are."""
        return len(list(self._folder.glob(f"*/{CHECKPOINT}")))

    def errors(self, rows: Population, shares: Floats) -> Floats:
        """Held-out errors [n] in percent of rows [n, choices] after shares [n] of the epochs.

        Raises ``NasLoopError`` where a loss is not a number, or a file is damaged.
        """
        return np.array(
            [
                100.0 - self._accuracy(self._trained.space.decode(row), float(share))
                for row, share in zip(rows, shares, strict=True)
            ]
        )

    def finish(self, architecture: Architecture, out: Path) -> dict[str, Any]:
        """Leave a subnet that was trained to the end in ``out``: architecture and weights.

        Returns its held-out accuracies [%]. Of all the other subnets the checkpoints go.
        """
        folder, architecture = self._known(architecture)
        evaluator = tune(self._trained, architecture, self._config, folder, self._teller(folder))
        write_atomic(out / ARCHITECTURE, architecture.to_json() + "\n")
        accuracies = leave(self._trained, evaluator, architecture, out)
        for checkpoint in self._folder.glob(f"*/{CHECKPOINT}"):
            if checkpoint.parent != folder:
                checkpoint.unlink()
        return accuracies

    def _accuracy(self, architecture: Architecture, share: float) -> float:
        folder, architecture = self._known(architecture)
        images = tuning_images(self._trained)
        wanted = epochs_of(share, self._epochs)
        known = _read(folder / ACCURACIES)
        # Every stop on the way is judged in passing: a checkpoint cannot go back to it.
        for stop in self._stops:
            if stop > wanted or str(stop) in known:
                continue
            tell = self._teller(folder)
            evaluator = tune(self._trained, architecture, self._config, folder, tell, stop)
            known[str(stop)] = evaluator.accuracy(architecture, images.val, images.val_labels)
            write_atomic(folder / ACCURACIES, json.dumps(known) + "\n")
        return known[str(wanted)]

    def _known(self, architecture: Architecture) -> tuple[Path, Architecture]:
        """A network's folder, and the subnet in it: the first that came."""
        space = self._trained.space
        folder = self._folder / space.digest(architecture)[:12]
        file = folder / ARCHITECTURE
        if file.is_file():
            return folder, read_architecture(file, space)
        folder.mkdir(parents=True, exist_ok=True)
        write_atomic(file, architecture.to_json() + "\n")
        return folder, architecture

    def _teller(self, folder: Path) -> Callable[[Progress], None]:
        name = folder.name

        def tell(progress: Progress) -> None:
            done = progress.epoch + (progress.step + 1) / progress.steps
            self._reached[name] = max(done, self._reached.get(name, 0.0))
            speed = f"{progress.images_per_second:.0f} images/s"
            self.advance(round(self.epochs, 2), f"{name}, loss {progress.loss:.3f}, {speed}")

        return tell


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


def _nobody(done: float, remark: str) -> None:
    """There is nobody to tell yet."""
