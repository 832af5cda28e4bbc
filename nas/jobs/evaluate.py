"""``nas predict``: a predictor for a run, or how good each of them is on the run's subnets."""

from __future__ import annotations

import csv
import dataclasses
import io
import itertools
import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.table import Table

import predictors
from nas.jobs.predictor import fitted_predictor, measured_accuracies, measured_sample
from nas.jobs.proxies import proxy_scores
from nas.jobs.sampling import at_random
from nas.jobs.trained import TrainedRun
from nas.report.predictors import write_predictors
from nas.run import Run
from nas.terminal import Screen
from predictors import COSTS, CostProxy
from predictors.evaluation import LEAST_UNSEEN, Measures, Summary, evaluate, summary
from search_spaces.errors import ConfigError
from search_spaces.files import write_atomic
from search_spaces.space import Population

__all__ = ["evaluate_command", "fit_command"]

FORMAT = 1
SIZES = (25, 50, 100, 200, 400)
Floats = npt.NDArray[np.float64]


def fit_command(
    folder: Path, name: str | None, out: Path | None, screen: Screen
) -> tuple[dict[str, Any], str]:
    """The command ``nas predict``: fit a predictor of the error in percent, and keep it.

    Raises:
        ConfigError: the run has no images.
        PredictorError: no predictor of that name.
    """
    trained = _opened(folder)
    predictors.get(name or predictors.USUAL, trained.space)
    target = out or trained.run.predictor
    fitted = fitted_predictor(trained, name or predictors.USUAL, screen)
    fitted.save(target)
    data = {
        "predictor": str(target),
        "name": fitted.name,
        "samples": trained.config.search.samples,
    }
    text = f"wrote {target}; next: nas search {folder} --predictor {target}"
    return data, text


def evaluate_command(
    folder: Path,
    names: Sequence[str],
    sizes: Sequence[int],
    networks: int | None,
    repeats: int,
    with_proxies: bool,
    screen: Screen,
) -> tuple[dict[str, Any], Table]:
    """The command ``nas predict --evaluate``: ``predictors.json``, ``.csv`` and ``.html``.

    Subnets that are not measured yet are measured on the held-out images and kept.

    Args:
        names: of predictors; none for all.
        sizes: how many subnets to fit on; none for those of ``SIZES`` that leave as many over.
        networks: how many subnets to measure in all; else the configuration's samples.
        repeats: how often each is fitted, on subnets that are drawn anew.
        with_proxies: score the subnets by all zero-cost proxies too, and fit the usual predictor
            with those scores as well.

    Raises:
        ConfigError: fewer networks than a size needs, or the run has no images.
        PredictorError: a predictor of another name.
    """
    trained = _opened(folder)
    names = names or predictors.names()
    for name in names:
        predictors.get(name, trained.space)
    total = networks or trained.config.search.samples
    sizes = sorted(sizes) or [size for size in SIZES if 2 * size <= total]
    if not sizes or sizes[-1] + LEAST_UNSEEN > total:
        most = sizes[-1] if sizes else SIZES[0]
        raise ConfigError(
            f"to fit on {most} networks and rank {LEAST_UNSEEN} others takes {most + LEAST_UNSEEN} "
            f"measured ones; got {total}: raise --networks, or lower --samples"
        )
    X, accuracy = measured(trained, total, screen)
    errors = 100.0 - accuracy
    scores = proxy_scores(trained, X, screen) if with_proxies else {}
    asked: list[tuple[str, str, dict[str, Floats] | None]] = [(name, name, None) for name in names]
    if scores and predictors.USUAL in names:
        asked.append((f"{predictors.USUAL} and proxies", predictors.USUAL, scores))
    rows = []
    with screen.progress("fit predictors", len(asked) * len(sizes) * repeats) as advance:
        for number, ((title, name, beside), size) in enumerate(itertools.product(asked, sizes)):
            of_one = []
            for seed in range(repeats):
                of_one.append(
                    evaluate(
                        name,
                        trained.space,
                        X,
                        errors,
                        size,
                        seed,
                        larger_is_better=False,
                        proxies=beside,
                    )
                )
                advance(number * repeats + seed + 1, f"{title}, {size} subnets")
            rows.append(_row(title, size, summary(of_one)))
    unlabelled = {name: CostProxy(name, trained.space).predict(X) for name in COSTS}
    unlabelled |= {name: -values for name, values in scores.items()}
    rows += [
        _row(name, 0, summary([Measures.of(ranked, None, errors, larger_is_better=False)]))
        for name, ranked in unlabelled.items()
    ]
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
    write_atomic(files["csv"], _csv(rows))
    write_predictors(document, files["html"])
    return {**document, "files": {kind: str(file) for kind, file in files.items()}}, _table(rows)


def _opened(folder: Path) -> TrainedRun:
    trained = TrainedRun(Run.open(folder))
    if not trained.has_images:
        raise ConfigError(
            f"{folder} has no images to measure subnets on; import or convert its weights again "
            "with --data IMAGES"
        )
    return trained


def measured(trained: TrainedRun, total: int, screen: Screen) -> tuple[Population, Floats]:
    """The run's sample, filled up to ``total`` with random subnets: rows and accuracies."""
    X, accuracy = measured_sample(trained, screen)
    known = set(map(tuple, X.tolist()))
    rng = np.random.default_rng([trained.config.search.seed, 2])
    wanted = min(trained.space.size, len(X) + total)
    others = at_random(trained.space, wanted, rng) if total > len(X) else X[:0]
    others = others[[tuple(row) not in known for row in others.tolist()]][: max(0, total - len(X))]
    more = measured_accuracies(trained, others, "measure further subnets", screen)
    return np.concatenate([X, others])[:total], np.concatenate([accuracy, more])[:total]


def _row(name: str, size: int, found: Summary) -> dict[str, Any]:
    row: dict[str, Any] = {"predictor": name, "samples": size}
    for key, value in dataclasses.asdict(found.mean).items():
        row[key] = _number(value)
        row[f"{key}_half"] = _number(getattr(found.half, key))
    return row


def _number(value: float) -> float | None:
    return round(value, 6) if math.isfinite(value) else None


def _csv(rows: Sequence[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _table(rows: Iterable[dict[str, Any]]) -> Table:
    table = Table(header_style="bold")
    table.add_column("predictor")
    for title in ("samples", "Kendall", "Spearman", "regret of 10, points", "in 90% interval"):
        table.add_column(title, justify="right")
    for row in rows:
        table.add_row(
            row["predictor"],
            str(row["samples"] or "none"),
            _spread(row, "kendall", 3),
            _spread(row, "spearman", 3),
            _spread(row, "regret", 2),
            _spread(row, "coverage", 2),
        )
    return table


def _spread(row: dict[str, Any], key: str, digits: int) -> str:
    value, half = row[key], row[f"{key}_half"]
    if value is None:
        return ""
    return f"{value:.{digits}f}" + (f" ± {half:.{digits}f}" if half is not None else "")
