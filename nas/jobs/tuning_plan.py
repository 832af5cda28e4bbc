"""Which subnets are fine-tuned, and how far: the search over fine-tunings, and its cost told."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from latency_lut import LatencyTable
from nas import search as searching
from nas.jobs.tuning_trials import epochs_of
from nas.search.searchers.fidelities import deepening, depth, halvings
from nas.search.searchers.rungs import ETA
from search_spaces.errors import ConfigError
from search_spaces.space import Floats, Population, Space

__all__ = ["SEARCHERS", "Planned", "TuningOptions", "planned", "tuning_study"]

SEARCHERS = {"halving": halvings, "hyperband": deepening}
"""Those that stop poor candidates early."""


@dataclass(frozen=True)
class TuningOptions:
    """What a search over fine-tunings is told; see the command's help.

    Raises:
        ConfigError: another searcher, too few epochs to stop early, numbers that are not above 0.
    """

    searcher: str
    epochs: int
    latency_ms: float
    budget: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.searcher not in SEARCHERS:
            raise ConfigError(
                f"--searcher is {' or '.join(SEARCHERS)} here, which stop poor subnets early; got "
                f"{self.searcher!r}"
            )
        if not self.levels:
            raise ConfigError(
                f"--searcher {self.searcher} stops subnets at a third of --epochs, which takes "
                f"{ETA} or more; got {self.epochs}"
            )
        if not (self.latency_ms > 0 and math.isfinite(self.latency_ms)):
            raise ConfigError(
                f"--latency-ms is a number above 0, in milliseconds; got {self.latency_ms:g}"
            )
        if self.budget is not None and self.budget < 1:
            raise ConfigError(f"--budget is 1 whole fine-tuning or more; got {self.budget}")
        if self.seed < 0:
            raise ConfigError(f"--seed is 0 or more; got {self.seed}")

    @property
    def levels(self) -> int:
        """How often a subnet may be stopped before its end."""
        return depth(1 / self.epochs)

    @property
    def shares(self) -> list[float]:
        """The shares of the epochs at which subnets stop, ascending to 1."""
        return [float(ETA) ** level for level in range(-self.levels, 1)]

    @property
    def usual(self) -> int:
        """A budget, in whole fine-tunings, that one run through the searcher's brackets fits."""
        rungs = self.levels + 1
        return rungs if self.searcher == "halving" else rungs**2

    @property
    def whole(self) -> int:
        """The budget: what all trials together may cost, in whole fine-tunings."""
        return self.usual if self.budget is None else self.budget


@dataclass(frozen=True, eq=False)
class Planned:
    """The subnets ``rows`` [n, choices] that a search is to train, for ``epochs`` [n] each."""

    rows: Population
    epochs: npt.NDArray[np.int64]


def tuning_study(
    space: Space,
    table: LatencyTable,
    errors: Callable[[Population, Floats], Floats],
    options: TuningOptions,
    first: Population,
    path: Path | None = None,
    belongs: Mapping[str, str] | None = None,
) -> searching.Study:
    """Search for the least error of networks within the latency, by the table.

    Args:
        errors: of rows [n, choices] after shares [n] of the epochs, [n].
        first: canonical rows [n, choices] to be tried before others, the best first.
        path: the study's file; what is in it is not evaluated again, unless it failed.
        belongs: what ``errors`` and ``first`` stand on.

    Raises:
        InfeasibleError: no network is predicted within the latency.
        SearchError: all networks failed, five or more, or twenty in a row.
        ArtefactError, NasLoopError: the file is of another search, or cannot be written.
    """
    make = SEARCHERS[options.searcher]

    def latency(rows: Population) -> Floats:
        return np.asarray(table.predict(rows), dtype=np.float64)

    with warnings.catch_warnings():
        # Whoever asked looks for a whole fine-tuning anyway.
        warnings.simplefilter("ignore", searching.InfeasibleWarning)
        return searching.minimize(
            space,
            {"error": searching.Graded(errors, 1 / options.epochs)},
            {"latency_ms": options.latency_ms},
            lambda task, rng: make(task, rng, first),
            options.whole,
            options.seed,
            path=path,
            functions={"latency_ms": latency},
            free=("latency_ms",),
            belongs=belongs,
            equality="network",
            batch=1,
            retry=True,
        )


def planned(
    space: Space, table: LatencyTable, options: TuningOptions, first: Population
) -> Planned:
    """What such a search would train if large networks were the better ones.

    Halving tries as many at each level whoever is better. Hyperband's rounds take over what was
    tried before, and how much that is depends a little on who was promoted.

    Raises:
        ConfigError: the budget ends before a subnet is trained to the end.
        InfeasibleError: no network is predicted within the latency.
    """

    def small(rows: Population, shares: Floats) -> Floats:
        return -np.asarray(space.macs(rows), dtype=np.float64)

    records = tuning_study(space, table, small, options, first).records
    if not (records.fidelity == 1).any():
        raise ConfigError(
            f"--budget {options.whole} ends before {options.searcher} has fine-tuned a subnet to "
            f"the end; {options.usual} are enough, and what is taken without --budget"
        )
    reached: dict[tuple[int, ...], int] = {}
    for row, share in zip(records.rows.tolist(), records.fidelity.tolist(), strict=True):
        done = epochs_of(share, options.epochs)
        reached[tuple(row)] = max(done, reached.get(tuple(row), 0))
    return Planned(np.array(list(reached), dtype=np.int64), np.array(list(reached.values())))
