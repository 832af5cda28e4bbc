"""Columns that are passed along with rows, by name: proxies, or whatever else is known of them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from predictors.errors import PredictorError

Floats = npt.NDArray[np.float64]
Columns = Mapping[str, npt.ArrayLike]
"""For every name a number of each row [n]."""


def stacked(columns: Columns | None, rows: int, names: tuple[str, ...] | None = None) -> Floats:
    """The columns side by side, [n, names], in the order of ``names`` or else their own.

    Raises:
        PredictorError: no names, or other ones than ``names``; not one number for each row, or one
            that is not finite.
    """
    if not isinstance(columns, Mapping | None):
        raise PredictorError(
            "proxies are given by name, {name: a number of each row}; got "
            f"{type(columns).__name__}"
        )
    given = columns or {}
    if names is not None and set(given) != set(names):
        raise PredictorError(
            f"proxies at predict are those of fit: {_listed(names)}; got {_listed(tuple(given))}"
        )
    stack = np.empty((rows, len(given)))
    for k, name in enumerate(given if names is None else names):
        values = numbers(given[name], f"proxy {name!r}")
        if values.shape != (rows,):
            raise PredictorError(
                f"proxy {name!r}: one number for each of {rows} rows; got shape {values.shape}"
            )
        bad = np.flatnonzero(~np.isfinite(values))
        if len(bad):
            raise PredictorError(
                f"proxy {name!r}: numbers are finite; that of row {bad[0]} is {values[bad[0]]}: "
                "leave out the row, or the proxy"
            )
        stack[:, k] = values
    return stack


def numbers(values: npt.ArrayLike, what: str) -> Floats:
    """As an array; ``what`` they are is said in errors.

    Raises:
        PredictorError: something else than numbers.
    """
    try:
        return np.asarray(values, dtype=np.float64)
    except (ValueError, TypeError) as error:
        raise PredictorError(f"{what}: numbers are needed ({error})") from error


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(map(repr, names)) or "none"
