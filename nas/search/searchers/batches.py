"""How many networks serve a searcher at once."""

from __future__ import annotations

from nas.search.task import Task

# Generations of a search, and how large they may be: few large ones explore, many refine.
GENERATIONS = 20
SMALLEST, LARGEST, VAST = 10, 200, 2_500
# Taken where something else than a number of evaluations ends a search.
USUAL_EVALUATIONS = 2_000


def usual_batch(task: Task) -> int:
    """A twentieth of the evaluations, 10 to 200."""
    return min(LARGEST, max(SMALLEST, _evaluations(task) // GENERATIONS))


def large_batch(task: Task) -> int:
    """The same for searchers whose population is the batch, and costs next to nothing."""
    return min(VAST, max(SMALLEST, _evaluations(task) // GENERATIONS))


def small_batch(task: Task) -> int:
    """For searchers that learn from every batch: an eightieth of the evaluations, 5 to 50."""
    return min(50, max(5, _evaluations(task) // 80))


def _evaluations(task: Task) -> int:
    return USUAL_EVALUATIONS if task.evaluations is None else task.evaluations
