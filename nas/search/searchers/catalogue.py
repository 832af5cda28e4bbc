"""Names of searchers become searchers here, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from nas.search.problem import SearchError
from nas.search.searcher import Searcher
from nas.search.searchers.age_moea import age_moea
from nas.search.searchers.ageing import Ageing
from nas.search.searchers.cmaes import CmaEs
from nas.search.searchers.constrained import Constrained
from nas.search.searchers.ctaea import ctaea
from nas.search.searchers.genetic import Genetic
from nas.search.searchers.local_search import LocalSearch
from nas.search.searchers.moead import Moead
from nas.search.searchers.nsga2 import nsga2
from nas.search.searchers.nsga3 import nsga3, unsga3
from nas.search.searchers.random_search import RandomSearch
from nas.search.task import Task
from search_spaces.unknown import unknown

Maker = Callable[[Task, np.random.Generator], Searcher]

# Generations of a search, and how large they may be: few large ones explore, many refine.
GENERATIONS = 20
SMALLEST_BATCH, LARGEST_BATCH, VAST_BATCH = 10, 200, 2_500


def usual_batch(budget: int) -> int:
    """How many networks are asked for at once where so many are to be evaluated."""
    return min(LARGEST_BATCH, max(SMALLEST_BATCH, budget // GENERATIONS))


def large_batch(budget: int) -> int:
    """The same for searchers whose population is the batch, and costs next to nothing."""
    return min(VAST_BATCH, max(SMALLEST_BATCH, budget // GENERATIONS))


@dataclass(frozen=True)
class Entry:
    """A searcher: what makes it, whose idea it is, and the ``batch`` that serves a budget."""

    make: Maker
    paper: str
    batch: Callable[[int], int] = usual_batch


SEARCHERS: dict[str, Entry] = {
    "age-moea": Entry(
        age_moea,
        "Panichella, An adaptive evolutionary algorithm based on non-Euclidean geometry for "
        "many-objective optimization (2019)",
    ),
    "ageing": Entry(
        Ageing,
        "Real et al., Regularized evolution for image classifier architecture search (2019)",
    ),
    "cma-es": Entry(CmaEs, "Hansen, The CMA evolution strategy: a tutorial (2016)"),
    "ctaea": Entry(
        ctaea,
        "Li et al., Two-archive evolutionary algorithm for constrained multiobjective optimization "
        "(2019)",
    ),
    "ga": Entry(
        Genetic,
        "Goldberg, Genetic algorithms in search, optimization, and machine learning (1989)",
    ),
    "local": Entry(
        LocalSearch,
        "White et al., Exploring the loss landscape in neural architecture search (2021)",
    ),
    "moead": Entry(
        Moead,
        "Zhang and Li, MOEA/D: a multiobjective evolutionary algorithm based on decomposition "
        "(2007)",
    ),
    "nsga2": Entry(
        nsga2,
        "Deb et al., A fast and elitist multiobjective genetic algorithm: NSGA-II (2002)",
    ),
    "nsga3": Entry(
        nsga3,
        "Deb and Jain, An evolutionary many-objective optimization algorithm using "
        "reference-point-based nondominated sorting approach, part I (2014)",
    ),
    "ofa": Entry(
        Constrained,
        "Cai et al., Once-for-all: train one network and specialize it for efficient deployment "
        "(2020)",
        large_batch,
    ),
    "random": Entry(
        RandomSearch,
        "Li and Talwalkar, Random search and reproducibility for neural architecture search (2019)",
    ),
    "unsga3": Entry(
        unsga3,
        "Seada and Deb, A unified evolutionary optimization procedure for single, multiple, and "
        "many objectives (2016)",
    ),
}


def names() -> tuple[str, ...]:
    """The searchers that ``get`` knows."""
    return tuple(SEARCHERS)


def get(name: str) -> Entry:
    """The searcher of that name; raises ``SearchError`` if there is none."""
    if name not in SEARCHERS:
        raise SearchError(unknown("searcher", name, SEARCHERS))
    return SEARCHERS[name]
