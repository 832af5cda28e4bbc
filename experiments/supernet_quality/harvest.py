"""What a search finds in a supernet: the best accuracy within each of some limits of MACs.

Networks that are drawn say what a supernet's subnets are worth; nobody takes those. A search does
not meet them by chance, and a training may be made for those that it meets.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import spinning  # noqa: F401  # before PyTorch

from nas.data.batches import as_tensors
from nas.dataset import Dataset
from nas.jobs.sampling import stratified
from nas.search import Budget, minimize
from nas.training.evaluate import Evaluator
from nas.training.loop import Learned
from predictors import ERROR, USUAL, get
from search_spaces import Space
from search_spaces.space import Population

LIMITS = 8
"""As many, from the smallest network's MACs to the largest's, in equal steps of their logarithm."""
SAMPLES = 40
"""Networks that the predictor is fitted on."""
EACH = 3
"""Networks that are measured for every limit: those of the predicted front just below it."""
EVALUATIONS = 5000


def limits_of(space: Space) -> npt.NDArray[np.float64]:
    """Limits of MACs: [LIMITS]."""
    low, high = np.log(space.macs(np.stack([space.smallest, space.largest])))
    limits: npt.NDArray[np.float64] = np.exp(np.linspace(low, high, LIMITS)) * (1 + 1e-9)
    return limits


def below(macs: npt.NDArray[Any], limits: npt.NDArray[np.float64], each: int) -> list[int]:
    """Positions of the ``each`` largest of ``macs`` [n] within every one of the limits [m]."""
    order = np.argsort(macs, kind="stable")
    chosen = [order[: np.searchsorted(macs[order], limit, "right")][-each:] for limit in limits]
    return sorted({int(position) for one in chosen for position in one})


def harvest(space: Space, learned: Learned, data: Dataset) -> dict[str, list[float]]:
    """Held-out and test accuracy in percent of the best of every limit, by held-out images.

    As ``nas search`` does it: a predictor of networks that were measured, a search by it, and the
    networks of its front measured, and those that the training settled on.
    """
    images = data.images
    evaluator = Evaluator(learned.supernet, images.normalisation, images.calibration)

    def val(rows: Population) -> npt.NDArray[np.float64]:
        return np.array(
            [evaluator.accuracy(space.decode(row), images.val, images.val_labels) for row in rows]
        )

    X = stratified(space, min(SAMPLES, space.size), np.random.default_rng(0))
    accuracy = val(X)
    limits = limits_of(space)
    predictor = get(USUAL, space, labels=ERROR).fit(X, 100.0 - accuracy)
    study = minimize(
        space,
        {"error": predictor.predict, "macs": space.macs},
        searcher="nsga2",
        budget=Budget(EVALUATIONS),
        seed=0,
    )
    front = np.array([evaluation.row for evaluation in study.front()], dtype=np.int64)
    front = front[below(space.macs(front), limits, EACH)]
    known = set(map(tuple, X.tolist()))
    more = dict.fromkeys(map(tuple, [*front.tolist(), *learned.settled.tolist()]))
    further = np.array([row for row in more if row not in known], dtype=np.int64)
    if len(further):
        X, accuracy = np.concatenate([X, further]), np.concatenate([accuracy, val(further)])
    macs = space.macs(X)
    best = [int(np.where(macs <= limit, accuracy, -np.inf).argmax()) for limit in limits]
    test = as_tensors(data.splits.test())
    tested = {one: evaluator.accuracy(space.decode(X[one]), *test) for one in set(best)}
    return {
        "val": [round(float(accuracy[one]), 3) for one in best],
        "test": [round(tested[one], 3) for one in best],
    }
