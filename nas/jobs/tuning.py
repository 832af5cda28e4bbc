"""One subnet trained on by itself, as far as is asked, and what is left of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from nas.config import Phase, TrainConfig
from nas.jobs.train import said
from nas.jobs.trained import TrainedRun
from nas.run import write_csv
from nas.training.checkpoint import copies, load_checkpoint
from nas.training.evaluate import Evaluator
from nas.training.images import Images
from nas.training.loop import train
from nas.training.ranks import by_itself, together
from nas.training.start import Start
from nas.training.trainer import Progress
from nas.weights import save_subnet
from search_spaces import Architecture
from search_spaces.errors import ConfigError
from search_spaces.files import write_atomic

__all__ = [
    "ARCHITECTURE",
    "CHECKPOINT",
    "DOCUMENT",
    "FINETUNED",
    "checkpoint_bytes",
    "epochs_done",
    "leave",
    "leave_document",
    "require_folder",
    "require_tunable",
    "told",
    "tune",
    "tuning_config",
    "tuning_images",
]

ARCHITECTURE, FINETUNED, CHECKPOINT = "architecture.json", "subnet.safetensors", "checkpoint.pt"
DOCUMENT = "finetune.json"
SLOWER = 0.1
"""The peak of the learning rate, relative to that of the training of the supernet."""


def tuning_config(train: TrainConfig, epochs: int, learning_rate: float | None) -> TrainConfig:
    """The recipe of the supernet, gentler, with all choices open to the one network."""
    peak = SLOWER * train.highest_rate if learning_rate is None else learning_rate
    return replace(
        train,
        strategy="single-path",
        learning_rate=peak,
        phases=(Phase("all", epochs),),
        stages=1,
        subnets=None,
        weights=None,
    )


def require_tunable(run: TrainedRun) -> None:
    """Raises ``ConfigError`` for a run without images, and under ``torchrun``."""
    if together():
        raise ConfigError("a subnet is fine-tuned by one process; start it without torchrun")
    if not run.has_images:
        raise ConfigError(
            f"{run.run.folder}: fine-tuning needs images, and this run has none; import or "
            "convert its weights again with --data"
        )


def require_folder(folder: Path, mark: str, what: str, resume: bool) -> bool:
    """Whether ``folder`` holds such a thing already, to be gone on with: a file called ``mark``.

    Raises ``ConfigError`` where it does and is not to be, and where it holds something else.
    """
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"{folder} is a file; choose another --out")
    there = (folder / mark).is_file()
    if there and not resume:
        raise ConfigError(
            f"{folder} holds a {what} already; add --resume to go on with it, or choose another "
            "--out"
        )
    if folder.is_dir() and not there and any(folder.iterdir()):
        raise ConfigError(f"{folder} is not empty and no {what}; choose another --out")
    return there


def tuning_images(trained: TrainedRun) -> Images:
    """The run's images, normalised as its weights know them: imported ones have a way of theirs."""
    return replace(trained.dataset.images, normalisation=trained.trained.normalisation)


def checkpoint_bytes(trained: TrainedRun, config: TrainConfig) -> int:
    """Bytes of a checkpoint."""
    return copies(config) * trained.run.supernet.stat().st_size


def tune(
    trained: TrainedRun,
    architecture: Architecture,
    config: TrainConfig,
    folder: Path,
    tell: Callable[[Progress], None],
    until: int | None = None,
) -> Evaluator:
    """Train one subnet on, from what it inherits or from the folder's checkpoint.

    ``until`` so many epochs of its schedule are over; without it, to the end. Returns what
    evaluates the subnet as it is then.

    Raises:
        ArtefactError: a checkpoint that is damaged, or of another run, subnet or schedule.
        DivergedError: a loss or weights are not finite.
        NasLoopError: the disk is full.
    """
    images = tuning_images(trained)

    def record(rows: Sequence[Mapping[str, object]]) -> None:
        write_csv(folder / "log.csv", rows)

    learned = train(
        trained.space,
        images,
        config,
        folder / CHECKPOINT,
        _belongs(trained, architecture, config),
        tell=tell,
        record=record,
        ranks=by_itself(),
        start=Start(trained.trained.supernet.state_dict(), architecture),
        until=until,
    )
    return Evaluator(learned.supernet, images.normalisation, images.calibration)


def epochs_done(
    trained: TrainedRun, architecture: Architecture, config: TrainConfig, folder: Path
) -> int:
    """How many epochs of its schedule a subnet has behind it, by the folder's checkpoint.

    Raises ``ArtefactError`` where that is damaged, or of another run, subnet or schedule.
    """
    file = folder / CHECKPOINT
    if not file.exists():
        return 0
    done: int = load_checkpoint(file, _belongs(trained, architecture, config))["epoch"]
    return done


def _belongs(
    trained: TrainedRun, architecture: Architecture, config: TrainConfig
) -> dict[str, str]:
    """What a checkpoint belongs to."""
    return {
        **trained.belongs(),
        "space": trained.space.identity,
        "subnet": trained.space.digest(architecture),
        **said(config),
    }


def told(progress: Progress) -> tuple[float, str]:
    """How many epochs of its schedule a subnet has behind it, and a remark."""
    return progress.done, f"loss {progress.loss:.3f}, {progress.images_per_second:.0f} images/s"


def leave(
    trained: TrainedRun, evaluator: Evaluator, architecture: Architecture, folder: Path
) -> dict[str, Any]:
    """Write the weights that a subnet learned.

    Returns its held-out accuracies [%], before and after, and the digest of the supernet's weights.
    """
    images = tuning_images(trained)
    inherited = trained.evaluator.accuracy(architecture, images.val, images.val_labels)
    tuned = evaluator.accuracy(architecture, images.val, images.val_labels)
    save_subnet(folder / FINETUNED, evaluator.network(architecture), architecture, trained.header)
    return {
        "supernet": trained.belongs()["weights"],
        "val_inherited": round(inherited, 3),
        "val_finetuned": round(tuned, 3),
    }


def leave_document(folder: Path, document: Mapping[str, Any]) -> None:
    """Write what came of it."""
    write_atomic(folder / DOCUMENT, json.dumps(document, indent=1) + "\n")
