"""``nas search``: predicted front, measured candidates, the best under the budget."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from latency_lut import Device, LatencyTable
from nas import search as searching
from nas.best import write_front
from nas.engine import LOCAL, Engine
from nas.jobs.asking import asked_of, limits_of
from nas.jobs.beginning import announced, require_folder, require_images
from nas.jobs.budget import SearchOptions, chosen, require_budget, round_study
from nas.jobs.curves import compare, compare_seconds, known_curves, write_curves
from nas.jobs.elites import elites
from nas.jobs.engines import engine_of
from nas.jobs.growth import front_growth
from nas.jobs.guide import fitted_guide, ready_guide
from nas.jobs.measured import recall, remember
from nas.jobs.neighbours import neighbours
from nas.jobs.pool import further_devices, pool_names
from nas.jobs.rounds import MOST_ROUNDS, Candidate, most_measured, search_in_rounds
from nas.jobs.search_document import front_document
from nas.jobs.tables import chosen_table, identity_of
from nas.jobs.trained import TrainedRun
from nas.live import watching
from nas.quantities import plain
from nas.run import Run
from nas.scale import worded
from nas.search import searchers
from nas.terminal import Screen
from predictors import USUAL
from search_spaces.errors import ConfigError
from search_spaces.space import Population

__all__ = ["search_command", "search_run"]

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
) -> dict[str, Any]:
    """Search, measure, and write ``front.json``, ``best.json`` and ``curves.json`` into ``out``.

    Without ``resume`` a study that is in ``out`` is removed; with it, it is gone on with. Without
    ``baselines`` no other search is run to compare this one with. What takes time for each network
    is the ``engine``'s to do. ``others`` are devices like ``device``, which share the candidates
    with it.

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
    ready = ready_guide(trained, options.predictor, options.proxy, screen)
    asked = asked_of(trained, table, options.objectives, options.limits, options.deviations)
    require_budget(space, table, options, asked)
    if ready is not None:
        asked.require_accuracy(space, ready)
    table.predict(space.sample(COVERED, np.random.default_rng(0)))
    require_images(trained)
    most = most_measured(options.candidates)
    takes = announced(
        trained,
        out,
        f"{options.candidates} to {most} candidates to measure",
        to_fit=ready is None,
        evaluations=MOST_ROUNDS * options.evaluations,
        most=most,
        limit_ms=options.latency_ms,
    )
    kept = "accuracies that are measured are kept" if trained.has_images else "--resume goes on"
    screen.say(f"{takes} (interrupt at will, {kept})")
    files = Run(out)
    if not resume:
        for file in (*map(files.round_study, range(1, MOST_ROUNDS + 1)), files.measured):
            file.unlink(missing_ok=True)
        _forget_samples(files)
    began = time.monotonic()
    guide = ready or fitted_guide(trained, options.predictor or USUAL, screen, engine)
    asked.require_accuracy(space, guide)
    clock = {"samples": time.monotonic() - began, "search": 0.0, "measure": 0.0}
    studies: list[searching.Study] = []

    def search(corrected: LatencyTable, number: int) -> searching.Study:
        began = time.monotonic()
        path = files.round_study(number)
        with watching(screen, f"search, round {number}") as watch:
            study = round_study(space, corrected, guide, options, path, watch, asked)
        studies.append(study)
        clock["search"] += time.monotonic() - began
        return study

    belongs = {
        "guide": guide.identity,
        "table": identity_of(table),
        "options": str(options),
        **{f"quantity {name}": what for name, what in asked.identities.items()},
        **trained.belongs(),
    }
    rounds = recall(files.measured, belongs)

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

    outcome = search_in_rounds(search, measure, table, options.candidates)
    _forget_samples(files)
    best = chosen(outcome, options, asked)
    document = front_document(trained, table, guide, options, outcome, best, clock, asked)
    document["growth"] = front_growth(outcome.study, guide)
    document["elites"] = elites(outcome.study, guide)
    document["neighbours"] = neighbours(space, table, guide, outcome.candidates[best].row)
    began = time.monotonic()
    curves = compare(
        studies[0],  # The first round's, by the table as it was before what was measured.
        lambda name, seed: round_study(
            space, table, guide, replace(options, searcher=name, seed=seed), asked=asked
        ),
        options.searcher,
        options.seed,
        options.evaluations,
        compare_seconds(sum(clock.values())) if baselines else 0.0,
        screen,
        known_curves(files, document),
    )
    document["seconds"]["compare"] = round(time.monotonic() - began, 2)
    write_front(files, document)
    write_curves(files, document, curves)
    return document


def _forget_samples(files: Run) -> None:
    """What is left of candidates that are all measured."""
    for number in range(1, MOST_ROUNDS + 1):
        shutil.rmtree(files.round_samples(number), ignore_errors=True)


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
    engine: str = "local",
    baselines: bool = True,
    objectives: Sequence[str] = (),
    limits: Sequence[str] = (),
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
    name, *further = pool_names(device_name)
    table, device = chosen_table(trained, name, threads, table_file)
    others = further_devices(device, further)
    options = SearchOptions(
        latency_ms,
        searcher,
        predictor,
        proxy,
        budget or config.search.population * config.search.generations,
        config.search.seed if seed is None else seed,
        config.search.candidates,
        confidence,
        tuple(objectives),
        limits_of(limits),
    )
    target = out or folder
    require_folder(target)
    with engine_of(engine) as working:
        document = search_run(
            trained, table, options, target, device, screen, resume, baselines, working, others
        )
    best = document["points"][document["best"]]
    text = (
        f"best: {best['latency_ms']:.4g} ms measured (budget {latency_ms:g} ms), "
        f"{_quality(document, best)}{_asked(document, best)}; {_rounds(document)}; "
        f"wrote {Run(target).front} and {Run(target).best}; next: nas export {folder}"
        f"{'' if target == folder else f' --architecture {Run(target).best}'}"
    )
    return document, text


def _quality(document: dict[str, Any], best: dict[str, Any]) -> str:
    if best["val_accuracy"] is not None:
        return f"{best['val_accuracy']:.2f}% of the held-out images"
    score = worded(document["score"], best["score"])
    return f"{score} ({document['guide']}; no images to measure on)"


def _asked(document: dict[str, Any], best: dict[str, Any]) -> str:
    """Further quantities of the best network, and how each is known."""
    said = []
    for one in document["quantities"]:
        value = best["quantities"].get(one["name"])
        if value is not None:
            limit = "" if one["limit"] is None else f", limit {plain(one['limit'])}"
            unit = f" {one['unit']}" if one["unit"] else ""
            said.append(f"; {one['name']} {plain(value)}{unit} ({one['basis']}{limit})")
    return "".join(said)


def _rounds(document: dict[str, Any]) -> str:
    last = document["rounds"][-1]
    number = len(document["rounds"])
    said = f"after {number} round{'s' if number > 1 else ''} predictions of the front"
    held = "are within" if document["settled"] else "are off by up to"
    return f"{said} {held} {last['off']:.1%} of what was measured"
