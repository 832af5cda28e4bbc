"""What a map of networks may be over: what they cost, their resolution, their layers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from nas.search.archive import Dimension
from nas.search.searcher import Rows
from search_spaces.space import Space

__all__ = ["cost", "layers", "resolution", "usual_dimensions"]

# Cells over a cost, and over layers at most.
FINE, COARSE = 24, 12


def usual_dimensions(space: Space) -> tuple[Dimension, ...]:
    """MACs, and resolution where that is a choice, else how many layers a network has."""
    millions = np.array([spec.macs / 1e6 for spec in space.specs])
    edges = _factors(*space.bounds(millions))
    macs = Dimension("million MACs", edges, lambda rows: space.total(millions, rows))
    return macs, resolution(space) or layers(space)


def cost(name: str, function: Callable[[Rows], npt.ArrayLike], rows: Rows) -> Dimension:
    """Cells that grow by equal factors, from the least to the most that rows [n, choices] cost.

    ``function`` is what networks cost, rows [n, choices] to [n]; where that is not above 0 there is
    one cell.
    """
    values = np.asarray(function(rows), dtype=np.float64)
    return Dimension(name, _factors(float(values.min()), float(values.max())), function)


def resolution(space: Space) -> Dimension | None:
    """A cell for each resolution that networks may take; None where there is no choice."""
    names = [choice.name for choice in space.choices]
    if "resolution" not in names:
        return None
    position = names.index("resolution")
    values = np.array(space.choices[position].values, dtype=np.float64)
    known = np.unique(values)
    if len(known) < 2:
        return None
    # Cells end half way between two resolutions.
    between = (known[1:] + known[:-1]) / 2
    ends = 2 * known[0] - between[0], 2 * known[-1] - between[-1]
    edges = np.concatenate([ends[:1], between, ends[1:]])
    return Dimension("resolution", edges, lambda rows: values[rows[:, position]], values=known)


def layers(space: Space) -> Dimension:
    """How many layers a network has: a cell for each number of them, or for a few."""
    # Number 0 of the specs is the layer that is none.
    one = (np.arange(len(space.specs)) > 0).astype(np.float64)
    low, high = space.bounds(one)
    numbers = np.arange(low, high + 1)
    cells = min(COARSE, len(numbers))
    edges = np.linspace(low - 0.5, high + 0.5, cells + 1)
    known = numbers if cells == len(numbers) else None
    return Dimension("layers", edges, lambda rows: space.total(one, rows), values=known)


def _factors(low: float, high: float) -> npt.NDArray[np.float64]:
    """The edges of ``FINE`` cells; of one where factors would not do."""
    if high > low > 0:
        return np.geomspace(low, high, FINE + 1)
    return np.array([low - 0.5, high + 0.5])
