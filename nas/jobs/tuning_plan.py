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
from nas.search.searchers.fidelities import Fidelities, deepening, depth, halvings
from nas.search.searchers.rungs import ETA
from search_spaces.errors import ConfigError, NasLoopError
from search_spaces.space import Floats, Population, Space

__all__ = ["EPOCHS", "SEARCHERS", "Ended", "Planned", "TuningOptions", "planned", "tuning_study"]

EPOCHS = 9
"""Unless told otherwise: a power of three, of which shares are whole epochs."""

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
        """The budget: how much is tried, in whole fine-tunings.

        Every trial counts as its share of the epochs, a third as a third, though it goes on from
        where its subnet stopped before and the share was rounded up to whole epochs.
        """
        return self.usual if self.budget is None else self.budget


@dataclass(frozen=True, eq=False)
class Planned:
    """Subnets ``rows`` [n, choices] of a search, no two alike, and its ``epochs`` [n] of each."""

    rows: Population
    epochs: npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Ended:
    """A search: its ``study``, the candidates that were ``begun`` [n, choices], and those of them
    that are ``open`` [m, choices], which a larger budget may take up again."""

    study: searching.Study
    begun: Population
    open: Population


def tuning_study(
    space: Space,
    table: LatencyTable,
    errors: Callable[[Population, Floats], Floats],
    options: TuningOptions,
    first: Population,
    path: Path | None = None,
    belongs: Mapping[str, str] | None = None,
) -> Ended:
    """Search for the least error of networks within the latency, by the table.

    Args:
        errors: of rows [n, choices] after shares [n] of the epochs, [n].
        first: canonical rows [n, choices] to be tried before others, the best first.
        path: the study's file; what is in it is not evaluated again, even if it failed.
        belongs: what ``errors`` and ``first`` stand on.

    Raises:
        InfeasibleError: no network is predicted within the latency.
        SearchError: all networks failed, five or more, or twenty in a row; a ``MachineError`` of
            ``errors``.
        ArtefactError, NasLoopError: the file is of another search, or cannot be written.
    """
    made: list[Fidelities] = []

    def make(task: searching.Task, rng: np.random.Generator) -> Fidelities:
        made.append(SEARCHERS[options.searcher](task, rng, first))
        return made[-1]

    def latency(rows: Population) -> Floats:
        return np.asarray(table.predict(rows), dtype=np.float64)

    with warnings.catch_warnings():
        # Whoever asked looks for a whole fine-tuning anyway.
        warnings.simplefilter("ignore", searching.InfeasibleWarning)
        study = searching.minimize(
            space,
            {"error": searching.Graded(errors, 1 / options.epochs)},
            {"latency_ms": options.latency_ms},
            make,
            options.whole,
            options.seed,
            path=path,
            functions={"latency_ms": latency},
            free=("latency_ms",),
            belongs=belongs,
            equality="network",
            batch=1,
        )
    return Ended(study, made[0].begun(), made[0].open())


def planned(
    space: Space,
    table: LatencyTable,
    options: TuningOptions,
    first: Population,
    known: searching.Study | None = None,
) -> Planned:
    """What such a search would train if large networks were the better ones.

    Of those trials that are ``known`` already it is what they were worth: that of a search that has
    ended is exact. Halving tries as many at each level whoever is better. Hyperband's rounds take
    over what was tried before, and how much that is depends a little on who was promoted.

    Raises:
        SearchError: all networks that are known failed, five or more.
        ConfigError: the budget ends before a subnet is trained to the end.
        InfeasibleError: no network is predicted within the latency.
    """

    def small(rows: Population, shares: Floats) -> Floats:
        return -np.asarray(space.macs(rows), dtype=np.float64)

    def guessed(rows: Population, shares: Floats) -> Floats:
        if known is None or (number := int(known.find(rows, shares)[0])) < 0:
            return small(rows, shares)
        if said := known.failure(number):
            raise NasLoopError(said.removeprefix("error: "))
        return known.values(np.array([number]))[:, 0]

    study = tuning_study(space, table, guessed, options, first).study
    records = study.records
    if not (records.fidelity == 1).any() and not study.failures():
        raise ConfigError(
            f"--budget {options.whole} ends before {options.searcher} has fine-tuned a subnet to "
            f"the end; {options.usual} are enough, and what is taken without --budget"
        )
    rows: dict[str, Population] = {}
    reached: dict[str, int] = {}
    for number, (row, share) in enumerate(zip(records.rows, records.fidelity, strict=True)):
        if study.failure(number):
            continue
        name = space.digest(space.decode(row))
        rows.setdefault(name, row)
        reached[name] = max(epochs_of(float(share), options.epochs), reached.get(name, 0))
    return Planned(
        np.array(list(rows.values()), dtype=np.int64).reshape(-1, len(space.choices)),
        np.array(list(reached.values()), dtype=np.int64),
    )
