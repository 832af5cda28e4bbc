"""``nas train``: from images to a supernet."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from nas.config import Config, TrainConfig
from nas.data import SILENT
from nas.dataset import Dataset, open_dataset
from nas.disk import megabytes, require_room
from nas.header import peek, space_of
from nas.jobs.estimate import Estimate, estimate_training
from nas.run import Run
from nas.terminal import Screen, duration
from nas.training.board import Record, board
from nas.training.checkpoint import load_checkpoint
from nas.training.loop import check_enough, train
from nas.training.phases import check_kinds
from nas.training.ranks import Ranks, by_itself, joined, note_launch, restarted
from nas.training.start import Start
from nas.training.trainer import Progress
from nas.weights import load_supernet, save_supernet
from search_spaces.errors import ConfigError
from search_spaces.files import sha256_of

__all__ = ["announce_training", "said", "train_command", "train_run", "train_with_progress"]

BOARD = "tensorboard"


def train_run(
    run: Run,
    config: Config,
    dataset: Dataset,
    tell: Callable[[Progress], None],
    ranks: Ranks | None = None,
) -> None:
    """Train, or go on from the run's checkpoint, and leave ``supernet.safetensors``."""
    ranks = ranks or by_itself()
    space = space_of(config, len(dataset.classes))
    record: Record = run.write_log
    if config.train.tensorboard and ranks.writes:
        record = _both(record, board(run.folder / BOARD))
    images, start = dataset.images, None
    if (first := _first_weights(config)) is not None:
        # What they were trained on says how images are normalised.
        known = load_supernet(first, space)
        images = replace(images, normalisation=known.normalisation)
        start = Start(known.supernet.state_dict())
    learned = train(
        space,
        images,
        config.train,
        run.checkpoint,
        _belongs(config, dataset, ranks),
        tell=tell,
        record=record,
        ranks=ranks,
        start=start,
    )
    if ranks.writes:
        save_supernet(
            run.supernet,
            learned.supernet,
            images.normalisation,
            dataset.classes,
            dataset.fingerprint,
            settled=learned.settled,
        )


def _both(one: Record, other: Record) -> Record:
    """Tell two."""

    def record(rows: Sequence[Mapping[str, object]]) -> None:
        one(rows)
        other(rows)

    return record


def _first_weights(config: Config) -> Path | None:
    """The file of the weights that a training begins with."""
    return None if config.train.weights is None else Path(config.train.weights).expanduser()


def _belongs(config: Config, dataset: Dataset, ranks: Ranks | None) -> dict[str, str]:
    """What a checkpoint belongs to; wherever the first weights lie, they are the same."""
    count = 1 if ranks is None else ranks.count
    first = _first_weights(config)
    return {
        "space": space_of(config, len(dataset.classes)).identity,
        "data": dataset.fingerprint,
        **said(replace(config.train, weights=None, tensorboard=False)),
        **({"number of processes": str(count)} if count > 1 else {}),
        **({} if first is None else {"train.weights": _digest(first)}),
    }


def _digest(first: Path) -> str:
    """The SHA-256 of the first weights.

    Raises:
        ArtefactError: missing, or no file of weights.
    """
    peek(first)
    return sha256_of(first)


def said(config: TrainConfig) -> dict[str, str]:
    """What a configuration says that is not the default, key by key.

    A key that a later version adds is at its default in earlier runs, which go on. Whoever changes
    a default changes the checkpoint's format. A learning rate or weight decay that is left to what
    is usual is said as the number that it is, since what is usual has changed.
    """
    config = replace(config, learning_rate=config.highest_rate, weight_decay=config.decay)
    pairs = ((entry, getattr(config, entry.name)) for entry in fields(config))
    return {f"train.{one.name}": repr(value) for one, value in pairs if value != one.default}


def train_with_progress(
    run: Run, config: Config, dataset: Dataset, screen: Screen, ranks: Ranks | None = None
) -> None:
    """``train_run`` under a bar."""
    with screen.progress("train", config.train.epochs) as advance:

        def tell(progress: Progress) -> None:
            advance(
                round(progress.done, 2),
                f"{progress.phase}, loss {progress.loss:.3f}, "
                f"{progress.images_per_second:.0f} images/s",
            )

        train_run(run, config, dataset, tell, ranks)


def announce_training(
    run: Run,
    config: Config,
    dataset: Dataset,
    screen: Screen,
    way_on: str,
    ranks: Ranks | None = None,
) -> Estimate:
    """Say how long it will take and how much disk it needs.

    Raises:
        ArtefactError: a checkpoint that is damaged or belongs to something else.
        NasLoopError: there is no room for it.
    """
    done = 0
    if run.checkpoint.exists():  # Before anything is written, or timed.
        done = load_checkpoint(run.checkpoint, _belongs(config, dataset, ranks))["epoch"]
    estimate = estimate_training(config, dataset, done, ranks)
    kept, cache = "", config.images.cache_folder
    if cache is not None:
        kept = f", beside {megabytes(dataset.bytes)} of images in {cache}"
    screen.say(
        f"{len(dataset.splits.train):,} training images, {len(dataset.splits.val):,} held out; "
        f"about {duration(estimate.seconds)} to go and {megabytes(estimate.bytes)} in "
        f"{run.folder}{kept} (interrupt at will, {way_on} goes on)"
    )
    require_room(run.folder, estimate.bytes, "--out")
    return estimate


def train_command(
    config_file: Path, out: Path, resume: bool, screen: Screen
) -> dict[str, Any] | None:
    """Check, say how long it will take and how much disk it needs, train.

    Under ``torchrun`` one process does so, and the others train with it and return None.
    """
    with joined() as ranks:
        resume = resume or restarted(out)
        if ranks.writes:
            return _train(config_file, out, resume, screen, ranks)
        config = Config.load(config_file)
        # With a cache this one may be the one that decodes, and tells; else all of them do.
        dataset = open_dataset(config, SILENT if config.images.cache is None else None)
        ranks.wait()  # Until the run's folder is there.
        train_run(Run.open(out), config, dataset, lambda progress: None, ranks)
    return None


def _check(run: Run, config: Config, dataset: Dataset, ranks: Ranks) -> None:
    """What would stop the training once its folder is there, and it would be refused mended."""
    space = space_of(config, len(dataset.classes))
    check_kinds(space, config.train.schedule)
    check_enough(config.train, len(dataset.splits.train), ranks)
    if config.train.tensorboard:
        board(run.folder / BOARD)
    if (first := _first_weights(config)) is not None:
        load_supernet(first, space)


def _train(
    config_file: Path, out: Path, resume: bool, screen: Screen, ranks: Ranks
) -> dict[str, Any]:
    config = Config.load(config_file)
    run = Run.check(out, config, resume)
    if resume and not run.config_file.exists():
        screen.say(f"there is no run in {out} to go on with: training begins anew")
    if run.supernet.exists() and not run.checkpoint.exists():
        raise ConfigError(
            f"{run.supernet} is trained and there is no checkpoint to go on from; choose another "
            "--out"
        )
    dataset = open_dataset(config, screen, check_test=True)
    _check(run, config, dataset, ranks)
    estimate = announce_training(run, config, dataset, screen, "--resume", ranks)
    Run.create(out, config, resume)
    note_launch(out)
    ranks.wait()
    began = time.monotonic()
    train_with_progress(run, config, dataset, screen, ranks)
    return {
        "run": str(out),
        "supernet": str(run.supernet),
        "seconds": round(time.monotonic() - began, 1),
        "epochs": config.train.epochs,
        "estimate_seconds": round(estimate.seconds, 1),
        "config": str(config_file),
    }
