"""Which networks are worth training: those that a search would choose by what is known so far.

Every step says what a few networks lose. That is enough to predict what any of them does, and so to
find the networks that lose least for their MACs while the training goes on. Wang et al.,
"AttentiveNAS" (CVPR 2021, section 3), attend to the frontier by a predictor as well, fitted on
networks that are evaluated for it; here the training's own losses serve, which cost nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from nas.search import Budget, minimize
from predictors import get
from search_spaces import Space
from search_spaces.space import Population

__all__ = ["Frontier"]

FEWEST = 48
"""Losses from which on the predictor is fitted."""
EPOCHS = 2
"""What is older says little about the weights of now."""
EVALUATIONS = 4000
"""Networks that a search asks the predictor about."""

Losses = npt.NDArray[np.float64]


class Frontier:
    """What the middle networks of a sandwich lost, and the frontier that follows from it.

    Losses are relative to the smallest network's of the same step, so that neither its images nor
    how far the training is count.
    """

    def __init__(self, space: Space) -> None:
        self._space = space
        self._epochs: list[tuple[list[Population], list[Losses]]] = []

    def note(self, rows: Population, losses: Losses) -> None:
        """One step of a sandwich: rows [n, choices], the smallest last, and what they lost [n]."""
        seen, lost = self._epochs[-1]
        seen.append(rows[1:-1])
        lost.append(losses[1:-1] - losses[-1])

    def begin(self, seed: int) -> Population:
        """An epoch begins: the frontier, rows [m, choices] by MACs; none while little is known."""
        rows, losses = self._known()
        self._epochs = [*self._epochs[1 - EPOCHS :], ([], [])]
        if len(rows) < FEWEST or np.ptp(losses) == 0:
            return rows[:0]
        predictor = get("ridge", self._space, labels="loss").fit(rows, losses)
        study = minimize(
            self._space,
            {"loss": predictor.predict, "macs": self._space.macs},
            searcher="nsga2",
            budget=Budget(EVALUATIONS),
            seed=seed,
        )
        front = np.array([evaluation.row for evaluation in study.front()], dtype=np.int64)
        return front[np.argsort(self._space.macs(front), kind="stable")]

    def _known(self) -> tuple[Population, Losses]:
        """All that is noted: rows [n, choices] and losses [n]."""
        rows = [row for seen, _ in self._epochs for row in seen]
        losses = [loss for _, lost in self._epochs for loss in lost]
        none = np.empty((0, len(self._space.choices)), dtype=np.int64)
        return np.concatenate([none, *rows]), np.concatenate([np.empty(0), *losses])

    def state(self) -> list[dict[str, torch.Tensor]]:
        """What is noted, an epoch each, as a checkpoint keeps it."""
        return [
            {
                "rows": torch.from_numpy(np.concatenate(seen)),
                "losses": torch.from_numpy(np.concatenate(lost)),
            }
            for seen, lost in self._epochs
            if seen
        ]

    def load(self, state: list[dict[str, Any]]) -> None:
        """Go on from a ``state``."""
        self._epochs = [([one["rows"].numpy()], [one["losses"].numpy()]) for one in state]
