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
PATIENCE_S = 5.0
"""How long looking for a feasible network may keep a processor busy before the search begins."""
WAITING = 12

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
    a value of ``enough``, and before anything that would likely take more than ``seconds`` of the
    processor's time in all.
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


def beyond(
    space: Space,
    function: Values,
    limit: float,
    rng: np.random.Generator,
    *,
    seconds: float = PATIENCE_S,
) -> float | None:
    """The smallest value that ``function`` [n] can be made, where that is above ``limit``.

    None where some network keeps the limit, and where the function is too slow to know.
    """
    _, value, finished = smallest(space, function, rng, enough=limit, seconds=seconds)
    return value if finished and value > limit else None


def require_reachable(
    space: Space,
    name: str,
    function: Values,
    limit: float,
    rng: np.random.Generator,
) -> None:
    """Raise ``InfeasibleError`` where no network keeps ``function`` [n] within ``limit``.

    Says nothing where the function is too slow to know.
    """
    value = beyond(space, function, limit, rng)
    if value is None:
        return
    if name == "latency_ms":
        raise InfeasibleError(
            f"no network of {space.name} runs within {limit:.4g} ms on this table; "
            f"the smallest reaches {value:.4g} ms"
        )
    unit, digits = (" ms", 4) if name.startswith("latency") else ("", 6)
    raise InfeasibleError(
        f"no network of {space.name} keeps {name} within {limit:.{digits}g}{unit}; "
        f"the smallest reaches {value:.{digits}g}{unit}"
    )


def require_limits(
    problem: Problem, functions: Mapping[str, Values], rng: np.random.Generator
) -> None:
    """Raise ``InfeasibleError`` where no network keeps one of the limits, or all of them at once.

    ``functions`` are the limited ones that cost next to nothing, by name; limits on others are left
    to the search. The text says what can be reached.
    """
    for name, limit in problem.limits.items():
        if name in functions:
            require_reachable(problem.space, name, functions[name], limit, rng)
    require_together(problem, functions, rng)


def require_together(
    problem: Problem,
    functions: Mapping[str, Values],
    rng: np.random.Generator,
    *,
    seconds: float = PATIENCE_S,
) -> None:
    """Raise ``InfeasibleError`` where no network is found that keeps all limits at once.

    ``functions`` are as those of ``require_limits``. Goes down the sum of what is above the limits
    from the best of 20,000 random networks and of those from several, so that who is refused can
    hardly be feasible. Says nothing where the functions are too slow to know.
    """
    names = [name for name in problem.limits if name in functions]
    if len(names) < 2:
        return
    limited = Problem(problem.space, (), {name: problem.limits[name] for name in names})

    def values(rows: Rows) -> Floats:
        return np.column_stack([functions[name](rows) for name in names])

    def excess(rows: Rows) -> Floats:
        return np.asarray(np.maximum(limited.violations(values(rows)), 0).sum(axis=1))

    row, least = _least_of_many(problem.space, excess, rng, seconds)
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


def _least_of_many(
    space: Space, excess: Values, rng: np.random.Generator, seconds: float
) -> tuple[Rows, float]:
    """A row [choices] with as little excess as several descents find; 0 if they take too long."""
    row, least, finished = smallest(space, excess, rng, enough=0.0, seconds=seconds)
    if not finished:
        return row, 0.0
    patient = _Patient(excess, seconds)
    try:
        for _ in range(STARTS if least > 0 else 0):
            rows = space.sample(CHUNK, rng)
            above = patient(rows)
            start = rows[above.argmin()]
            found, value = _descend(space, patient, start, float(above.min()), 0.0)
            if value < least:
                row, least = found, value
            if least <= 0:
                break
    except _OutOfTimeError:
        return row, 0.0
    return row, least


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
    """``function``, unless what it took so far says that asking would end too late.

    ``seconds`` are the processor's, so that a busy machine knows as much as one that is not, and
    ``WAITING`` times as many by the clock: who waits for something else is not asked for ever.
    """

    def __init__(self, function: Values, seconds: float) -> None:
        self._function = function
        self._end = _now() + seconds * np.array([1.0, WAITING])
        self._a_row = np.zeros(2)

    def __call__(self, rows: Rows) -> Floats:
        start = _now()
        if (start + self._a_row * len(rows) > self._end).any():
            raise _OutOfTimeError
        values = self._function(rows)
        self._a_row = (_now() - start) / len(rows)
        return values


def _now() -> Floats:
    """The time of this thread, and of the clock on the wall, in seconds: [2]."""
    return np.array([time.thread_time(), time.monotonic()])
