"""``nas finetune``: a chosen subnet trained on by itself."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from nas.config import Phase, TrainConfig
from nas.disk import require_room
from nas.jobs.export import read_architecture
from nas.jobs.train import said
from nas.jobs.trained import TrainedRun
from nas.run import write_csv
from nas.terminal import Screen
from nas.training.evaluate import Evaluator
from nas.training.loop import train
from nas.training.ranks import by_itself, together
from nas.training.start import Start
from nas.training.trainer import Progress
from nas.weights import save_subnet
from search_spaces import Architecture
from search_spaces.errors import ConfigError
from search_spaces.files import write_atomic

__all__ = ["FINETUNED", "fine_tune", "finetune_command", "finetuned_folder"]

ARCHITECTURE, FINETUNED = "architecture.json", "subnet.safetensors"
SLOWER = 0.1
"""The peak of the learning rate, relative to that of the training of the supernet."""


def finetuned_folder(trained: TrainedRun, architecture: Architecture) -> Path:
    """Where a subnet's weights go, if no other folder is named."""
    digest = trained.space.digest(architecture)
    return trained.run.folder / "finetuned" / digest[:12]


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
        NasLoopError: the loss is not a number.
    """
    # Imported weights have a normalisation of their own.
    images = replace(trained.dataset.images, normalisation=trained.trained.normalisation)
    supernet = trained.trained.supernet
    belongs = {
        **trained.belongs(),
        "space": trained.space.identity,
        "subnet": trained.space.digest(architecture),
        **said(config),
    }

    def record(rows: Sequence[Mapping[str, object]]) -> None:
        write_csv(folder / "log.csv", rows)

    inherited = trained.evaluator.accuracy(architecture, images.val, images.val_labels)
    learned = train(
        trained.space,
        images,
        config,
        folder / "checkpoint.pt",
        belongs,
        tell=tell,
        record=record,
        ranks=by_itself(),
        start=Start(supernet.state_dict(), architecture),
    )
    evaluator = Evaluator(learned, images.normalisation, images.calibration)
    tuned = evaluator.accuracy(architecture, images.val, images.val_labels)
    subnet = evaluator.network(architecture)
    save_subnet(folder / FINETUNED, subnet, architecture, trained.header)
    return {"val_inherited": round(inherited, 3), "val_finetuned": round(tuned, 3)}


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
    if together():
        raise ConfigError("a subnet is fine-tuned by one process; start it without torchrun")
    if not run.has_images:
        raise ConfigError(
            f"{run.run.folder}: fine-tuning needs images, and this run has none; import or "
            "convert its weights again with --data"
        )
    folder = out or finetuned_folder(run, architecture)
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"{folder} is a file; choose another --out")
    there = (folder / ARCHITECTURE).is_file()
    if there and not resume:
        raise ConfigError(
            f"{folder} holds a fine-tuning already; add --resume to go on with it, or choose "
            "another --out"
        )
    if folder.is_dir() and not there and any(folder.iterdir()):
        raise ConfigError(f"{folder} is not empty and no fine-tuning; choose another --out")
    if there and read_architecture(folder / ARCHITECTURE, run.space) != architecture:
        raise ConfigError(
            f"{folder} holds the fine-tuning of another subnet, {folder / ARCHITECTURE}; choose "
            "another --out"
        )
    config = _config(run.config.train, epochs, learning_rate)
    # Weights, two moments, teacher, perhaps the average; written beside their predecessor.
    copies = 5 if config.ema else 4
    require_room(folder, (2 * copies + 1) * run.run.supernet.stat().st_size, "--out")
    folder.mkdir(parents=True, exist_ok=True)
    if not there:
        write_atomic(folder / ARCHITECTURE, architecture.to_json() + "\n")
    began = time.monotonic()
    with screen.progress("finetune", epochs) as advance:

        def tell(progress: Progress) -> None:
            done = progress.epoch + (progress.step + 1) / progress.steps
            speed = f"{progress.images_per_second:.0f} images/s"
            advance(round(done, 2), f"loss {progress.loss:.3f}, {speed}")

        accuracies = fine_tune(run, architecture, config, folder, tell)
    result = {
        "weights": str(folder / FINETUNED),
        "epochs": epochs,
        "learning_rate": config.highest_rate,
        **accuracies,
        "seconds": round(time.monotonic() - began, 1),
    }
    write_atomic(folder / "finetune.json", json.dumps(result, indent=1) + "\n")
    return result


def _config(train: TrainConfig, epochs: int, learning_rate: float | None) -> TrainConfig:
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
