"""Which rows are one network: what is never to be on both sides of a split."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from search_spaces.space import Population, Space


def networks(space: Space, rows: Population) -> npt.NDArray[np.intp]:
    """A number for each row of ``rows`` [n, choices], equal exactly where networks are: [n].

    Where a space does not promise that equal networks have equal rows, by their digests, which
    takes a millisecond for each network.
    """
    plans, of_row = np.unique(space.index(space.canonical(rows)), axis=0, return_inverse=True)
    if space.rows_are_exact or not len(plans):
        return of_row
    _, first = np.unique(of_row, return_index=True)
    digests = [space.digest(space.decode(row)) for row in rows[first]]
    return np.unique(digests, return_inverse=True)[1][of_row]
