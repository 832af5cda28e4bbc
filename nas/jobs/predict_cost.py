"""How long it takes to fit or judge predictors, and how much disk, told before it starts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nas.disk import megabytes, require_room
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
    """Of one predictor, and of the subnets that it is fitted on. Raises ``NasLoopError`` where
    there is no room in ``out``."""
    rows = sampled(trained)
    needed = _bytes(trained, rows) + PREDICTOR + PAIR * len(rows) ** 2
    require_room(out, needed, "-o")
    seconds = _measuring(trained, rows) + (PARTS + 1) * FIT_S.get(name, SLOW_FIT_S)
    screen.say(f"{len(rows)} subnets to fit a predictor on: {_said(trained, seconds, needed)}")


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
    screen.say(
        f"{len(rows)} subnets and {fits * len(names)} fits: {_said(trained, seconds, needed)}"
    )


def _measuring(trained: TrainedRun, rows: Population) -> float:
    samples = Samples(trained.run.samples, trained.space, trained.belongs())
    return rows_seconds(samples, trained.val_accuracy, rows) or 0.0


def _bytes(trained: TrainedRun, rows: Population) -> int:
    return search_bytes(len(trained.space.choices), len(rows), 0, 0)


def _said(trained: TrainedRun, seconds: float, needed: int) -> str:
    """What is kept from before is not measured, scored or fitted again."""
    return (
        f"up to {duration(seconds)} to go and up to {megabytes(needed)} in {trained.run.folder} "
        "(interrupt at will, the same command goes on)"
    )
