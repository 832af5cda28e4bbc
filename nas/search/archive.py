"""Which network is the best of each kind?

The archive of MAP-Elites (Mouret and Clune, "Illuminating search spaces by mapping elites", 2015):
dimensions divide networks into cells, and every cell keeps the best that fell into it. A pure
function of what was evaluated, so that any study can be seen as a map, whoever searched it.

Our own, and not pyribs': its archives want one number as quality, where limits come before
objectives here, and bring a compiler (numba) for what is a sort.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from nas.search.problem import SearchError
from nas.search.searcher import Floats, Rows

Cells = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Axis:
    """What cells are told by: a name, and the ``edges`` [cells + 1] between them.

    A cell has its lower edge and not its upper one; values beyond the ends are of the cells there.
    Where each cell stands for one number that can occur, ``values`` [cells] are those numbers.
    """

    name: str
    edges: Floats
    values: Floats | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        edges = np.asarray(self.edges, dtype=np.float64)
        if edges.ndim != 1 or len(edges) < 2 or not (np.diff(edges) > 0).all():
            raise SearchError(
                f"edges of dimension {self.name!r} are two or more increasing numbers; got "
                f"{edges.tolist()}"
            )
        object.__setattr__(self, "edges", edges)
        if self.values is not None:
            values = np.asarray(self.values, dtype=np.float64)
            if (
                values.shape != (len(edges) - 1,)
                or not ((edges[:-1] <= values) & (values < edges[1:])).all()
            ):
                raise SearchError(
                    f"values of dimension {self.name!r} are one number in each of its "
                    f"{len(edges) - 1} cells; got {values.tolist()}"
                )
            object.__setattr__(self, "values", values)


@dataclass(frozen=True, eq=False)
class Dimension(Axis):
    """An axis, and the function of rows [n, choices] -> [n] that says where they are on it."""

    function: Callable[[Rows], npt.ArrayLike]

    def cell(self, rows: Rows) -> Cells:
        """The number of each row's cell: [n]; raises ``SearchError`` where there is no value."""
        values = np.asarray(self.function(rows), dtype=np.float64)
        if values.shape != (len(rows),) or np.isnan(values).any():
            raise SearchError(
                f"dimension {self.name!r} must return one number a row, shape ({len(rows)},) "
                f"without NaN; got shape {values.shape}"
            )
        return np.searchsorted(self.edges[1:-1], values, side="right").astype(np.int64)


@dataclass(frozen=True, eq=False)
class Archive:
    """The elites: ``cells`` [m, dimensions], ``rows`` [m, choices], ``qualities`` and
    ``violations`` [m], in the order of cells.

    A quality is minimised; a violation above 0 says that the cell has no row within the limits.
    """

    dimensions: tuple[Axis, ...]
    cells: Cells
    rows: Rows
    qualities: Floats
    violations: Floats

    def __len__(self) -> int:
        return len(self.rows)


def archive(
    dimensions: Sequence[Dimension], rows: Rows, qualities: Floats, violations: Floats
) -> Archive:
    """The elites among rows [n, choices] with qualities [n] and sums of violations [n].

    Raises:
        SearchError: no dimension, or one without a number for every row.
    """
    if not dimensions:
        raise SearchError("a map has one dimension or more; got none")
    cells = np.column_stack([dimension.cell(rows) for dimension in dimensions])
    kept, where = best_of_cells(cells, qualities, violations)
    return Archive(tuple(dimensions), kept, rows[where], qualities[where], violations[where])


def best_of_cells(
    cells: Cells, qualities: Floats, violations: Floats
) -> tuple[Cells, npt.NDArray[np.int64]]:
    """The distinct ``cells`` [n, dimensions], and the position of the best row of each.

    The one that violates less is better, then the one of smaller quality, then the earlier one.
    """
    excess = np.maximum(violations, 0)
    order = np.lexsort((qualities, excess))
    distinct, first = np.unique(cells[order], axis=0, return_index=True)
    return distinct, order[first]
