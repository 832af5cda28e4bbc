"""Names of predictors become predictors here, and nowhere else."""

from __future__ import annotations

from pathlib import Path

from predictors.auto import AUTO
from predictors.gp import GP
from predictors.mlp import MLP
from predictors.predictor import Predictor, PredictorError, read
from predictors.ridge import RIDGE
from search_spaces.errors import ArtefactError
from search_spaces.space import Space
from search_spaces.unknown import unknown

METHODS = {"auto": AUTO, "ridge": RIDGE, "gp": GP, "mlp": MLP}


def names() -> tuple[str, ...]:
    """The predictors that ``get`` knows."""
    return tuple(METHODS)


def get(name: str, space: Space, *, seed: int = 0, data: str = "") -> Predictor:
    """An unfitted predictor of networks of ``space``; ``data`` as in ``Predictor``.

    Raises:
        PredictorError: no predictor of that name.
    """
    if name not in METHODS:
        raise PredictorError(unknown("predictor", name, METHODS))
    return Predictor(name, METHODS[name], space, seed=seed, data=data)


def load(path: str | Path, space: Space, *, data: str | None = None) -> Predictor:
    """A predictor that ``save`` wrote, for the space that it was fitted for.

    Raises:
        ArtefactError: not a saved predictor, or one of another space, or of other data than
            ``data`` where that is given.
    """
    header, scale, state = read(path)
    if header["identity"] != space.identity:
        raise ArtefactError(
            f"{path}: fitted for space {header['space']!r} ({header['identity'][:12]}), not for "
            f"{space.name!r} ({space.identity[:12]}); fit one for this space"
        )
    if data is not None and header["data"] != data:
        raise ArtefactError(
            f"{path}: fitted on data {header['data'][:12]!r}, not on {data[:12]!r}; fit it again"
        )
    return get(header["name"], space, data=header["data"]).restore(scale, state, header["samples"])
