"""``nas finetune``: a chosen subnet trained on by itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nas.architectures import read_architecture
from nas.config import TrainConfig
from nas.disk import megabytes, require_room
from nas.jobs.trained import TrainedRun
from nas.jobs.tuning import (
    ARCHITECTURE,
    FINETUNED,
    checkpoint_bytes,
    epochs_done,
    leave,
    leave_document,
    require_folder,
    require_tunable,
    told,
    tune,
    tuning_config,
)
from nas.jobs.tuning_cost import tuning_seconds
from nas.terminal import Screen, duration
from nas.training.trainer import Progress
from search_spaces import Architecture
from search_spaces.errors import ConfigError
from search_spaces.files import write_atomic

__all__ = ["EPOCHS", "fine_tune", "finetune_command", "finetuned_folder"]

EPOCHS = 10
"""Unless told otherwise."""


def finetuned_folder(trained: TrainedRun, architecture: Architecture) -> Path:
    """Where a subnet's weights go, if no other folder is named."""
    digest = trained.space.digest(architecture)
    return trained.run.tunings / digest[:12]


def fine_tune(
    trained: TrainedRun,
    architecture: Architecture,
    config: TrainConfig,
    folder: Path,
    tell: Callable[[Progress], None],
) -> dict[str, Any]:
    """Train one subnet on, from what it inherits, and leave its weights in ``folder``.

    Goes on from the folder's checkpoint, if there is one. Returns the held-out accuracies [%].

    Raises:
        ArtefactError: a checkpoint that is damaged, or of another run, subnet or schedule.
        DivergedError: a loss or weights are not finite.
    """
    return leave(trained, tune(trained, architecture, config, folder, tell), architecture, folder)


def finetune_command(
    run: TrainedRun,
    architecture: Architecture,
    epochs: int,
    learning_rate: float | None,
    out: Path | None,
    resume: bool,
    screen: Screen,
) -> dict[str, Any]:
    """Check, train, say what it brought.

    Raises:
        ConfigError: a run without images, or a folder that holds something else already.
    """
    require_tunable(run)
    folder = out or finetuned_folder(run, architecture)
    there = require_folder(folder, ARCHITECTURE, "fine-tuning", resume)
    if there and read_architecture(folder / ARCHITECTURE, run.space) != architecture:
        raise ConfigError(
            f"{folder} holds the fine-tuning of another subnet, {folder / ARCHITECTURE}; choose "
            "another --out"
        )
    config = tuning_config(run.config.train, epochs, learning_rate)
    # A checkpoint is written beside its predecessor.
    needed = 2 * checkpoint_bytes(run, config) + run.run.supernet.stat().st_size
    require_room(folder, needed, "--out")
    done = epochs_done(run, architecture, config, folder)
    if done < epochs:
        seconds = tuning_seconds(run, architecture, config, done)
        to_go = f", {epochs - done} of them to go" if done else ""
        screen.say(
            f"one subnet, {epochs} epochs{to_go}: about {duration(seconds)} and "
            f"{megabytes(needed)} in {folder} (interrupt at will, --resume goes on)"
        )
    folder.mkdir(parents=True, exist_ok=True)
    if not there:
        write_atomic(folder / ARCHITECTURE, architecture.to_json() + "\n")
    began = time.monotonic()
    with screen.progress("finetune", epochs) as advance:

        def tell(progress: Progress) -> None:
            done, remark = told(progress)
            advance(round(done, 2), remark)

        accuracies = fine_tune(run, architecture, config, folder, tell)
    result = {
        "weights": str(folder / FINETUNED),
        "epochs": epochs,
        "learning_rate": config.highest_rate,
        **accuracies,
        "seconds": round(time.monotonic() - began, 1),
    }
    leave_document(folder, result)
    return result
