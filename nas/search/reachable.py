"""How small a function of networks can become: a budget that nobody can meet is named at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from nas.search.problem import Problem
from nas.search.searcher import Floats, Rows
from nas.search.searchers.operators import neighbours
from search_spaces.errors import InfeasibleError
from search_spaces.space import Space

SAMPLE = 20_000
CHUNK = 2_000
STARTS = 10

Values = Callable[[Rows], Floats]


class _OutOfTimeError(Exception):
    """Looking further would take longer than was allowed."""


def smallest(
    space: Space,
    function: Values,
    rng: np.random.Generator,
    *,
    enough: float = -np.inf,
    seconds: float = np.inf,
) -> tuple[npt.NDArray[np.int64], float, bool]:
    """A row [choices] with a small value of ``function``, the value, whether all was looked at.

    Goes down from the smallest network by single choices, and again from the best of 20,000
    random ones: for costs that add up over layers that is the minimum, or close to it. Stops at
    a value of ``enough``, and before anything that would likely end later than ``seconds``.
    """
    patient = _Patient(function, seconds)
    best, value = space.smallest, float(patient(space.smallest[None])[0])
    try:
        best, value = _descend(space, patient, best, value, enough)
        for _ in range(0, SAMPLE, CHUNK):
            if value <= enough:
                return best, value, True
            rows = space.sample(CHUNK, rng)
            values = patient(rows)
            if values.min() < value:
                best, value = rows[values.argmin()], float(values.min())
        best, value = _descend(space, patient, best, value, enough)
    except _OutOfTimeError:
        return best, value, False
    return best, value, True


def require_reachable(
    space: Space,
    name: str,
    function: Values,
    limit: float,
    rng: np.random.Generator,
    *,
    seconds: float = 5.0,
) -> None:
    """Raise ``InfeasibleError`` where no network keeps ``function`` [n] within ``limit``.

    Says nothing where the function is too slow to know within ``seconds``.
    """
    _, value, finished = smallest(space, function, rng, enough=limit, seconds=seconds)
    if value <= limit or not finished:
        return
    if name.startswith("latency"):
        raise InfeasibleError(
            f"no network of {space.name} runs within {limit:.4g} ms on this table; "
            f"the smallest reaches {value:.4g} ms"
        )
    raise InfeasibleError(
        f"no network of {space.name} keeps {name} within {limit:.6g}; "
        f"the smallest reaches {value:.6g}"
    )


def require_together(
    problem: Problem, functions: Mapping[str, Values], rng: np.random.Generator
) -> None:
    """Raise ``InfeasibleError`` where no network is found that keeps all limits at once.

    ``functions`` are the limited ones that cost next to nothing, by name; limits on others are
    left to the search. Goes down the sum of what is above the limits from the best of 20,000
    random networks and of those from several, so that who is refused can hardly be feasible.
    """
    names = [name for name in problem.limits if name in functions]
    if len(names) < 2:
        return
    limited = Problem(problem.space, (), {name: problem.limits[name] for name in names})

    def values(rows: Rows) -> Floats:
        return np.column_stack([functions[name](rows) for name in names])

    def excess(rows: Rows) -> Floats:
        return np.asarray(np.maximum(limited.violations(values(rows)), 0).sum(axis=1))

    row, least, _ = smallest(problem.space, excess, rng, enough=0.0)
    for _ in range(STARTS if least > 0 else 0):
        rows = problem.space.sample(CHUNK, rng)
        start = rows[excess(rows).argmin()]
        found, value = _descend(problem.space, excess, start, float(excess(start[None])[0]), 0.0)
        if value < least:
            row, least = found, value
        if least <= 0:
            break
    if least > 0:
        nearest = values(row[None])[0]
        said = ", ".join(
            f"{name} {value:.6g} (limit {problem.limits[name]:.6g})"
            for name, value in zip(names, nearest.tolist(), strict=True)
        )
        raise InfeasibleError(
            f"no network of {problem.space.name} was found that keeps all limits together, though "
            f"each can be kept; the nearest has {said}: raise one of them"
        )


def _descend(
    space: Space, function: Values, row: Rows, value: float, enough: float
) -> tuple[Rows, float]:
    while value > enough:
        rows = neighbours(space, row)
        values = function(rows)
        if values.min() >= value:
            break
        row, value = rows[values.argmin()], float(values.min())
    return row, value


class _Patient:
    """``function``, unless what it took so far says that asking would end too late."""

    def __init__(self, function: Values, seconds: float) -> None:
        self._function = function
        self._end = time.monotonic() + seconds
        self._seconds_a_row = 0.0

    def __call__(self, rows: Rows) -> Floats:
        start = time.monotonic()
        if start + self._seconds_a_row * len(rows) > self._end:
            raise _OutOfTimeError
        values = self._function(rows)
        self._seconds_a_row = (time.monotonic() - start) / len(rows)
        return values
