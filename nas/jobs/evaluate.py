"""``nas predict``: a predictor for a run, or how good each of them is on the run's subnets."""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.console import Group

import predictors
from nas.disk import existing
from nas.engine import LOCAL, Engine
from nas.jobs.engines import engine_of
from nas.jobs.evaluated import as_csv, as_row, as_table
from nas.jobs.predict_cost import announce_evaluation, announce_fit
from nas.jobs.predictor import (
    fitted_predictor,
    measured_accuracies,
    measured_sample,
    sampled,
)
from nas.jobs.proxies import COMBINED, proxy_scores
from nas.jobs.sampling import at_random
from nas.jobs.trained import TrainedRun
from nas.report.predictors import write_predictors
from nas.run import Run
from nas.terminal import Screen
from predictors import COSTS, CostProxy, PredictorError
from predictors.archive import SUFFIX
from predictors.cross_validation import PARTS, cross_validated
from predictors.evaluation import LEAST_UNSEEN, Measures, evaluate, judge, summary
from predictors.fits import Fits, digest
from search_spaces.errors import ConfigError
from search_spaces.files import write_atomic
from search_spaces.space import Population

__all__ = ["evaluate_command", "fit_command"]

FORMAT = 1
SIZES = (25, 50, 100, 200, 400)
Floats = npt.NDArray[np.float64]


def fit_command(
    folder: Path, name: str | None, out: Path | None, screen: Screen, engine: str = "local"
) -> tuple[dict[str, Any], str]:
    """The command ``nas predict``: fit a predictor of the error in percent, and keep it.

    How good it is is cross-validated on the same subnets, and said with 95% intervals.

    Raises:
        ConfigError: the run has no images, or ``out`` cannot be the file of a predictor.
        PredictorError: no predictor of that name, or subnets that are all as accurate.
    """
    trained = _opened(folder)
    predictors.get(name or predictors.USUAL, trained.space)
    target = out or trained.run.predictor
    _require_writable(target)
    announce_fit(trained, name or predictors.USUAL, target, screen)
    with engine_of(engine) as working:
        X, accuracy = measured_sample(trained, screen, engine=working)
    fitted = fitted_predictor(trained, name or predictors.USUAL, X, accuracy)
    fitted.save(target)
    found, said = _cross_validated(fitted.name, trained, X, accuracy, screen)
    data = {
        "predictor": str(target),
        "name": fitted.name,
        "samples": len(X),
        "cross_validated": found,
    }
    budget = " --latency-ms MS" if trained.config.search.latency_ms is None else ""
    text = f"{said}\nwrote {target}, fitted on {len(X)} subnets"
    text += f"; next: nas search {folder}{budget} --predictor {target}"
    return data, text


def _cross_validated(
    name: str, trained: TrainedRun, X: Population, accuracy: Floats, screen: Screen
) -> tuple[dict[str, Any] | None, str]:
    """How good a predictor is by the subnets that it is fitted on: for JSON, and as a line."""
    try:
        with screen.progress("cross-validate", PARTS) as advance:
            found = cross_validated(
                name, trained.space, X, 100.0 - accuracy, tell=lambda done: advance(done, "parts")
            )
    except PredictorError as error:
        return None, f"not cross-validated: {error}"
    tau, off = found.kendall, found.error
    said = (
        f"cross-validated: Kendall {tau.value:.3f} ({tau.low:.3f} to {tau.high:.3f}), off by "
        f"{off.value:.2f} points in the mean ({off.low:.2f} to {off.high:.2f}), "
        f"90% intervals hold {found.coverage.value:.0%} "
        f"({found.coverage.low:.0%} to {found.coverage.high:.0%})"
    )
    return dataclasses.asdict(found), said


def evaluate_command(
    folder: Path,
    names: Sequence[str],
    sizes: Sequence[int],
    networks: int | None,
    repeats: int,
    with_proxies: bool,
    screen: Screen,
    engine: str = "local",
) -> tuple[dict[str, Any], Group]:
    """The command ``nas predict --evaluate``: ``predictors.json``, ``.csv`` and ``.html``.

    Subnets that are not measured yet are measured on the held-out images and kept, and so is what
    each fit says. What needs no fit is judged on what the largest size leaves over.

    Args:
        names: of predictors; none for all.
        sizes: how many subnets to fit on; none for those of ``SIZES`` that leave as many over.
        networks: how many subnets to measure in all; else the configuration's samples.
        repeats: how often each is fitted, on subnets that are drawn anew.
        with_proxies: score the subnets by all zero-cost proxies too, and fit the usual predictor
            with those scores as well.
        engine: where subnets are measured and scored, by name.

    Raises:
        ConfigError: fewer networks than a size needs, or the run has no images.
        PredictorError: a predictor of another name.
        ArtefactError: a file in the run of fits or scores that is damaged or of something else.
    """
    trained = _opened(folder)
    names = tuple(dict.fromkeys(names)) or predictors.names()
    for name in names:
        predictors.get(name, trained.space)
    total = networks or trained.config.search.samples
    sizes = sorted(set(sizes)) or [size for size in SIZES if 2 * size <= total]
    if not sizes or sizes[-1] + LEAST_UNSEEN > total:
        most = sizes[-1] if sizes else SIZES[0]
        raise ConfigError(
            f"to fit on {most} networks and rank {LEAST_UNSEEN} others takes {most + LEAST_UNSEEN} "
            f"measured ones; got {total}: raise --networks, or lower --samples"
        )
    # To be fitted: each of them, and the usual one with the scores beside it.
    fitted = [*names, *([predictors.USUAL] if with_proxies and predictors.USUAL in names else [])]
    foreseen = _filled(trained, sampled(trained)[:total], total)
    announce_evaluation(trained, foreseen, fitted, len(sizes) * repeats, with_proxies, screen)
    with engine_of(engine) as working:
        X, accuracy = measured(trained, total, screen, working)
        scores = proxy_scores(trained, X, screen, working) if with_proxies else {}
    errors = 100.0 - accuracy
    plain = _KeptFits(trained, X, errors, {})
    asked = [(name, name, plain) for name in names]
    if scores and predictors.USUAL in names:
        # Not the combination, which has seen how all of them rank, those to be predicted too.
        alone = {name: values for name, values in scores.items() if name != COMBINED}
        title = f"{predictors.USUAL} and proxies"
        asked.append((title, predictors.USUAL, _KeptFits(trained, X, errors, alone)))
    rows = []
    with screen.progress("fit predictors", len(asked) * len(sizes) * repeats) as advance:
        for number, ((title, name, fits), size) in enumerate(itertools.product(asked, sizes)):
            of_one = []
            for seed in range(repeats):
                of_one.append(fits.measured(name, size, seed))
                advance(number * repeats + seed + 1, f"{title}, {size} subnets")
            rows.append(as_row(title, size, summary(of_one)))
    unfitted = {name: -values for name, values in scores.items() if name not in COSTS}
    for name in COSTS:
        unfitted[name] = CostProxy(name, trained.space).predict(X)
    for name, said in unfitted.items():
        judged = [
            judge(said, trained.space, X, errors, sizes[-1], seed, larger_is_better=False)
            for seed in range(repeats)
        ]
        rows.append(as_row(name, 0, summary(judged)))
    document = {
        "format": FORMAT,
        "space": trained.space.identity,
        **trained.belongs(),
        "sampling": trained.config.search.sampling,
        "networks": len(X),
        "repeats": repeats,
        "rows": rows,
    }
    files = {kind: trained.run.predictors(kind) for kind in ("json", "csv", "html")}
    write_atomic(files["json"], json.dumps(document, indent=1) + "\n")
    write_atomic(files["csv"], as_csv(rows))
    write_predictors(document, files["html"])
    data = {**document, "files": {kind: str(file) for kind, file in files.items()}}
    return data, Group(as_table(rows), f"wrote {', '.join(map(str, files.values()))}")


class _KeptFits:
    """Fits on subnets of a run, with ``scores`` beside them; what they say is kept in the run."""

    def __init__(
        self, trained: TrainedRun, X: Population, errors: Floats, scores: dict[str, Floats]
    ) -> None:
        self._data = trained.space, X, errors
        self._scores = scores
        belongs = {"space": trained.space.identity, **trained.belongs()}
        identity = digest(belongs, X, errors, scores)
        self._fits = Fits(trained.run.fits(identity), {"subnets": identity})

    def measured(self, name: str, size: int, seed: int) -> Measures:
        def measure() -> Measures:
            return evaluate(
                name, *self._data, size, seed, larger_is_better=False, proxies=self._scores
            )

        return self._fits.measured("subnets", name, size, seed, measure)


def _opened(folder: Path) -> TrainedRun:
    trained = TrainedRun(Run.open(folder))
    if not trained.has_images:
        raise ConfigError(
            f"{folder} has no images to measure subnets on; import or convert its weights again "
            "with --data IMAGES"
        )
    return trained


def _require_writable(target: Path) -> None:
    folder = existing(target.parent)
    if target.suffix != SUFFIX:
        wrong = f"ends with {SUFFIX}"
    elif target.is_dir():
        wrong = "is a file, and this is a folder"
    elif not (folder.is_dir() and os.access(folder, os.W_OK)):
        wrong = f"is written, and {folder} is no folder that can be written to"
    else:
        return
    raise ConfigError(f"-o {target}: a predictor's file {wrong}; name another")


def measured(
    trained: TrainedRun, total: int, screen: Screen, engine: Engine = LOCAL
) -> tuple[Population, Floats]:
    """The run's sample, cut or filled up with random subnets to ``total``: rows and accuracies."""
    X, accuracy = measured_sample(trained, screen, total, engine)
    whole = _filled(trained, X, total)
    others = whole[len(X) :]
    more = measured_accuracies(trained, others, "measure further subnets", screen, engine)
    return whole, np.concatenate([accuracy, more])


def _filled(trained: TrainedRun, X: Population, total: int) -> Population:
    """``X`` [n, choices] and random rows that are not among them: [total, choices] or more."""
    known = set(map(tuple, X.tolist()))
    rng = np.random.default_rng([trained.config.search.seed, 2])
    wanted = min(trained.space.size, len(X) + total)
    others = at_random(trained.space, wanted, rng) if total > len(X) else X[:0]
    others = others[[tuple(row) not in known for row in others.tolist()]][: max(0, total - len(X))]
    return np.concatenate([X, others])
