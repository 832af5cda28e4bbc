"""Names of searchers become searchers here, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from nas.search.archive import Dimension
from nas.search.problem import SearchError
from nas.search.searcher import Searcher
from nas.search.searchers.age_moea import age_moea
from nas.search.searchers.ageing import Ageing
from nas.search.searchers.auto import auto, auto_batch
from nas.search.searchers.batches import large_batch, small_batch, usual_batch
from nas.search.searchers.cmaes import CmaEs
from nas.search.searchers.constrained import Constrained
from nas.search.searchers.ctaea import ctaea
from nas.search.searchers.fidelities import deepening, halvings
from nas.search.searchers.genetic import genetic
from nas.search.searchers.gflownet import GFlowNet
from nas.search.searchers.linas import linas
from nas.search.searchers.local_search import LocalSearch
from nas.search.searchers.manas import Manas
from nas.search.searchers.map_elites import MapElites
from nas.search.searchers.mcts import Mcts
from nas.search.searchers.memetic import memetic
from nas.search.searchers.mobo import mobo
from nas.search.searchers.moead import Moead
from nas.search.searchers.nsga3 import nsga3, unsga3
from nas.search.searchers.policy_gradient import PolicyGradient
from nas.search.searchers.random_search import RandomSearch
from nas.search.searchers.slimming import Slimming
from nas.search.task import Task
from search_spaces.unknown import unknown

MAP_ELITES = "map-elites"
Maker = Callable[[Task, np.random.Generator], Searcher]


@dataclass(frozen=True)
class Entry:
    """A searcher: what makes it, whose idea it is, and the ``batch`` that serves a task."""

    make: Maker
    paper: str
    batch: Callable[[Task], int] = usual_batch


SEARCHERS: dict[str, Entry] = {
    "auto": Entry(
        auto, "mobo for up to 1,000 evaluations that are not free, else nsga2", auto_batch
    ),
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
        genetic,
        "Goldberg, Genetic algorithms in search, optimization, and machine learning (1989)",
    ),
    "gflownet": Entry(GFlowNet, "Jain et al., Multi-objective GFlowNets (2023)"),
    "halving": Entry(
        halvings,
        "Jamieson and Talwalkar, Non-stochastic best arm identification and hyperparameter "
        "optimization (2016); for nas finetune, and NSGA-II where no function has cheaper "
        "versions (Graded)",
    ),
    "hyperband": Entry(
        deepening,
        "Li et al., Hyperband (2018); Brandt et al., Iterative deepening Hyperband (2023); for nas "
        "finetune, and NSGA-II where no function has cheaper versions (Graded)",
    ),
    "linas": Entry(
        linas,
        "Cummings et al., A hardware-aware framework for accelerating neural architecture search "
        "across modalities (2022)",
        small_batch,
    ),
    "local": Entry(
        LocalSearch,
        "White et al., Exploring the loss landscape in neural architecture search (2021)",
    ),
    "manas": Entry(
        Manas,
        "Carlucci et al., MANAS: multi-agent neural architecture search (2019)",
    ),
    MAP_ELITES: Entry(
        MapElites,
        "Mouret and Clune, Illuminating search spaces by mapping elites (2015)",
    ),
    "mcts": Entry(
        Mcts,
        "Su et al., Prioritized architecture sampling with Monto-Carlo tree search (2021)",
    ),
    "mobo": Entry(
        mobo,
        "Daulton et al., Differentiable expected hypervolume improvement for parallel "
        "multi-objective Bayesian optimization (2020)",
        small_batch,
    ),
    "moead": Entry(
        Moead,
        "Zhang and Li, MOEA/D: a multiobjective evolutionary algorithm based on decomposition "
        "(2007)",
    ),
    "nsga2": Entry(
        memetic,
        "Deb et al., A fast and elitist multiobjective genetic algorithm: NSGA-II (2002); under "
        "limits with the local search of Ishibuchi and Murata, A multi-objective genetic local "
        "search algorithm (1998)",
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
    "policy-gradient": Entry(
        PolicyGradient,
        "Tan et al., MnasNet: platform-aware neural architecture search for mobile (2019)",
    ),
    "random": Entry(
        RandomSearch,
        "Li and Talwalkar, Random search and reproducibility for neural architecture search (2019)",
    ),
    "slimming": Entry(
        Slimming,
        "Li et al., EfficientFormer: Vision Transformers at MobileNet Speed (2022)",
    ),
    "unsga3": Entry(
        unsga3,
        "Seada and Deb, A unified evolutionary optimization procedure for single, multiple, and "
        "many objectives (2016)",
    ),
}


def over(name: str, dimensions: Sequence[Dimension]) -> str | Maker:
    """The searcher of that name, by ``dimensions`` where it is MAP-Elites and there are any."""
    if name != MAP_ELITES or not dimensions:
        return name
    return partial(MapElites, dimensions=tuple(dimensions))


def names() -> tuple[str, ...]:
    """The searchers that ``get`` knows."""
    return tuple(SEARCHERS)


def get(name: str) -> Entry:
    """The searcher of that name; raises ``SearchError`` if there is none."""
    if name not in SEARCHERS:
        raise SearchError(unknown("searcher", name, SEARCHERS))
    return SEARCHERS[name]
