"""The default: a model where asking costs something, plain evolution where nothing does.

Where every objective and limit is free (tables, counts, predictors) a model of them would be slower
and less true than they are; else each evaluation is worth a second of thought.
"""

from __future__ import annotations

import numpy as np

from nas.search.searcher import Searcher
from nas.search.searchers.mobo import mobo
from nas.search.searchers.nsga2 import Nsga2
from nas.search.task import Task


def auto(task: Task, rng: np.random.Generator) -> Searcher:
    """NSGA-II, or Bayesian optimisation as soon as a function is not free."""
    if all(name in task.free for name in task.problem.names):
        return Nsga2(task, rng)
    return mobo(task, rng)
