"""A search: predicted front, measured candidates, the best under the budget."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from latency_lut import Device, LatencyTable
from nas import search as searching
from nas.best import put_back, set_aside, write_front
from nas.engine import LOCAL, Engine
from nas.jobs.asked import Asked
from nas.jobs.asking import asked_of
from nas.jobs.beginning import announced, require_images
from nas.jobs.budget import (
    SearchOptions,
    chosen,
    require_accuracy,
    require_budget,
)
from nas.jobs.curves import beside_others, compare_seconds, known_curves, write_curves
from nas.jobs.elites import elites, require_map
from nas.jobs.exact import exact_document, require_exact
from nas.jobs.growth import front_growth
from nas.jobs.guide import Guide, fitted_guide, ready_guide
from nas.jobs.measured import recall, remember
from nas.jobs.neighbours import neighbours
from nas.jobs.one_round import keeping, round_study
from nas.jobs.rounds import MOST_ROUNDS, Candidate, most_measured, search_in_rounds
from nas.jobs.search_document import front_document
from nas.jobs.tables import identity_of
from nas.jobs.trained import TrainedRun
from nas.jobs.typed import Where, told_document
from nas.live import watching
from nas.run import Run
from nas.search import searchers
from nas.terminal import Screen
from predictors import USUAL
from search_spaces.errors import ArtefactError, DataError
from search_spaces.space import Population, Space

__all__ = ["search_run"]

COVERED = 256


def search_run(
    trained: TrainedRun,
    table: LatencyTable,
    options: SearchOptions,
    out: Path,
    device: Device,
    screen: Screen,
    resume: bool = True,
    baselines: bool = True,
    engine: Engine = LOCAL,
    others: Sequence[Device] = (),
    exact: bool = False,
    where: Where | None = None,
) -> dict[str, Any]:
    """Search, measure, and write ``front.json``, ``best.json`` and ``curves.json`` into ``out``.

    Without ``resume`` a study that is in ``out`` is removed; with it, it is gone on with. Without
    ``baselines`` no other search is run to compare this one with. What takes time for each network
    is the ``engine``'s to do. ``others`` are devices like ``device``, which share the candidates
    with it. With ``exact`` the document also has the optimum of what the last round went by.
    ``where`` is how the device and its table were named, for the document to say it again.

    Raises:
        ArtefactError: ``table`` is of another device than ``device``.
        DataError: the run's images are gone.
        ConfigError, SearchError: ``exact``, and a predictor or a limit that no programme can hold.
        NasLoopError: an unknown searcher or predictor, or artefacts that do not fit.
        InfeasibleError: no network is predicted, or none measured, within the budget.
    """
    space = trained.space
    table.require(device.fingerprint())
    # What can be refused is refused before hours of measuring, and before anything is removed.
    searchers.get(options.searcher)
    ready = ready_guide(trained, options.predictor, options.proxy, screen)
    asked = asked_of(
        trained, table, options.objectives, options.limits, options.deviations, options.dimensions
    )
    require_map(options, ready)
    require_budget(space, table, options, asked)
    if ready is not None:
        require_accuracy(space, table, ready, options, asked)
    if exact:
        require_exact(space, ready, options, asked)
    table.predict(space.sample(COVERED, np.random.default_rng(0)))
    files = Run(out)
    require_images(trained)
    most = most_measured(options.candidates, len(trained.settled))
    takes = announced(
        trained,
        out,
        f"{options.candidates} to {most} candidates to measure",
        to_fit=ready is None,
        options=options,
        rounds=MOST_ROUNDS,
        most=most,
        limit_ms=options.latency_ms,
        compared=baselines,
    )
    kept = "accuracies that are measured are kept" if trained.has_images else "--resume goes on"
    screen.say(f"{takes} (interrupt at will, {kept}){_loose(space, table, options.latency_ms)}")
    if not resume:
        _forget(files)
    began = time.monotonic()
    guide = ready or fitted_guide(trained, options.predictor or USUAL, screen, engine)
    require_accuracy(space, table, guide, options, asked)
    clock = {"samples": time.monotonic() - began, "search": 0.0, "measure": 0.0}
    studies: list[tuple[searching.Study, LatencyTable]] = []

    def search(corrected: LatencyTable, number: int) -> searching.Study:
        began = time.monotonic()
        path = files.round_study(number)
        with watching(screen, f"search, round {number}") as watch:
            study = round_study(space, corrected, guide, options, path, watch, asked)
        studies.append((study, corrected))
        clock["search"] += time.monotonic() - began
        return study

    belongs = {
        "guide": guide.identity,
        "table": identity_of(table),
        "options": str(options.decisive),
        **{f"quantity {name}": what for name, what in asked.identities.items()},
        **trained.belongs(),
    }
    rounds = recall(files.measured, belongs)
    if not files.study.exists():  # Nothing is gone on with.
        set_aside(files)
        # What it was told is known as soon as there is something to resume.
        remember(files.measured, belongs, rounds)

    def measure(corrected: LatencyTable, rows: Population, number: int) -> list[Candidate]:
        from nas.jobs.candidates import measure_candidates

        began = time.monotonic()
        if number > len(rounds):
            samples = files.round_samples(number)
            rounds.append(
                measure_candidates(
                    trained,
                    corrected,
                    guide,
                    rows,
                    (device, *others),
                    screen,
                    table,
                    samples,
                    belongs,
                    engine,
                )
            )
            remember(files.measured, belongs, rounds)
        clock["measure"] += time.monotonic() - began
        return rounds[number - 1]

    def settled(corrected: LatencyTable) -> Population:
        # Trained oftener than a predictor knows of, which sees their choices alone.
        return keeping(space, corrected, guide, options, asked, trained.settled)

    try:
        outcome = search_in_rounds(search, measure, table, options.candidates, settled)
    except (ArtefactError, DataError):  # As where the images are others, which are opened late.
        if not resume and put_back(files):
            _forget(files)
        raise
    _forget_samples(files)
    best = chosen(outcome, options, asked)
    document = front_document(trained, table, guide, options, outcome, best, clock, asked)
    document["told"] = told_document(options, where or Where())
    document["growth"] = front_growth(outcome.study, guide)
    document["elites"] = elites(outcome.study, guide, asked.dimensions(studies[-1][1]))
    document["neighbours"] = neighbours(space, table, guide, outcome.candidates[best].row)
    document["exact"] = _optimum(space, guide, *studies[-1], options, asked, screen, exact)
    began = time.monotonic()
    first = studies[0][0]  # By the table as it was before what was measured.
    curves = beside_others(
        first,
        options,
        lambda told: round_study(space, table, guide, told, asked=asked),
        compare_seconds(sum(clock.values())) if baselines else 0.0,
        screen,
        known_curves(files, document),
    )
    document["seconds"]["compare"] = round(time.monotonic() - began, 2)
    write_front(files, document)
    write_curves(files, document, curves)
    return document


def _loose(space: Space, table: LatencyTable, latency_ms: float) -> str:
    """That a budget rules nothing out, where the largest network keeps it."""
    most = float(table.predict(space.largest[None])[0])
    if most > latency_ms:
        return ""
    return f"; by the latency table even the largest network takes {most:.4g} ms of {latency_ms:g}"


def _optimum(
    space: Space,
    guide: Guide,
    study: searching.Study,
    table: LatencyTable,
    options: SearchOptions,
    asked: Asked,
    screen: Screen,
    exact: bool,
) -> dict[str, Any] | None:
    """The optimum of what ``study`` went by, if it is asked for and found."""
    if not exact:
        return None
    try:
        return exact_document(space, table, guide, study, options, asked)
    except searching.SearchError as error:  # What was searched and measured is not lost for it.
        screen.say(f"ATTENTION: there is no exact optimum: {error}")
        return None


def _forget(files: Run) -> None:
    """What an earlier search would be resumed by."""
    for file in (*map(files.round_study, range(1, MOST_ROUNDS + 1)), files.measured):
        file.unlink(missing_ok=True)
    _forget_samples(files)


def _forget_samples(files: Run) -> None:
    """What is left of candidates that are all measured."""
    for number in range(1, MOST_ROUNDS + 1):
        shutil.rmtree(files.round_samples(number), ignore_errors=True)
