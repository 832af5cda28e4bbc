"""Which functions cost next to nothing, so that they may be asked about any network."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from latency_lut import LatencyTable
from nas.search.problem import Function, Graded, Plain, SearchError, numbers
from nas.search.searcher import Floats, Rows
from predictors import Predictor
from search_spaces.space import Space
from search_spaces.unknown import unknown

KNOWN = (Space, LatencyTable, Predictor)


def free_functions(
    functions: Mapping[str, Function], named: Collection[str] | None
) -> dict[str, Callable[[Rows], Floats]]:
    """Those of ``functions`` that are ``named``, checked and by name.

    Without names: the methods of spaces, latency tables and predictors, such as ``space.macs`` and
    ``table.predict``.

    Raises:
        SearchError: a name that no function has, or one whose function takes fidelities.
    """
    if named is None:
        named = [
            name
            for name, function in functions.items()
            if isinstance(getattr(function, "__self__", None), KNOWN)
        ]
    found = {}
    for name in named:
        if name not in functions:
            raise SearchError(unknown("free function", name, functions))
        function = functions[name]
        if isinstance(function, Graded):
            raise SearchError(f"{name!r} takes fidelities and cannot be free; leave it out of free")
        found[name] = _checked(name, function)
    return found


def _checked(name: str, function: Plain) -> Callable[[Rows], Floats]:
    return lambda rows: numbers(name, function(rows), len(rows))
