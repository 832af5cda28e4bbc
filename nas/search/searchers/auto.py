"""The default: a model where evaluations are few and cost something, plain evolution elsewhere.

Where every objective and limit is free (tables, counts, predictors) a model of them would be slower
and less true than they are. Else each evaluation is worth a second of thought, up to the number of
evaluations that nobody asks for who finds them expensive.
"""

from __future__ import annotations

import numpy as np

from nas.search.searcher import Searcher
from nas.search.searchers.batches import small_batch, usual_batch
from nas.search.searchers.memetic import memetic
from nas.search.searchers.mobo import mobo
from nas.search.task import Task

MANY = 1_000
"""From more evaluations a model would take longer to fit than it saves."""


def auto(task: Task, rng: np.random.Generator) -> Searcher:
    """NSGA-II, or Bayesian optimisation where up to ``MANY`` evaluations are not free."""
    return mobo(task, rng) if _worth_a_model(task) else memetic(task, rng)


def auto_batch(task: Task) -> int:
    """What serves the one of the two that it is."""
    return small_batch(task) if _worth_a_model(task) else usual_batch(task)


def _worth_a_model(task: Task) -> bool:
    if all(name in task.free for name in task.problem.names):
        return False
    return task.evaluations is None or task.evaluations <= MANY
