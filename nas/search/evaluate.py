"""Asking the functions what networks are worth, each once."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from nas.search.problem import Function, Problem, SearchError
from nas.search.searcher import Floats, Rows
from nas.search.seen import keys
from search_spaces.errors import NasLoopError


class Remembered:
    """A function of rows that is asked about every canonical row once."""

    def __init__(self, name: str, function: Function, problem: Problem) -> None:
        self.name = name
        self._function = function
        self._space = problem.space
        self._known: dict[bytes, float] = {}

    def __call__(self, rows: Rows) -> Floats:
        """Values [n] of rows [n, choices]; raises ``SearchError`` where there is none."""
        values, error = self.ask(self._space.canonical(rows))
        if error:
            raise error
        return values

    def learn(self, rows: Rows, values: Floats) -> None:
        """Remember what was evaluated elsewhere."""
        self._known.update(zip(keys(rows), values.tolist(), strict=True))

    def ask(self, rows: Rows) -> tuple[Floats, SearchError | None]:
        """Values [n] of canonical rows, NaN where there is none, and the error that says why."""
        names = keys(rows)
        new = {key: i for i, key in enumerate(names) if key not in self._known}
        error = None
        if new:
            asked = rows[list(new.values())]
            found, error = self._evaluate(asked)
            good = np.isfinite(found)
            self.learn(asked[good], found[good])
        return np.array([self._known.get(key, np.nan) for key in names]), error

    def _evaluate(self, rows: Rows) -> tuple[Floats, SearchError | None]:
        try:
            found = self._call(rows)
        except Exception as error:
            return self._one_by_one(rows, error)
        bad = np.flatnonzero(~np.isfinite(found))
        if not len(bad):
            return found, None
        return found, SearchError(
            f"objective or constraint {self.name!r} is {found[bad[0]]} for "
            f"{self._describe(rows[bad[0]])}; it must be a finite number for every network"
        )

    def _one_by_one(self, rows: Rows, together: Exception) -> tuple[Floats, SearchError]:
        # What can be said before the row that raises is kept.
        found = np.full(len(rows), np.nan)
        for i in range(len(rows)):
            try:
                found[i] = self._call(rows[i : i + 1])[0]
            except Exception as error:
                return found, self._raised(self._describe(rows[i]), error)
        return found, self._raised(f"{len(rows)} rows together and for none alone", together)

    def _call(self, rows: Rows) -> Floats:
        # A copy, because a function that changes its rows would change the study's.
        found = np.asarray(self._function(rows.copy()), dtype=np.float64)
        if found.shape != (len(rows),):
            raise SearchError(
                f"{self.name!r} must return one number a row, shape ({len(rows)},); "
                f"got shape {found.shape}"
            )
        return found

    def _raised(self, where: str, error: Exception) -> SearchError:
        said = str(error) if isinstance(error, NasLoopError) else f"{type(error).__name__}: {error}"
        wrapped = SearchError(f"objective or constraint {self.name!r} failed for {where}: {said}")
        wrapped.__cause__ = error
        return wrapped

    def _describe(self, row: npt.NDArray[np.int64]) -> str:
        values = ", ".join(f"{name}={value}" for name, value in self._space.decode(row).values)
        return f"row {row.tolist()} ({values})"


def remembered(problem: Problem, functions: Mapping[str, Function]) -> dict[str, Remembered]:
    """The functions of a problem, in the order of its names."""
    return {name: Remembered(name, functions[name], problem) for name in problem.names}


def evaluate(
    functions: Mapping[str, Remembered], rows: Rows
) -> tuple[npt.NDArray[np.bool_], Floats, SearchError | None]:
    """Which of the rows have all their values [n], the values of those, and the first error."""
    good = np.ones(len(rows), dtype=np.bool_)
    values = np.full((len(rows), len(functions)), np.nan)
    first = None
    for column, function in enumerate(functions.values()):
        # What one function could not say is not worth the time of the next.
        values[good, column], error = function.ask(rows[good])
        good &= np.isfinite(values[:, column])
        first = first or error
    return good, values[good], first
