"""Names of predictors become predictors here, and nowhere else."""

from __future__ import annotations

from pathlib import Path

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
METHODS = {"auto": AUTO, "ridge": RIDGE, "gp": GP, "boosting": BOOSTING, "mlp": MLP}
# Made for a space, whose plans they read.
READERS = {"graph": graph}


def names() -> tuple[str, ...]:
    """The predictors that ``get`` knows."""
    return (*METHODS, *READERS)


def get(name: str, space: Space, *, seed: int = 0, data: str = "") -> Predictor:
    """An unfitted predictor of networks of ``space``; ``data`` as in ``Predictor``.

    Raises:
        PredictorError: no predictor of that name.
    """
    if name not in names():
        raise PredictorError(unknown("predictor", name, names()))
    method = READERS[name](space) if name in READERS else METHODS[name]
    return Predictor(name, method, space, seed=seed, data=data)


def load(path: str | Path, space: Space, *, data: str | None = None) -> Predictor:
    """A predictor that ``save`` wrote, for the space that it was fitted for.

    Raises:
        ArtefactError: not a saved predictor, or one of another space, or of other data than
            ``data`` where that is given.
    """
    header, scale, state = read(path)
    if header["identity"] != space.identity:
        raise ArtefactError(
            f"{path}: fitted for space "
            f"{apart(header['space'], header['identity'], space.name, space.identity)}; fit one "
            "for this space"
        )
    if data is not None and header["data"] != data:
        raise ArtefactError(
            f"{path}: fitted on data {header['data'][:12]!r}, not on {data[:12]!r}; fit it again"
        )
    fitted = get(header["name"], space, data=header["data"])
    return fitted.restore(scale, state, header["samples"], tuple(header["proxies"]))
