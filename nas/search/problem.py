"""What is searched for: named objectives and limits, and the functions that say them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nas.search.searcher import Floats, Rows
from search_spaces.errors import NasLoopError
from search_spaces.space import Space


@dataclass(frozen=True)
class Graded:
    """A function that has cheaper versions of itself: fewer epochs, fewer images.

    ``function`` takes rows [n, choices] and fidelities [n], shares of the whole above 0 and at
    most 1, and returns a number for each row, [n]. Below ``least`` of the whole nothing is cheaper,
    one epoch of nine for example.

    Raises:
        SearchError: ``least`` is no share.
    """

    function: Callable[[Rows, Floats], npt.ArrayLike]
    least: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.least <= 1:
            raise SearchError(
                f"the least fidelity of a function is from 0 to 1, a share of the whole; got "
                f"{self.least}"
            )


Plain = Callable[[Rows], npt.ArrayLike]
Function = Plain | Graded

# What a study's file calls its own columns.
RESERVED = (
    "number",
    "row",
    "identity",
    "fidelity",
    "violation",
    "seconds",
    "generation",
    "origin",
    "failure",
)


# What ends the name of an objective's upper end, which may be limited in its place.
UPPER = "_upper"


class SearchError(NasLoopError):
    """A search that contradicts itself, or a function that cannot say what a network is worth."""


class MachineError(SearchError):
    """What a function raises where no network is to blame: a full disk, a file that is damaged.

    The search ends with it. Nothing is recorded of the network, which is evaluated when the search
    is taken up again.
    """


@dataclass(frozen=True, eq=False)
class Problem:
    """``objectives``, in their order, are minimised; ``limits`` are upper ones, by name.

    ``names`` are the columns of every matrix of values: objectives first, then what is limited
    and no objective.
    """

    space: Space
    objectives: tuple[str, ...]
    limits: Mapping[str, float]

    @property
    def names(self) -> tuple[str, ...]:
        return (*self.objectives, *(name for name in self.limits if name not in self.objectives))

    def objective_values(self, values: Floats) -> Floats:
        """The objectives [n, objectives] among values [n, names]."""
        return values[:, : len(self.objectives)]

    def violations(self, values: Floats) -> Floats:
        """How far values [n, names] are above the limits, as a share of each: [n, limits].

        Shares, because milliseconds and parameters are summed. Feasible where all are <= 0.
        """
        columns = [self.names.index(name) for name in self.limits]
        limits = np.array(list(self.limits.values()))
        units = np.where(limits == 0, 1, np.abs(limits))
        excess: Floats = (values[:, columns] - limits) / units
        return excess


def state(
    space: Space,
    objectives: Mapping[str, Function],
    constraints: Mapping[str, float],
    functions: Mapping[str, Function],
) -> tuple[Problem, dict[str, Function]]:
    """The problem, and its functions in the order of its names.

    Raises:
        SearchError: no objective; a constraint that no function evaluates; a function that is
            neither an objective nor limited; a name given twice; a limit that is not finite.
    """
    if not objectives:
        raise SearchError('a search needs an objective, for example {"error": function}')
    known = {**objectives, **functions}
    for name, limit in constraints.items():
        if name not in known:
            raise SearchError(
                f"constraint {name!r} would never be evaluated: it is no objective "
                f"({', '.join(objectives)}) and no function of that name was given"
            )
        if not math.isfinite(limit):
            raise SearchError(f"the limit of {name!r} is a finite number; got {limit}")
    for name in functions:
        if name in objectives:
            raise SearchError(f"{name!r} is an objective and a function; give it once")
        if name not in constraints:
            raise SearchError(
                f"function {name!r} is neither an objective nor limited; add a constraint for it"
            )
    lowered = [name.casefold() for name in known]
    for name in known:
        if lowered.count(name.casefold()) > 1 or name.casefold() in RESERVED or not name:
            raise SearchError(
                f"the name {name!r} cannot be told from another in a study; reserved are "
                f"{', '.join(RESERVED)}"
            )
    limits = {name: float(limit) for name, limit in constraints.items()}
    problem = Problem(space, tuple(objectives), limits)
    return problem, {name: known[name] for name in problem.names}


def ungraded(functions: Mapping[str, Function], who: str) -> dict[str, Plain]:
    """The same functions, none of which takes fidelities.

    Raises:
        SearchError: one does, and ``who`` has no use for it.
    """
    found = {}
    for name, function in functions.items():
        if isinstance(function, Graded):
            raise SearchError(
                f"{name!r} takes fidelities, and {who} takes functions of rows alone; give a "
                "function that evaluates networks in full"
            )
        found[name] = function
    return found


def numbers(name: str, answer: npt.ArrayLike, rows: int) -> Floats:
    """What a function said of so many rows, [rows]; raises ``SearchError`` for another shape."""
    values = np.asarray(answer, dtype=np.float64)
    if values.shape != (rows,):
        raise SearchError(
            f"{name!r} must return one number a row, shape ({rows},); got shape {values.shape}"
        )
    return values
