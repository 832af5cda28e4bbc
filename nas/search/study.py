"""All that a search has evaluated, and the front of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from nas.search.columns import Column
from nas.search.pareto import nondominated
from nas.search.problem import Problem
from nas.search.searcher import Floats, Rows
from nas.search.seen import keys
from nas.search.texts import written
from search_spaces.architecture import Architecture

Numbers = npt.NDArray[np.int64]


class InfeasibleWarning(UserWarning):
    """A search has ended, and none of the networks that it evaluated keeps all limits."""


@dataclass(frozen=True)
class Evaluation:
    """One network: ``row`` and ``architecture``, what it is worth, where it came from.

    ``constraints`` holds the values that are limited; one that is an objective stands in both.
    ``seconds`` is what its evaluation took; 0 where an equal network was there before.
    """

    row: tuple[int, ...]
    architecture: Architecture
    objectives: Mapping[str, float]
    constraints: Mapping[str, float]
    feasible: bool
    generation: int
    origin: str
    fidelity: float = 1.0
    seconds: float = field(default=0.0, compare=False)


@dataclass(frozen=True)
class Failure:
    """A network that could not be evaluated, and why."""

    row: tuple[int, ...]
    architecture: Architecture
    said: str


@dataclass(frozen=True, eq=False)
class Records:
    """Evaluations as columns.

    Attributes:
        rows: [n, choices]; values: [n, names], NaN where a network failed.
        fidelity: [n], 1 for whole evaluations.
        seconds: [n].
        generations: [n].
        origins: the searchers that asked.
        failures: why there are no values, or "".
        identities: what tells the networks apart; None where their rows do.
    """

    rows: Rows
    values: Floats
    fidelity: Floats
    seconds: Floats
    generations: Numbers
    origins: tuple[str, ...]
    failures: tuple[str, ...]
    identities: tuple[str, ...] | None = None

    def __len__(self) -> int:
        return len(self.rows)

    def names(self) -> list[str]:
        """What tells these trials from others: [n]."""
        names = written(self.rows) if self.identities is None else list(self.identities)
        return trial_names(names, self.fidelity)


def trial_names(names: list[str], fidelity: Floats) -> list[str]:
    """Networks by name, with the share of the evaluation where it is not the whole."""
    found = list(names)
    for i in np.flatnonzero(fidelity != 1):
        found[i] += f"@{float(fidelity[i])!r}"
    return found


class Study:
    """The memory of a search. Rows are canonical, and each is in it once at a fidelity.

    ``ended_by`` says which limit of the budget ended the search; "space" where nothing was left.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.ended_by: str | None = None
        self._where: dict[bytes, int] = {}
        self._first: dict[str, int] = {}
        self._rows = Column(np.int16, len(problem.space.choices))
        self._values = Column(np.float64, len(problem.names))
        self._fidelity = Column(np.float64)
        self._seconds = Column(np.float32)
        self._generations = Column(np.int32)
        self._equal = Column(np.int64)
        self._origins: list[str] = []
        self._failures: dict[int, str] = {}

    def __len__(self) -> int:
        return len(self._where)

    def __repr__(self) -> str:
        ended = f"ended by {self.ended_by}" if self.ended_by else "not ended"
        return (
            f"<Study of {self.problem.space.name}: {len(self)} networks, {len(self.front())} on "
            f"the front, {len(self._failures)} failures, {ended}>"
        )

    def add(self, records: Records) -> None:
        """Remember rows that are not known yet, each given once."""
        start = len(self)
        self._where.update(
            (key, start + i) for i, key in enumerate(trial_keys(records.rows, records.fidelity))
        )
        self._rows.append(records.rows)
        self._values.append(records.values)
        self._fidelity.append(records.fidelity)
        self._seconds.append(records.seconds)
        self._generations.append(records.generations)
        self._origins += records.origins
        self._failures |= {start + i: said for i, said in enumerate(records.failures) if said}
        numbers = np.arange(start, len(self))
        if records.identities is not None:
            names = trial_names(list(records.identities), records.fidelity)
            numbers = np.array(
                [self._first.setdefault(name, start + i) for i, name in enumerate(names)],
                dtype=np.int64,
            )
        self._equal.append(numbers)

    def find(self, rows: Rows, fidelity: Floats) -> Numbers:
        """The numbers of canonical rows [n, choices] in ``records``; -1 for what is unknown."""
        return np.array(
            [self._where.get(key, -1) for key in trial_keys(rows, fidelity)], dtype=np.int64
        )

    def first(self, name: str) -> int:
        """The number of the first trial of that name (``trial_names``); -1 where there is none."""
        return self._first.get(name, -1)

    def equal(self, numbers: Numbers) -> Numbers:
        """For each of the records ``numbers`` the first one that is the same network: [n]."""
        return self._equal.array[numbers]

    def values(self, numbers: Numbers | slice = slice(None)) -> Floats:
        """What records are worth, or all: [n, names], NaN where one failed."""
        return self._values.array[numbers]

    def row(self, number: int) -> Rows:
        """One network's row [choices]."""
        return self._rows.array[number].astype(np.int64)

    def fidelity(self, numbers: Numbers) -> Floats:
        """At what share of the evaluation records were tried: [n]."""
        return self._fidelity.array[numbers]

    def failure(self, number: int) -> str:
        """Why a record has no values, or ""."""
        return self._failures.get(number, "")

    @property
    def records(self) -> Records:
        """Everything, in the order of evaluation. A copy."""
        n = len(self)
        return Records(
            self._rows.array.astype(np.int64),
            self._values.array.copy(),
            self._fidelity.array.copy(),
            self._seconds.array.astype(np.float64),
            self._generations.array.astype(np.int64),
            tuple(self._origins),
            tuple(self._failures.get(number, "") for number in range(n)),
        )

    @property
    def feasible(self) -> npt.NDArray[np.bool_]:
        """Which of the records are whole evaluations that keep all limits: [n]."""
        values = self._values.array
        good = np.isfinite(values).all(axis=1) & (self._fidelity.array == 1)
        good &= (self.problem.violations(values) <= 0).all(axis=1)
        return np.asarray(good, dtype=np.bool_)

    def front(self) -> list[Evaluation]:
        """The feasible networks that no feasible one dominates, the first objective ascending."""
        feasible = np.flatnonzero(self.feasible)
        objectives = self.problem.objective_values(self._values.array)
        best = feasible[nondominated(objectives[feasible])]
        order = np.lexsort(objectives[best].T[::-1])
        return [self.evaluation(int(number)) for number in best[order]]

    def nearest(self) -> Evaluation | None:
        """The network that is the least above the limits, all of them together.

        Of those that were evaluated in full; None where there are none.
        """
        values = self._values.array
        excess = np.maximum(self.problem.violations(values), 0).sum(axis=1)
        excess[(self._fidelity.array != 1) | ~np.isfinite(values).all(axis=1)] = np.nan
        if not np.isfinite(excess).any():
            return None
        return self.evaluation(int(np.nanargmin(excess)))

    def infeasible(self) -> str | None:
        """That no network keeps all limits, in words.

        None where one does, where none has values, and where there are no limits.
        """
        nearest = None if self.feasible.any() or not self.problem.limits else self.nearest()
        if nearest is None:
            return None
        said = ", ".join(
            f"{name} {value:.6g} (limit {self.problem.limits[name]:.6g})"
            for name, value in nearest.constraints.items()
            if value > self.problem.limits[name]
        )
        return (
            f"none of the {len(self) - len(self._failures)} networks that were evaluated keeps all "
            f"limits; the nearest (study.nearest()) has {said}: raise a limit, or the budget"
        )

    def evaluations(self) -> list[Evaluation]:
        """Every network that has values, in the order of evaluation."""
        return [self.evaluation(n) for n in range(len(self)) if n not in self._failures]

    def failures(self) -> list[Failure]:
        """Every network that has none, in the order of evaluation."""
        return [
            Failure(tuple(row.tolist()), self.problem.space.decode(row), said)
            for row, said in ((self.row(n), said) for n, said in self._failures.items())
        ]

    def evaluation(self, number: int) -> Evaluation:
        """One of the records."""
        problem, found = self.problem, self._values.array[number]
        values = dict(zip(problem.names, found.tolist(), strict=True))
        row = self.row(number)
        return Evaluation(
            tuple(row.tolist()),
            problem.space.decode(row),
            {name: values[name] for name in problem.objectives},
            {name: values[name] for name in problem.limits},
            bool((problem.violations(found[None]) <= 0).all()),
            int(self._generations.array[number]),
            self._origins[number],
            float(self._fidelity.array[number]),
            float(self._seconds.array[number]),
        )


def trial_keys(rows: Rows, fidelity: Floats) -> list[bytes]:
    """One hashable key for each trial; equal rows at equal fidelities have equal keys."""
    found = keys(rows)
    for i in np.flatnonzero(fidelity != 1):
        found[i] += fidelity[i].tobytes()
    return found
