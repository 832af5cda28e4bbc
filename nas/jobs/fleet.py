"""``nas search --fleet``: one search for many devices, a front for each, and the compromise."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from latency_lut import Device, DeviceError, LatencyTable
from latency_lut import device as device_of
from nas import search as searching
from nas.best import put_back, set_aside, write_fleet
from nas.jobs.asking import pairs
from nas.jobs.beginning import announced, require_folder, require_images
from nas.jobs.budget import SearchOptions
from nas.jobs.curves import (
    beside_others,
    compare_seconds,
    incomparable,
    known_curves,
    write_curves,
)
from nas.jobs.engines import engine_of
from nas.jobs.fleet_document import fleet_document
from nas.jobs.fleet_members import candidates_of, members_of, samples_of
from nas.jobs.guide import Guide, fitted_guide, ready_guide
from nas.jobs.tables import identity_of, named_tables
from nas.jobs.trained import TrainedRun
from nas.jobs.typed import Typed, Where, told_document
from nas.live import watching
from nas.quantities import LATENCY, get, upper
from nas.run import Run
from nas.terminal import Screen
from predictors import USUAL
from search_spaces.errors import ArtefactError, ConfigError, DataError
from search_spaces.space import Population

__all__ = ["fleet_command", "fleet_limits"]


@dataclass(frozen=True, eq=False)
class _Task:
    """A search for a fleet: its tables and limits in ms by device, and the devices at hand."""

    trained: TrainedRun
    tables: Mapping[str, LatencyTable]
    limits: Mapping[str, float]
    at_hand: Mapping[str, Device]
    options: SearchOptions

    @property
    def latencies(self) -> dict[str, searching.Plain]:
        """What has to keep each device's limit."""
        return {name: self._latency(name) for name in self.limits}

    @property
    def settled(self) -> Population:
        """The networks that the training settled on and that keep some device's limit."""
        rows = self.trained.settled
        if not len(rows):
            return rows
        kept = [
            np.asarray(latency(rows), dtype=np.float64) <= self.limits[name]
            for name, latency in self.latencies.items()
        ]
        return rows[np.any(kept, axis=0)]

    def _latency(self, name: str) -> searching.Plain:
        one = get(f"{LATENCY}@{name}", self.trained.space, tables=self.tables)
        return upper(one, self.options.deviations)


def fleet_limits(texts: Sequence[str], latency_ms: float | None, typed: Typed) -> dict[str, float]:
    """Milliseconds by device of ``NAME=MS``.

    Raises ``ConfigError``: another form, a name given twice, a limit that is not above 0; or
    options that a search for a fleet does not take.
    """
    limits = pairs(texts, "fleet", "pi4=5")
    for name, limit in limits.items():
        if limit <= 0:
            raise ConfigError(f"--fleet {name} is a number above 0, in ms; got {limit:g}")
    others = {
        "--latency-ms": latency_ms,
        "--table": typed.where.table,
        "--exact": typed.exact,
        "--limit": typed.limits,
        "--objective": typed.objectives,
        "--dimension": typed.dimensions,
    }
    ignored = [option for option, value in others.items() if value]
    if ignored:
        raise ConfigError(
            "--fleet takes a budget for each of its latency tables, and nothing else is limited, "
            f"minimised, mapped or solved for; leave out {', '.join(ignored)}"
        )
    return limits


def fleet_command(
    folder: Path, limits: Mapping[str, float], typed: Typed, screen: Screen
) -> tuple[dict[str, Any], str]:
    """Search, measure what can be, and write ``fleet.json``, ``best.json``, which is the
    compromise, and ``curves.json``.

    They go to the folder that was named, else ``fleet`` in the run. Accuracies are measured, once
    for all devices. Latencies are, on the device that was named if it is of the fleet; those of
    others are what their tables predict.

    Raises:
        ArtefactError: no such table, or it lacks what the space has.
        InfeasibleError: no network keeps some limit, or all; or none does once measured.
        NasLoopError: an unknown searcher or predictor, or artefacts that do not fit.
    """
    trained = TrainedRun(Run.open(folder))
    options = typed.options(trained.config.search, min(limits.values()))
    ready = ready_guide(trained, typed.predictor, typed.proxy, screen)
    tables = named_tables(trained, limits)
    at_hand = _at_hand(tables, typed.where)
    task = _Task(trained, tables, limits, at_hand, options)
    searching.require_fleet(trained.space, task.latencies, limits)
    target = typed.out or trained.run.fleet
    require_folder(target, fleet=True)
    files = Run(target)
    require_images(trained)
    _announce(task, ready is None, target, typed.baselines, screen)
    if not typed.resume:
        _forget(files, limits)
    clock = {}
    began = time.monotonic()
    with engine_of(typed.engine) as working:
        guide = ready or fitted_guide(trained, typed.predictor or USUAL, screen, working)
        clock["samples"], began = time.monotonic() - began, time.monotonic()
        if not files.study.exists():  # Nothing is gone on with.
            set_aside(files)
        with watching(screen, "search") as watch:
            study = _searched(task, guide, options, files.study, watch)
        found = searching.refined_fleet(
            study, guide.source.predict, task.latencies, limits, options.seed
        )
        clock["search"], began = time.monotonic() - began, time.monotonic()
        rows = candidates_of(found, options.candidates, task.settled)
        try:
            members = members_of(trained, tables, at_hand, guide, rows, target, screen, working)
        except (ArtefactError, DataError):  # As where the images are others, which are opened late.
            if not typed.resume and put_back(files):
                _forget(files, limits)
            raise
        clock["measure"] = time.monotonic() - began
    document = fleet_document(trained, tables, limits, guide, options, found, members, clock)
    document["told"] = told_document(options, typed.where)
    began = time.monotonic()
    seconds = compare_seconds(sum(clock.values())) if typed.baselines else 0.0
    curves, why_not = None, incomparable(study)
    if why_not is None:
        known, again = known_curves(files, document), partial(_searched, task, guide)
        curves = beside_others(study, options, again, seconds, screen, known)
    elif typed.baselines:
        screen.say(f"there is no comparison with other searches: {why_not}")
    document["seconds"]["compare"] = round(time.monotonic() - began, 2)
    write_fleet(files, document)
    if curves is None:
        files.curves.unlink(missing_ok=True)  # Those of an earlier search.
    else:
        write_curves(files, document, curves)
    _forget_samples(files, limits)
    return document, _text(document, files, folder)


def _searched(
    task: _Task,
    guide: Guide,
    options: SearchOptions,
    path: Path | None = None,
    observer: searching.Observer | None = None,
) -> searching.Study:
    """One search with such options, kept in ``path`` where one is given."""
    return searching.fleet_study(
        task.trained.space,
        guide.source.predict,
        task.latencies,
        task.limits,
        options.searcher,
        options.budget,
        options.seed,
        path=path,
        belongs={
            "predictor": guide.identity,
            "limits": str(dict(task.limits)),
            "searcher": options.told,
            **{f"table {name}": identity_of(table) for name, table in task.tables.items()},
        },
        observer=observer,
    )


def _at_hand(tables: Mapping[str, LatencyTable], where: Where) -> dict[str, Device]:
    """The devices that can be measured on: those whose table is of the one that is named.

    Raises ``ArtefactError`` where another device than the usual one is named and is none of them.
    """
    usual = where.device == Where.device
    found: dict[str, Device] = {}
    reasons = []
    for name, table in tables.items():
        try:
            device = device_of(where.device, where.threads or table.fingerprint.threads)
            table.require(device.fingerprint())
        except DeviceError as error:
            if not usual:
                raise
            reasons.append(str(error))
        except ArtefactError as error:
            reasons.append(f"{name}: {error}")
        else:
            found[name] = device
    if not found and not usual:
        raise ArtefactError(f"--device {where.device} is none of the fleet ({'; '.join(reasons)})")
    return found


def _announce(task: _Task, to_fit: bool, out: Path, baselines: bool, screen: Screen) -> None:
    most = task.options.candidates + 3 * len(task.limits) + 1 + len(task.settled)
    takes = announced(
        task.trained,
        out,
        f"up to {most} candidates to measure for {', '.join(task.limits)}",
        to_fit=to_fit,
        options=task.options,
        rounds=1,
        most=most,
        limit_ms=max(task.limits.values()),
        devices=len(task.at_hand),
        compared=baselines,
    )
    screen.say(takes)
    absent = [name for name in task.limits if name not in task.at_hand]
    if absent:
        screen.say(f"not at hand, latencies as predicted by the tables: {', '.join(absent)}")


def _forget(files: Run, limits: Mapping[str, float]) -> None:
    """What an earlier search would be resumed by."""
    files.study.unlink(missing_ok=True)
    _forget_samples(files, limits)


def _forget_samples(files: Run, limits: Mapping[str, float]) -> None:
    for name in limits:
        shutil.rmtree(samples_of(files.folder, name), ignore_errors=True)


def _text(document: Mapping[str, Any], files: Run, folder: Path) -> str:
    best = document["points"][document["compromise"]]
    points = "" if best["val_accuracy"] is None else " points"
    said = []
    for one in document["devices"]:
        latency = best["latencies"][one["name"]]
        said.append(
            f"{one['name']} {latency['ms']:.4g} ms {one['basis']} (budget {one['limit_ms']:g} ms), "
            f"regret {best['regrets'][one['name']]:.3g}{points}"
        )
    if best["val_accuracy"] is not None:
        quality = f"{best['val_accuracy']:.2f}% of the held-out images"
    else:
        quality = f"score {best['score']:.4g} ({document['guide']}; no images to measure on)"
    return (
        f"one for all: {quality}; {'; '.join(said)}; wrote {files.fleet_document} and "
        f"{files.best}; next: nas export {folder} --architecture {files.best}"
    )
