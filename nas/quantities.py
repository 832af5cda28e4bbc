"""Names of what networks are worth become functions over populations here, and nowhere else.

``macs``, ``parameters`` and ``model_mb`` follow from a space alone; ``latency``, ``energy_mj`` and
``peak_memory_mb`` from a latency table, and ``latency@pi4`` says from whose; ``accuracy`` from a
predictor. A function of one's own is a ``Quantity`` as good as these.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from latency_lut import LatencyTable
from latency_lut.costs import NAMES as COSTS
from nas.search import Plain, SearchError
from predictors import Predictor
from search_spaces.errors import ArtefactError
from search_spaces.space import Floats, Population, Space
from search_spaces.unknown import unknown

__all__ = ["ACCURACY", "LATENCY", "MEASURED", "NAMES", "Basis", "Quantity", "get", "plain", "upper"]

Basis = Literal["counted", "predicted", "computed"]
"""Exact from the network's layers; an estimate of a table or predictor; by a user's function."""

LATENCY, ACCURACY, MODEL_MB = "latency", "accuracy", "model_mb"
UNITS = {
    ACCURACY: "%",
    LATENCY: "ms",
    "macs": "",
    "parameters": "",
    MODEL_MB: "MB",
    "peak_memory_mb": "MB",
    "energy_mj": "mJ",
}
NAMES = tuple(UNITS)
"""The names that ``get`` knows; those of a table's take ``@`` and the table's name."""
MEASURED = (MODEL_MB, "peak_memory_mb")
"""Beside latency and accuracy: what is measured of networks that a search measures."""
OF_TABLES = (LATENCY, *COSTS)
BYTES, MB = 4, 1e6
TRIED = 256

Spread = Callable[[Population], tuple[Floats, Floats]]


@dataclass(frozen=True, eq=False)
class Quantity:
    """A named function of rows [n, choices]: one finite number a row, [n], in ``unit``.

    Attributes:
        name: as users write it.
        function: values as people read them.
        unit: of the values; empty for counts.
        basis: how far values are to be believed before anything is measured.
        whole: None where smaller is better. Else more is better, and ``whole`` minus the value is
            what a search minimises: 100 for accuracies, which makes them errors in percent.
        spread: rows to (mean, standard deviation), [n] each, where a deviation is known.
        table: whose predictions they are.
    """

    name: str
    function: Plain
    unit: str = ""
    basis: Basis = "computed"
    whole: float | None = None
    spread: Spread | None = None
    table: LatencyTable | None = None

    def minimised(self, rows: Population) -> Floats:
        """What a search minimises, or keeps below ``turned(limit)``: [n]."""
        values = np.asarray(self.function(rows), dtype=np.float64)
        return values if self.whole is None else self.whole - values

    def turned(self, value: float) -> float:
        """From a value or a limit to what is minimised, and back."""
        return value if self.whole is None else self.whole - value

    def said(self, value: float) -> str:
        """A value with its unit."""
        return f"{plain(value)}{'' if self.unit in ('', '%') else ' '}{self.unit}"


def plain(value: float) -> str:
    """Six significant digits, never in exponents."""
    return np.format_float_positional(value, precision=6, fractional=False, trim="-")


def upper(quantity: Quantity, deviations: float) -> Plain:
    """The upper end of a quantity, so many standard deviations above, where they are known."""
    spread = quantity.spread
    if spread is None or not deviations:
        return quantity.minimised

    def function(rows: Population) -> Floats:
        mean, std = spread(rows)
        return np.asarray(mean + deviations * std, dtype=np.float64)

    return function


def get(
    name: str,
    space: Space,
    *,
    table: LatencyTable | None = None,
    tables: Mapping[str, LatencyTable] | None = None,
    predictor: Predictor | None = None,
) -> Quantity:
    """The quantity of that name for networks of ``space``.

    Args:
        table: of the device that ``latency`` and its costs mean where no name follows them.
        tables: others by name: ``latency@pi4`` is that of ``tables["pi4"]``.
        predictor: of the error in percent, for ``accuracy``.

    Raises:
        SearchError: no such quantity, no such table, or a predictor is wanted.
        ArtefactError: the table lacks the figure, or layers or resolutions of the space.
    """
    base, at, owner = name.partition("@")
    if base not in UNITS or (at and base not in OF_TABLES):
        names = [*NAMES, *(f"{cost}@{one}" for cost in OF_TABLES for one in tables or ())]
        raise SearchError(unknown("quantity", name, names))
    if base in OF_TABLES:
        found = (tables or {}).get(owner) if at else table
        if found is None:
            raise SearchError(_no_table(name, base, owner, tables or {}))
        return _of_table(name, base, space, found)
    if base == ACCURACY:
        if predictor is None:
            raise SearchError("accuracy is known by a predictor of the error; none was given")
        return _accuracy(predictor)
    return Quantity(name, _counted(base, space), UNITS[base], "counted")


def _counted(base: str, space: Space) -> Plain:
    """``model_mb`` is that of the weights in float32; a file has the graph beside them, which is
    some kilobytes, and norms folded into them."""
    if base == MODEL_MB:
        return lambda rows: BYTES * space.parameters(rows) / MB
    return space.macs if base == "macs" else space.parameters


def _accuracy(predictor: Predictor) -> Quantity:
    def accuracy(rows: Population) -> Floats:
        return 100.0 - np.asarray(predictor.predict(rows), dtype=np.float64)

    return Quantity(ACCURACY, accuracy, UNITS[ACCURACY], "predicted", whole=100.0)


def _of_table(name: str, base: str, space: Space, table: LatencyTable) -> Quantity:
    def latency(rows: Population) -> npt.ArrayLike:
        return table.predict(rows)

    def cost(rows: Population) -> npt.ArrayLike:
        return table.cost(base, rows)

    def spread(rows: Population) -> tuple[Floats, Floats]:
        mean, std = table.predict(rows, return_std=True)
        return np.asarray(mean, np.float64), np.asarray(std, np.float64)

    function = latency if base == LATENCY else cost
    try:
        # What the table cannot say is found out now, and not in the middle of a search.
        function(space.sample(TRIED, np.random.default_rng(0)))
    except ArtefactError as error:
        raise ArtefactError(f"{name}: {error}") from error
    known = spread if base == LATENCY else None
    return Quantity(name, function, UNITS[base], "predicted", spread=known, table=table)


def _no_table(name: str, base: str, owner: str, tables: Mapping[str, LatencyTable]) -> str:
    if not owner:
        return f"{name} is told by a latency table: say whose, such as {base}@pi4, or give one"
    if not tables:
        return f"{name}: there is no latency table of the name {owner!r}, nor any other"
    return f"{name}: {unknown('latency table', owner, tables)}"
