"""``nas search``: predicted front, measured candidates, the best under the budget."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt

from latency_lut import Device, LatencyTable
from nas import search as searching
from nas.best import write_front
from nas.data import open_source
from nas.disk import megabytes, require_room
from nas.jobs import select
from nas.jobs.guide import USUAL, Guide, fitted_guide, ready_guide
from nas.jobs.measured import recall, remember
from nas.jobs.predictor import sampled
from nas.jobs.rounds import (
    MOST_ROUNDS,
    Candidate,
    Outcome,
    figures,
    most_measured,
    search_in_rounds,
)
from nas.jobs.samples import Samples
from nas.jobs.search_cost import search_bytes, search_seconds
from nas.jobs.search_document import front_document, identity_of
from nas.jobs.tables import chosen_table
from nas.jobs.trained import TrainedRun
from nas.run import Run
from nas.scale import worded
from nas.search import searchers
from nas.terminal import Screen, duration
from search_spaces.errors import ConfigError, InfeasibleError
from search_spaces.space import Floats, Population, Space

__all__ = ["SearchOptions", "search_command", "search_run"]

COVERED = 256
UPPER = "latency_ms_upper"


@dataclass(frozen=True)
class SearchOptions:
    """What a search is told; see the command's help.

    ``confidence`` is the chance with which a network has to keep the budget, by its prediction
    and then by its measurement; None looks at the middle of both.
    """

    latency_ms: float
    searcher: str = "nsga2"
    predictor: str | None = None
    proxy: str | None = None
    evaluations: int = 5000
    seed: int = 0
    candidates: int = 20
    confidence: float | None = None

    def __post_init__(self) -> None:
        if self.confidence is not None and not 0.5 <= self.confidence < 1:
            raise ConfigError(
                f"--confidence is from 0.5 to below 1, for example 0.95; got {self.confidence:g}"
            )

    @property
    def deviations(self) -> float:
        """How many standard deviations above its latency a network has to keep the budget."""
        return 0.0 if self.confidence is None else NormalDist().inv_cdf(self.confidence)


def search_run(
    trained: TrainedRun,
    table: LatencyTable,
    options: SearchOptions,
    out: Path,
    device: Device,
    screen: Screen,
    resume: bool = True,
) -> dict[str, Any]:
    """Search, measure, and write ``front.json`` and ``best.json`` into ``out``.

    Without ``resume`` a study that is in ``out`` is removed; with it, it is gone on with.

    Raises:
        ArtefactError: ``table`` is of another device than ``device``.
        DataError: the run's images are gone.
        NasLoopError: an unknown searcher or predictor, or artefacts that do not fit.
        InfeasibleError: no network is predicted, or none measured, within the budget.
    """
    space = trained.space
    table.require(device.fingerprint())
    # What can be refused is refused before hours of measuring, and before anything is removed.
    searchers.get(options.searcher)
    ready = ready_guide(trained, options.predictor, options.proxy)
    _require_budget(space, table, options)
    table.predict(space.sample(COVERED, np.random.default_rng(0)))
    if trained.has_images:
        open_source(trained.config.images.location)
        Samples(trained.run.samples, space, trained.belongs()).known()
    _announce(trained, options, ready is None, out, screen)
    files = Run(out)
    if not resume:
        for file in (*map(files.round_study, range(1, MOST_ROUNDS + 1)), files.measured):
            file.unlink(missing_ok=True)
    began = time.monotonic()
    guide = ready or fitted_guide(trained, options.predictor or USUAL, screen)
    clock = {"samples": time.monotonic() - began, "search": 0.0, "measure": 0.0}

    def search(corrected: LatencyTable, number: int) -> searching.Study:
        began = time.monotonic()
        study = _study(space, corrected, guide, options, files.round_study(number))
        clock["search"] += time.monotonic() - began
        return study

    belongs = {
        "guide": guide.identity,
        "table": identity_of(table),
        "options": str(options),
        **trained.belongs(),
    }
    rounds = recall(files.measured, belongs)

    def measure(corrected: LatencyTable, rows: Population, number: int) -> list[Candidate]:
        from nas.jobs.candidates import measure_candidates

        began = time.monotonic()
        if number > len(rounds):
            rounds.append(
                measure_candidates(trained, corrected, guide, rows, device, screen, table)
            )
            remember(files.measured, belongs, rounds)
        clock["measure"] += time.monotonic() - began
        return rounds[number - 1]

    outcome = search_in_rounds(search, measure, table, options.candidates)
    chosen = _chosen(outcome, options)
    document = front_document(trained, table, guide, options, outcome, chosen, clock)
    write_front(files, document)
    return document


def _latency(table: LatencyTable) -> Callable[[Population], npt.NDArray[np.float64]]:
    return lambda rows: np.asarray(table.predict(rows), dtype=np.float64)


def _upper(table: LatencyTable, deviations: float) -> Callable[[Population], Floats]:
    """The upper end of predictions, so many standard deviations above: [n] ms."""

    def upper(rows: Population) -> Floats:
        mean, std = table.predict(rows, return_std=True)
        return np.asarray(mean + deviations * std, dtype=np.float64)

    return upper


def _require_budget(space: Space, table: LatencyTable, options: SearchOptions) -> None:
    """Raises ``InfeasibleError`` where no network is predicted within the budget."""
    limited = _upper(table, options.deviations) if options.confidence else _latency(table)
    searching.require_reachable(
        space, "latency_ms", limited, options.latency_ms, np.random.default_rng(0)
    )


def _study(
    space: Space, table: LatencyTable, guide: Guide, options: SearchOptions, path: Path
) -> searching.Study:
    """Raises ``InfeasibleError`` where the search meets no network within the budget."""
    confident = options.confidence is not None
    study = searching.minimize(
        space,
        {"error": guide.source.predict, "latency_ms": _latency(table)},
        {UPPER if confident else "latency_ms": options.latency_ms},
        searcher=options.searcher,
        budget=options.evaluations,
        seed=options.seed,
        path=path,
        functions={UPPER: _upper(table, options.deviations)} if confident else None,
        belongs={
            "predictor": guide.identity,
            "table": identity_of(table),
            "searcher": f"{options.searcher} {options.evaluations} {options.seed} "
            f"{options.confidence}",
        },
    )
    if not study.front():
        raise InfeasibleError(
            f"the search met no network within {options.latency_ms:g} ms in "
            f"{options.evaluations} evaluations; raise --budget, or the latency"
        )
    return study


def _chosen(outcome: Outcome, options: SearchOptions) -> int:
    """The position of the best candidate.

    Raises ``InfeasibleError`` where none was measured within the budget.
    """
    _, scores = figures(outcome.candidates)
    upper = [
        candidate.latency.latency_ms + options.deviations * candidate.latency.error_ms
        for candidate in outcome.candidates
    ]
    chosen = select.best(upper, scores, options.latency_ms)
    if chosen is None:
        raise InfeasibleError(
            f"no candidate was measured within {options.latency_ms:g} ms{_sure(options)}; the "
            f"fastest took {min(upper):.4g} ms{_sure(options)}: raise the budget"
        )
    return chosen


def _sure(options: SearchOptions) -> str:
    return "" if options.confidence is None else f" at {options.confidence:.0%} confidence"


def _announce(
    trained: TrainedRun,
    options: SearchOptions,
    to_fit: bool,
    out: Path,
    screen: Screen,
) -> None:
    """Say how long it will take and how much disk it needs; refuse where there is no room.

    ``to_fit``: a predictor is fitted first, on subnets that are measured.
    """
    rows = sampled(trained) if to_fit else np.empty((0, len(trained.space.choices)), np.int64)
    most = most_measured(options.candidates)
    evaluations = MOST_ROUNDS * options.evaluations
    needed = search_bytes(rows.shape[1], len(rows), evaluations, most)
    require_room(out, needed, "-o")
    seconds = search_seconds(trained, rows, most, options.latency_ms)
    left = "no accuracy was timed yet" if seconds is None else f"up to {duration(seconds)} to go"
    subnets = f"up to {len(rows)} subnets and " if to_fit else ""
    kept = "accuracies that are measured are kept" if trained.has_images else "--resume goes on"
    screen.say(
        f"{subnets}{options.candidates} to {most} candidates to measure: {left} and up to "
        f"{megabytes(needed)} in {out} (interrupt at will, {kept})"
    )


def search_command(
    folder: Path,
    latency_ms: float | None,
    device_name: str,
    threads: int | None,
    table_file: Path | None,
    searcher: str,
    predictor: str | None,
    proxy: str | None,
    budget: int | None,
    seed: int | None,
    confidence: float | None,
    out: Path | None,
    resume: bool,
    screen: Screen,
) -> tuple[dict[str, Any], str]:
    """The command ``nas search``."""
    run = Run.open(folder)
    trained = TrainedRun(run)
    config = trained.config
    latency_ms = latency_ms if latency_ms is not None else config.search.latency_ms
    if latency_ms is None:
        raise ConfigError("a search needs a budget: add --latency-ms, or search.latency_ms")
    if not latency_ms > 0:
        raise ConfigError(f"--latency-ms is a number above 0, in milliseconds; got {latency_ms:g}")
    table, device = chosen_table(trained, device_name, threads, table_file)
    options = SearchOptions(
        latency_ms,
        searcher,
        predictor,
        proxy,
        budget or config.search.population * config.search.generations,
        config.search.seed if seed is None else seed,
        config.search.candidates,
        confidence,
    )
    target = out or folder
    if target.exists() and not target.is_dir():
        raise ConfigError(f"{target}: a search writes several files; -o is a folder")
    document = search_run(trained, table, options, target, device, screen, resume)
    best = document["points"][document["best"]]
    text = (
        f"best: {best['latency_ms']:.4g} ms measured (budget {latency_ms:g} ms), "
        f"{_quality(document, best)}; {_rounds(document)}; wrote {Run(target).front} and "
        f"{Run(target).best}; next: nas export {folder}"
    )
    return document, text


def _quality(document: dict[str, Any], best: dict[str, Any]) -> str:
    if best["val_accuracy"] is not None:
        return f"{best['val_accuracy']:.2f}% of the held-out images"
    score = worded(document["score"], best["score"])
    return f"{score} ({document['guide']}; no images to measure on)"


def _rounds(document: dict[str, Any]) -> str:
    last = document["rounds"][-1]
    number = len(document["rounds"])
    said = f"after {number} round{'s' if number > 1 else ''} predictions of the front"
    held = "are within" if document["settled"] else "are off by up to"
    return f"{said} {held} {last['off']:.1%} of what was measured"
