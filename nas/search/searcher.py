"""The seam between a study and what proposes networks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from search_spaces.errors import NasLoopError

Rows = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Population:
    """``rows`` [n, choices], canonical; ``fidelity`` [n] where cheaper trials are asked for.

    A fidelity is a share of the whole evaluation, above 0 and at most 1; None is 1 for all. Raises
    ``NasLoopError`` for another one, or more or fewer than rows.
    """

    rows: Rows
    fidelity: Floats | None = None

    def __post_init__(self) -> None:
        shares = self.fidelity
        if shares is None:
            return
        if shares.shape != (len(self.rows),) or not ((shares > 0) & (shares <= 1)).all():
            raise NasLoopError(
                f"a fidelity is above 0 and at most 1, one for each of {len(self.rows)} rows; got "
                f"shape {shares.shape} with {shares[~((shares > 0) & (shares <= 1))][:3].tolist()}"
            )

    def __len__(self) -> int:
        return len(self.rows)


class Searcher(Protocol):
    """Proposes rows and learns what they are worth. Called in turn: ask, tell, ask, tell.

    What is told is a part of what was asked, in its order, maybe nothing: a budget may end in the
    middle, and evaluations may fail. Two searchers made with equally seeded generators and told
    the same ask the same. A row is proposed once at a fidelity; fewer than ``n`` rows, or none, say
    that the space has no more that could be found.
    """

    def ask(self, n: int) -> Population:
        """At most ``n`` rows that were not asked before."""
        ...

    def tell(self, population: Population, objectives: Floats, violations: Floats) -> None:
        """Objectives [n, k] to minimise; violations [n, c], feasible where all are <= 0."""
        ...
