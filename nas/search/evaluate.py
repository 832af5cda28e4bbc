"""What networks are worth: every function asked about a few rows, failures told from values."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nas.search.problem import Function, Graded, MachineError, numbers
from nas.search.searcher import Floats, Rows
from search_spaces.errors import NasLoopError
from search_spaces.space import Space


@dataclass(frozen=True, eq=False)
class Piece:
    """Canonical rows [n, choices] to be evaluated together, with their fidelities [n]."""

    rows: Rows
    fidelity: Floats


@dataclass(frozen=True, eq=False)
class Outcome:
    """Values [n, names], NaN from where a network failed; why it did, or ""; seconds [n]."""

    values: Floats
    failures: tuple[str, ...]
    seconds: Floats


@dataclass(frozen=True, eq=False)
class Work:
    """Evaluates pieces. ``functions`` are in the order of a problem's names.

    What one function could not say of a network is not worth the time of the next.
    """

    space: Space
    functions: Mapping[str, Function]

    def __call__(self, piece: Piece) -> Outcome:
        """Raises ``SearchError`` where a function does not return one number a row.

        Of what a function raises, ``MachineError`` alone is passed on.
        """
        n = len(piece.rows)
        values = np.full((n, len(self.functions)), np.nan)
        failures = np.full(n, "", dtype=object)
        seconds = np.zeros(n)
        for column, name in enumerate(self.functions):
            good = np.flatnonzero(failures == "")
            began = time.perf_counter()
            found, said = self._ask(name, piece.rows[good], piece.fidelity[good])
            seconds[good] += (time.perf_counter() - began) / max(1, len(good))
            values[good, column] = found
            failures[good] = said
        return Outcome(values, tuple(failures.tolist()), seconds)

    def _ask(
        self, name: str, rows: Rows, fidelity: Floats
    ) -> tuple[Floats, npt.NDArray[np.object_]]:
        """Values [n], NaN where there is none, and why there is none, or "": [n]."""
        said = np.full(len(rows), "", dtype=object)
        try:
            answer = np.asarray(self._call(name, rows, fidelity), dtype=np.float64)
        except MachineError:
            raise
        except Exception as error:
            if len(rows) > 1:
                # Which of them it is shows when each is asked alone, and too many are fewer then.
                each = [
                    self._ask(name, rows[i : i + 1], fidelity[i : i + 1]) for i in range(len(rows))
                ]
                return tuple(np.concatenate(parts) for parts in zip(*each, strict=True))  # type: ignore[return-value]
            answer = np.full(1, np.nan)
            told = isinstance(error, NasLoopError)
            text = f"{name}: {error}" if told else f"{name}: {type(error).__name__}: {error}"
            # Names of files may hold what is no text, which no study takes.
            said[0] = text.encode("utf-8", "replace").decode("utf-8")
        values = numbers(name, answer, len(rows))
        for i in np.flatnonzero(~np.isfinite(values) & (said == "")):
            said[i] = f"{name}: {values[i]} is no finite number"
        return np.where(said == "", values, np.nan), said

    def _call(self, name: str, rows: Rows, fidelity: Floats) -> npt.ArrayLike:
        function = self.functions[name]
        # A copy, because a function that changes its rows would change the study's.
        if isinstance(function, Graded):
            return function.function(rows.copy(), fidelity.copy())
        return function(rows.copy())
