"""When a round of a search ends, as a user says it: what is reached first."""

from __future__ import annotations

import math
from dataclasses import dataclass

from search_spaces.errors import ConfigError

__all__ = ["MOST", "Ends"]

MOST = 2_000_000
"""Evaluations of a round that time alone ends: 2 GiB of memory hold so many of a random search
without limits (``experiments/search/memory.py``)."""


@dataclass(frozen=True)
class Ends:
    """``--budget``, ``--minutes`` and ``--stagnation``; None is what was not said.

    Attributes:
        evaluations: how many networks a round evaluates.
        minutes: how long a round searches, what it took before it was resumed included.
        stagnation: over how many evaluations a round's hypervolume may stand still.

    Raises:
        ConfigError: a number that is not above 0; a stagnation that no round could come to.
    """

    evaluations: int | None = None
    minutes: float | None = None
    stagnation: int | None = None

    def __post_init__(self) -> None:
        if self.evaluations is not None and self.evaluations < 1:
            raise ConfigError(f"--budget is 1 evaluation or more; got {self.evaluations}")
        if self.minutes is not None and not (self.minutes > 0 and math.isfinite(self.minutes)):
            raise ConfigError(
                f"--minutes is a number above 0, for example 0.5; got {self.minutes:g}"
            )
        if self.stagnation is not None and self.stagnation < 1:
            raise ConfigError(f"--stagnation is 1 evaluation or more; got {self.stagnation}")

    def most(self, usual: int) -> int:
        """Evaluations after which a round ends: those said, else the ``usual`` ones.

        Where time is limited and evaluations are not, it is time that is to end it.

        Raises:
            ConfigError: the search would never have stood still for so long.
        """
        found = self.evaluations or (usual if self.minutes is None else MOST)
        if self.stagnation is not None and self.stagnation >= found:
            raise ConfigError(
                f"--stagnation {self.stagnation} would never end a round of {found} evaluations; "
                "lower it, or raise --budget"
            )
        return found
