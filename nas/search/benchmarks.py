"""Published accuracies as objectives: a search is judged where the truth is known."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from nas.search.problem import Function, SearchError
from nas.search.searcher import Floats, Rows
from search_spaces.errors import ArtefactError
from search_spaces.nas_bench_macro import LAYERS, OPTIONS, genotypes

RUNS = 3


def nas_bench_macro(path: str | Path, run: int | None = None) -> Function:
    """The error in percent on CIFAR-10's test images that NAS-Bench-Macro measured.

    The function takes rows [n, 8] of the space ``nas-bench-macro``, canonical or not, and looks
    every row up under its own genotype: [n]. ``path`` is the benchmark's
    ``nas-bench-macro_cifar10.json`` (github.com/xiusu/NAS-Bench-Macro; Su et al., "Prioritized
    Architecture Sampling with Monto-Carlo Tree Search", CVPR 2021). ``run`` is one of its three
    trainings, 0 to 2; without it the error is their mean.

    Raises:
        SearchError: no such training.
        ArtefactError: no such file, one that is damaged, or one without all 6,561 networks.
    """
    if run is not None and run not in range(RUNS):
        raise SearchError(f"run is 0 to {RUNS - 1}, or None for the mean; got {run}")
    trainings = _read(Path(path))
    errors = {
        genotype: 100.0 - (sum(accuracies) / RUNS if run is None else accuracies[run])
        for genotype, accuracies in trainings.items()
    }

    def error(rows: Rows) -> Floats:
        return np.array([errors[genotype] for genotype in genotypes(rows)], dtype=np.float64)

    return error


def _read(path: Path) -> dict[str, list[float]]:
    """Accuracies in percent of the three trainings, by genotype."""
    again = "get nas-bench-macro_cifar10.json again from github.com/xiusu/NAS-Bench-Macro"
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ArtefactError(
            f"{path}: the benchmark cannot be read ({error.strerror}); give the path of "
            "nas-bench-macro_cifar10.json"
        ) from None
    except ValueError as error:
        raise ArtefactError(f"{path}: truncated, or not JSON ({error}); {again}") from None
    if not isinstance(document, dict):
        raise ArtefactError(
            f"{path}: an object of networks is expected, got {type(document).__name__}; {again}"
        )
    expected = len(OPTIONS) ** len(LAYERS)
    every = genotypes(np.indices((len(OPTIONS),) * len(LAYERS)).reshape(len(LAYERS), -1).T)
    missing = [genotype for genotype in every if genotype not in document]
    if missing:
        raise ArtefactError(
            f"{path}: the benchmark has {expected:,} networks, here {len(missing):,} of them are "
            f"missing, {missing[0]!r} first; {again}"
        )
    return {genotype: _accuracies(path, genotype, document[genotype], again) for genotype in every}


def _accuracies(path: Path, genotype: str, network: Any, again: str) -> list[float]:
    found = network.get("test_acc") if isinstance(network, dict) else None
    if not isinstance(found, list) or len(found) != RUNS or not all(map(_is_percent, found)):
        raise ArtefactError(
            f"{path}: test_acc of {genotype!r} must be {RUNS} percentages, got {found}; {again}"
        )
    return [float(accuracy) for accuracy in found]


def _is_percent(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value) and 0 <= value <= 100
