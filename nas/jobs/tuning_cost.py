"""What a search over fine-tunings takes, which is told before, and what it keeps."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nas.config import TrainConfig
from nas.disk import megabytes, require_room
from nas.jobs.estimate import estimate_training
from nas.jobs.trained import TrainedRun
from nas.jobs.tuning import checkpoint_bytes
from nas.jobs.tuning_plan import Ended, Planned, TuningOptions
from nas.jobs.tuning_trials import Tunings
from nas.terminal import Screen, duration
from nas.training.ranks import by_itself
from nas.training.start import Start
from search_spaces import Architecture

__all__ = ["announce", "tell_of_open", "tuning_seconds"]


def tuning_seconds(
    trained: TrainedRun, architecture: Architecture, config: TrainConfig, done: int = 0
) -> float:
    """About how long it takes to fine-tune one subnet, of whose epochs ``done`` are over."""
    start = Start(trained.trained.supernet.state_dict(), architecture)
    tuning = replace(trained.config, train=config)
    return estimate_training(tuning, trained.dataset, done, by_itself(), start).seconds


def announce(
    trained: TrainedRun,
    config: TrainConfig,
    options: TuningOptions,
    plan: Planned,
    missing: npt.NDArray[np.int64],
    tunings: Tunings,
    out: Path,
    screen: Screen,
) -> None:
    """Say how long it takes and how much disk. Raises ``NasLoopError`` where there is no room.

    ``missing`` are the epochs [n] that are to be trained of each subnet of the plan.
    """
    left = int(missing.sum())
    if not left:
        return
    new = sum(not tunings.kept(row) for row in plan.rows[missing > 0])
    # The next checkpoint is written beside its predecessor.
    needed = (new + 1) * checkpoint_bytes(trained, config) + trained.run.supernet.stat().st_size
    require_room(out, needed, "--out")
    # A subnet of the middle stands for all.
    middle = plan.rows[np.argsort(trained.space.macs(plan.rows))[len(plan.rows) // 2]]
    whole = tuning_seconds(trained, trained.space.decode(middle), config)
    seconds = left * whole / options.epochs
    total = int(plan.epochs.sum())
    to_go = f", {left} of them to go" if left < total else ""
    screen.say(
        f"about {len(plan.rows)} subnets, {total} epochs in all (to the end they would take "
        f"{len(plan.rows) * options.epochs}){to_go}: about {duration(seconds)} and "
        f"{megabytes(needed)} in {out} (interrupt at will, --resume goes on)"
    )


def tell_of_open(
    trained: TrainedRun, config: TrainConfig, ended: Ended, folder: Path, screen: Screen
) -> None:
    """Say whose checkpoints are kept in ``folder`` for a larger budget, if any are."""
    space = trained.space
    count = len({space.digest(space.decode(row)) for row in ended.open})
    if count:
        size = megabytes(count * checkpoint_bytes(trained, config))
        screen.say(
            f"{count} subnet{'s' * (count > 1)} may go on with a larger --budget and --resume, for "
            f"which about {size} are kept in {folder}"
        )
