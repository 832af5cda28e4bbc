"""The default: a model where asking costs something, plain evolution where nothing does.

Where every objective and limit is free (tables, counts, predictors) a model of them would be slower
and less true than they are; else each evaluation is worth a second of thought.
"""

from __future__ import annotations

import numpy as np

from nas.search.searcher import Searcher
from nas.search.searchers.batches import small_batch, usual_batch
from nas.search.searchers.mobo import mobo
from nas.search.searchers.nsga2 import nsga2
from nas.search.task import Task


def auto(task: Task, rng: np.random.Generator) -> Searcher:
    """NSGA-II, or Bayesian optimisation as soon as a function is not free."""
    return nsga2(task, rng) if _all_free(task) else mobo(task, rng)


def auto_batch(task: Task) -> int:
    """What serves the one of the two that it is."""
    return usual_batch(task) if _all_free(task) else small_batch(task)


def _all_free(task: Task) -> bool:
    return all(name in task.free for name in task.problem.names)
