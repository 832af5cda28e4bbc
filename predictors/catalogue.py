"""Names of predictors become predictors here, and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from predictors.auto import AUTO
from predictors.boosting import BOOSTING
from predictors.errors import PredictorError
from predictors.files import read
from predictors.gp import GP
from predictors.graph import graph
from predictors.mlp import MLP
from predictors.predictor import Predictor
from predictors.ridge import RIDGE
from search_spaces.errors import ArtefactError
from search_spaces.mismatch import apart
from search_spaces.space import Space
from search_spaces.unknown import unknown

USUAL = "auto"
ERROR = "error, %"
"""The labels that a search goes by: 100 less the accuracy in percent."""
METHODS = {"auto": AUTO, "ridge": RIDGE, "gp": GP, "boosting": BOOSTING, "mlp": MLP}
# Made for a space, whose plans they read.
READERS = {"graph": graph}


def names() -> tuple[str, ...]:
    """The predictors that ``get`` knows."""
    return (*METHODS, *READERS)


def get(
    name: str,
    space: Space,
    *,
    seed: int = 0,
    labels: str | None = None,
    belongs: Mapping[str, str] | None = None,
) -> Predictor:
    """An unfitted predictor of networks of ``space``; ``labels`` and ``belongs`` are saved along.

    Args:
        name: one of ``names()``.
        space: whose rows it is to be fitted on.
        seed: of all that is random in fits.
        labels: what they will be, with the unit: ``ERROR`` where a search is to take it from a
            file. None leaves it open.
        belongs: what they are measured on, by name, such as a run's weights and images; ``load``
            compares. None leaves it open.

    Raises:
        PredictorError: no predictor of that name.
    """
    if name not in names():
        raise PredictorError(unknown("predictor", name, names()))
    method = READERS[name](space) if name in READERS else METHODS[name]
    return Predictor(name, method, space, seed=seed, labels=labels, belongs=belongs)


def load(path: str | Path, space: Space, *, belongs: Mapping[str, str] | None = None) -> Predictor:
    """A predictor that ``save`` wrote, for the space that it was fitted for.

    Raises:
        ArtefactError: not a saved predictor, or one of another space; or, where ``belongs`` is
            given, one whose labels were measured on something else, or on nobody knows what.
    """
    header, scale, state = read(path)
    if header.identity != space.identity:
        raise ArtefactError(
            f"{path}: fitted for space "
            f"{apart(header.space, header.identity, space.name, space.identity)}; fit one "
            "for this space"
        )
    if belongs is not None:
        _require(path, header.belongs, belongs)
    try:
        fitted = get(header.name, space, labels=header.labels, belongs=header.belongs)
        fitted.restore(header, scale, state)
        said = fitted.predict(
            space.smallest, return_std=True, proxies={name: [0.0] for name in header.proxies}
        )
    except (PredictorError, LookupError, TypeError, ValueError, RuntimeError) as error:
        raise ArtefactError(f"{path}: damaged; fit it again ({error})") from error
    if not np.isfinite(said).all():
        raise ArtefactError(f"{path}: damaged, it does not predict numbers; fit it again")
    return fitted


def _require(path: str | Path, known: Mapping[str, str] | None, wanted: Mapping[str, str]) -> None:
    again = "fit one with `nas predict RUN`"
    if not known:
        raise ArtefactError(
            f"{path}: does not say what its labels were measured on ({' and '.join(wanted)}); "
            f"{again}, or say it in predictors.get(..., belongs=...)"
        )
    differ = [
        f"{name} ({known.get(name, '')[:12] or 'none'}, not {value[:12] or 'none'})"
        for name, value in wanted.items()
        if known.get(name) != value
    ]
    if differ:
        raise ArtefactError(f"{path}: fitted on other {' and '.join(differ)}; {again}")
