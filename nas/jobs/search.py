"""``nas search``: predicted front, measured candidates, the best under the budget."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from latency_lut import Device, LatencyTable
from nas import search as searching
from nas.best import write_front
from nas.data import open_source
from nas.disk import megabytes, require_room
from nas.jobs import select
from nas.jobs.front import figures, measured_front
from nas.jobs.guide import USUAL, Guide, fitted_guide, ready_guide
from nas.jobs.predictor import sampled
from nas.jobs.samples import Samples
from nas.jobs.search_cost import search_bytes, search_seconds
from nas.jobs.tables import chosen_table
from nas.jobs.trained import TrainedRun
from nas.run import Run
from nas.scale import ACCURACY, worded
from nas.search import searchers
from nas.search.pareto import hypervolume
from nas.terminal import Screen, duration
from search_spaces.errors import ConfigError, InfeasibleError
from search_spaces.files import sha256_of
from search_spaces.space import Population

__all__ = ["SearchOptions", "search_command", "search_run"]

FORMAT = 2
CLOUD = 2000
HISTORY = 40
COVERED = 256


@dataclass(frozen=True)
class SearchOptions:
    """What a search is told; see the command's help."""

    latency_ms: float
    searcher: str = "nsga2"
    predictor: str | None = None
    proxy: str | None = None
    evaluations: int = 5000
    seed: int = 0
    candidates: int = 20


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

    def latency(rows: Population) -> npt.NDArray[np.float64]:
        return np.asarray(table.predict(rows), dtype=np.float64)

    searching.require_reachable(
        space, "latency_ms", latency, options.latency_ms, np.random.default_rng(0)
    )
    table.predict(space.sample(COVERED, np.random.default_rng(0)))
    if trained.has_images:
        open_source(trained.config.images.location)
        Samples(trained.run.samples, space, trained.belongs()).known()
    _announce(trained, options, ready is None, out, screen)
    study_file = Run(out).study
    if not resume:
        study_file.unlink(missing_ok=True)
    marks = [time.monotonic()]
    guide = ready or fitted_guide(trained, options.predictor or USUAL, screen)
    marks.append(time.monotonic())
    study = searching.minimize(
        space,
        {"error": guide.source.predict, "latency_ms": latency},
        {"latency_ms": options.latency_ms},
        searcher=options.searcher,
        budget=options.evaluations,
        seed=options.seed,
        path=study_file,
        belongs={
            "predictor": guide.identity,
            "table": _identity(table),
            "searcher": f"{options.searcher} {options.evaluations} {options.seed}",
        },
    )
    marks.append(time.monotonic())
    front = study.front()
    if not front:
        raise InfeasibleError(
            f"the search met no network within {options.latency_ms:g} ms in "
            f"{options.evaluations} evaluations; raise --budget, or the latency"
        )
    points = measured_front(
        trained,
        table,
        guide,
        np.array([evaluation.row for evaluation in front]),
        options.latency_ms,
        options.candidates,
        device,
        screen,
    )
    chosen = select.best(*figures(points), options.latency_ms)
    if chosen is None:
        fastest = min(point["latency_ms"] for point in points)
        raise InfeasibleError(
            f"no candidate was measured within {options.latency_ms:g} ms; the fastest took "
            f"{fastest:.4g} ms: raise the budget"
        )
    marks.append(time.monotonic())
    return _write(trained, table, guide, options, out, study, points, chosen, marks)


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
    needed = search_bytes(rows.shape[1], len(rows), options.evaluations, options.candidates)
    require_room(out, needed, "-o")
    seconds = search_seconds(trained, rows, options.candidates, options.latency_ms)
    left = "no accuracy was timed yet" if seconds is None else f"about {duration(seconds)} to go"
    subnets = f"up to {len(rows)} subnets and " if to_fit else ""
    kept = "accuracies that are measured are kept" if trained.has_images else "--resume goes on"
    screen.say(
        f"{subnets}{options.candidates} candidates to measure: {left} and up to "
        f"{megabytes(needed)} in {out} (interrupt at will, {kept})"
    )


def _write(
    trained: TrainedRun,
    table: LatencyTable,
    guide: Guide,
    options: SearchOptions,
    out: Path,
    study: searching.Study,
    points: list[dict[str, Any]],
    chosen: int,
    marks: list[float],
) -> dict[str, Any]:
    best = points[chosen]
    kept = select.on_front(*figures(points))
    front = [point for point, keep in zip(points, kept, strict=True) if keep]
    front.sort(key=lambda point: float(point["latency_ms"]))
    values = study.records.values
    cloud = values[:: max(1, len(values) // CLOUD)]
    steps = np.diff(marks)
    document = {
        "format": FORMAT,
        "space": trained.space.name,
        "identity": trained.space.identity,
        "device": dict(table.fingerprint.to_dict()),
        "table": table.campaign.when,
        "budget_ms": options.latency_ms,
        "predictor": options.predictor,
        "proxy": options.proxy,
        "guide": guide.name,
        "guide_identity": guide.identity,
        "score": ACCURACY if trained.has_images else guide.scale,
        "searcher": options.searcher,
        "seed": options.seed,
        **trained.belongs(),
        "evaluations": len(study),
        "seconds": dict(zip(("samples", "search", "measure"), np.round(steps, 2), strict=True)),
        "best": front.index(best),
        "points": front,
        "dominated": [point for point, keep in zip(points, kept, strict=True) if not keep],
        # Where accuracies are measured what a proxy says is on another scale than the points.
        "cloud": []
        if trained.has_images and guide.unit
        else _cloud(cloud[:, 1], guide.score(cloud[:, 0])),
        "history": _history(study.problem.objective_values(values), study.feasible),
    }
    write_front(Run(out), document)
    return document


def _cloud(
    latency_ms: npt.NDArray[np.float64], score: npt.NDArray[np.float64]
) -> list[list[float]]:
    pairs = zip(latency_ms.tolist(), score.tolist(), strict=True)
    return [[round(ms, 6), round(value, 4)] for ms, value in pairs]


def _identity(table: LatencyTable) -> str:
    """What predictions depend on: the fitted means of every resolution."""
    means = [fit.posterior.mean_ms.tobytes() for _, fit in sorted(table.fits.items())]
    return sha256_of(table.space.identity.encode() + b"".join(means))


def _history(values: npt.NDArray[np.float64], feasible: npt.NDArray[np.bool_]) -> list[list[float]]:
    """Hypervolume of what is within the budget after some numbers of evaluations.

    The reference point holds the worst error and latency among them.
    """
    reference = values[feasible].max(0)
    numbers = np.unique(np.geomspace(min(10, len(values)), len(values), HISTORY).astype(int))
    return [
        [int(n), round(float(hypervolume(values[:n][feasible[:n]], reference)), 6)] for n in numbers
    ]


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
    )
    target = out or folder
    if target.exists() and not target.is_dir():
        raise ConfigError(f"{target}: a search writes several files; -o is a folder")
    document = search_run(trained, table, options, target, device, screen, resume)
    best = document["points"][document["best"]]
    text = (
        f"best: {best['latency_ms']:.4g} ms measured (budget {latency_ms:g} ms), "
        f"{_quality(document, best)}; wrote {Run(target).front} and "
        f"{Run(target).best}; next: nas export {folder}"
    )
    return document, text


def _quality(document: dict[str, Any], best: dict[str, Any]) -> str:
    if best["val_accuracy"] is not None:
        return f"{best['val_accuracy']:.2f}% of the held-out images"
    score = worded(document["score"], best["score"])
    return f"{score} ({document['guide']}; no images to measure on)"
