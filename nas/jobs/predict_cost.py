"""How long it takes to fit or judge predictors, and how much disk, told before it starts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from nas.disk import megabytes, require_room, same_disk
from nas.jobs.predictor import sampled
from nas.jobs.proxies import proxies_seconds
from nas.jobs.samples import Samples
from nas.jobs.search_cost import rows_seconds, search_bytes
from nas.jobs.trained import TrainedRun
from nas.terminal import Screen, duration
from predictors.cross_validation import PARTS
from search_spaces.space import Population

__all__ = ["announce_evaluation", "announce_fit"]

FIT_S = {"ridge": 0.05, "gp": 0.2, "boosting": 0.4}
"""Seconds of a fit to some hundred networks, about; others train networks of their own."""
SLOW_FIT_S = 2.0
PREDICTOR, PAIR = 1 << 20, 8
"""Bytes of a predictor, and of each pair of the networks that it was fitted on."""
FIT, TABLES = 512, 1 << 21
"""Bytes of what one fit says, and of the tables and figures made of all."""
SCORES = 1024
"""Bytes of one network's scores."""


def announce_fit(trained: TrainedRun, name: str, out: Path, screen: Screen) -> None:
    """Of one predictor, kept in ``out``, and of the subnets that it is fitted on, kept in the run.
    Raises ``NasLoopError`` where there is no room for one of them, or for both on one disk."""
    rows, run = sampled(trained), trained.run.folder
    measured, fitted = _bytes(trained, rows), PREDICTOR + PAIR * len(rows) ** 2
    require_room(run, measured, "run")
    require_room(out, fitted + (measured if same_disk(out, run) else 0), "-o")
    seconds = _measuring(trained, rows) + (PARTS + 1) * FIT_S.get(name, SLOW_FIT_S)
    places = {run: measured, out: fitted}
    if out.resolve().parent == run.resolve():
        places = {run: measured + fitted}
    screen.say(f"{len(rows)} subnets to fit a predictor on: {_said(seconds, places)}")


def announce_evaluation(
    trained: TrainedRun,
    rows: Population,
    names: Sequence[str],
    fits: int,
    with_proxies: bool,
    screen: Screen,
) -> None:
    """Of so many ``fits`` of each predictor among ``names``, and of the subnets ``rows``
    [n, choices]. Raises ``NasLoopError`` where there is no room in the run."""
    needed = _bytes(trained, rows) + FIT * fits * len(names) + TABLES
    needed += SCORES * len(rows) if with_proxies else 0
    require_room(trained.run.folder, needed, "run")
    seconds = _measuring(trained, rows) + fits * sum(FIT_S.get(one, SLOW_FIT_S) for one in names)
    seconds += proxies_seconds(trained, rows) if with_proxies else 0.0
    said = _said(seconds, {trained.run.folder: needed})
    screen.say(f"{len(rows)} subnets and {fits * len(names)} fits: {said}")


def _measuring(trained: TrainedRun, rows: Population) -> float:
    samples = Samples(trained.run.samples, trained.space, trained.belongs())
    return rows_seconds(samples, trained.val_accuracy, rows) or 0.0


def _bytes(trained: TrainedRun, rows: Population) -> int:
    return search_bytes(len(trained.space.choices), len(rows), 0, 0)


def _said(seconds: float, places: Mapping[Path, int]) -> str:
    """What is kept from before is not measured, scored or fitted again."""
    room = ", ".join(f"up to {megabytes(needed)} in {place}" for place, needed in places.items())
    return (
        f"about {duration(seconds)} to go and {room} (interrupt at will, the same command goes on)"
    )
