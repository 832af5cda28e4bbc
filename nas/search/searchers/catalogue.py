"""Names of searchers become searchers here, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from nas.search.problem import SearchError
from nas.search.searcher import Searcher
<<<<<<< HEAD
from nas.search.searchers.fidelities import deepening, halvings
from nas.search.searchers.gflownet import GFlowNet
from nas.search.searchers.manas import Manas
from nas.search.searchers.map_elites import MapElites
from nas.search.searchers.mcts import Mcts
=======
from nas.search.searchers.auto import auto
from nas.search.searchers.linas import linas
from nas.search.searchers.mobo import mobo
>>>>>>> model
from nas.search.searchers.nsga2 import Nsga2
from nas.search.searchers.policy_gradient import PolicyGradient
from nas.search.searchers.random_search import RandomSearch
from nas.search.searchers.slimming import Slimming
from nas.search.task import Task
from search_spaces.unknown import unknown

Maker = Callable[[Task, np.random.Generator], Searcher]

# Generations of a search, and how large they may be: few large ones explore, many refine.
GENERATIONS = 20
SMALLEST_BATCH, LARGEST_BATCH = 10, 200


def usual_batch(budget: int) -> int:
    """How many networks are asked for at once where so many are to be evaluated."""
    return min(LARGEST_BATCH, max(SMALLEST_BATCH, budget // GENERATIONS))


def small_batch(budget: int) -> int:
    """For searchers that learn from every batch: an eightieth of the budget, 5 to 50."""
    return min(50, max(5, budget // 80))


@dataclass(frozen=True)
class Entry:
    """A searcher: what makes it, whose idea it is, and the ``batch`` that serves a budget."""

    make: Maker
    paper: str
    batch: Callable[[int], int] = usual_batch


SEARCHERS: dict[str, Entry] = {
<<<<<<< HEAD
    "halving": Entry(
        halvings,
        "Jamieson and Talwalkar, Non-stochastic best arm identification and hyperparameter "
        "optimization (2016)",
    ),
    "hyperband": Entry(
        deepening,
        "Li et al., Hyperband (2018); Brandt et al., Iterative deepening Hyperband (2023)",
=======
    "auto": Entry(
        auto,
        "mobo, or nsga2 where every function is free",
        small_batch,
>>>>>>> model
    ),
    "nsga2": Entry(
        Nsga2,
        "Deb et al., A fast and elitist multiobjective genetic algorithm: NSGA-II (2002)",
    ),
    "linas": Entry(
        linas,
        "Cummings et al., A hardware-aware framework for accelerating neural architecture search "
        "across modalities (2022)",
        small_batch,
    ),
    "mobo": Entry(
        mobo,
        "Daulton et al., Differentiable expected hypervolume improvement for parallel "
        "multi-objective Bayesian optimization (2020)",
        small_batch,
    ),
    "random": Entry(
        RandomSearch,
        "Li and Talwalkar, Random search and reproducibility for neural architecture search (2019)",
    ),
    "map-elites": Entry(
        MapElites,
        "Mouret and Clune, Illuminating search spaces by mapping elites (2015)",
    ),
    "mcts": Entry(
        Mcts,
        "Su et al., Prioritized architecture sampling with Monto-Carlo tree search (2021)",
    ),
    "policy-gradient": Entry(
        PolicyGradient,
        "Tan et al., MnasNet: platform-aware neural architecture search for mobile (2019)",
    ),
    "manas": Entry(
        Manas,
        "Carlucci et al., MANAS: multi-agent neural architecture search (2019)",
    ),
    "gflownet": Entry(
        GFlowNet,
        "Jain et al., Multi-objective GFlowNets (2023)",
    ),
    "slimming": Entry(
        Slimming,
        "Li et al., EfficientFormer: Vision Transformers at MobileNet Speed (2022)",
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
