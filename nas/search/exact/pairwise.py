"""A predictor that knows what every decision is worth, and every two of them together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nas.search.exact.formula import Formula, Pairs, Sum
from nas.search.searcher import Floats, Rows
from search_spaces.paths import Paths
from search_spaces.space import Space


@dataclass(frozen=True, eq=False)
class Pairwise:
    """A function of rows: a constant, what options are worth, and what two of them are together.

    Options count where the network reads their choice. They are numbered through all choices.

    Attributes:
        options: [options].
        pairs: [options, options]; only what is above the diagonal counts, between two choices.
    """

    space: Space
    constant: float
    options: Floats
    pairs: Floats

    def __call__(self, rows: Rows) -> Floats:
        """Of rows [n, choices]: [n]."""
        canonical, used, _ = self.space.resolved(rows)
        offsets = np.cumsum([0, *(len(choice.values) for choice in self.space.choices)])
        decided = np.zeros((len(canonical), int(offsets[-1])))
        at = canonical + offsets[:-1]
        np.put_along_axis(decided, at, used.astype(np.float64), axis=1)
        together = ((decided @ np.triu(self.pairs, 1)) * decided).sum(axis=1)
        return np.asarray(self.constant + decided @ self.options + together, dtype=np.float64)

    def formula(self, paths: Paths) -> Formula:
        """For ``optimum``."""
        return Formula(
            Sum(self.constant, paths.decisions(self.options)), pairs=Pairs(np.triu(self.pairs, 1))
        )
