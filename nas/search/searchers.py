"""Names of searchers become searchers here, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from nas.search.nsga2 import Nsga2
from nas.search.problem import SearchError
from nas.search.random_search import RandomSearch
from nas.search.searcher import Searcher
from search_spaces.space import Space
from search_spaces.unknown import unknown

Maker = Callable[[Space, np.random.Generator], Searcher]

SEARCHERS: dict[str, Maker] = {"nsga2": Nsga2, "random": RandomSearch}


def names() -> tuple[str, ...]:
    """The searchers that ``get`` knows."""
    return tuple(SEARCHERS)


def get(name: str) -> Maker:
    """What makes the searcher of that name for a space; raises ``SearchError`` if none does."""
    if name not in SEARCHERS:
        raise SearchError(unknown("searcher", name, SEARCHERS))
    return SEARCHERS[name]
