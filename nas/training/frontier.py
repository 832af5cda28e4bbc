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
from nas.training.sampling import Front
from predictors import get
from search_spaces import Space
from search_spaces.space import Population

__all__ = ["FEWEST", "Frontier"]

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
    how far the training is count. In the end it settles: a network is worth what it is alone if it
    is trained about as often, which few can be.
    """

    def __init__(self, space: Space, number: int) -> None:
        """``number`` networks are left when it settles; with 0 it never does."""
        self._space = space
        self._number = number
        self._epochs: list[tuple[list[Population], list[Losses]]] = []
        self._settled = self._none

    @property
    def settled(self) -> Population:
        """The networks that it settled on, [n, choices]; none as long as it has not."""
        return self._settled

    def note(self, rows: Population, losses: Losses) -> None:
        """One step of a sandwich: rows [n, choices], the smallest last, and what they lost [n]."""
        seen, lost = self._epochs[-1]
        seen.append(rows[1:-1])
        lost.append(losses[1:-1] - losses[-1])

    def begin(self, seed: int, settle: bool = False) -> Front:
        """An epoch begins: the frontier, empty while little is known.

        Told to ``settle`` it does so if it is known, and stays.
        """
        rows, losses = self._known()
        self._epochs = [*self._epochs[1 - EPOCHS :], ([], [])]
        if len(self._settled):
            return Front(self._settled, settled=True)
        if len(rows) < FEWEST or np.ptp(losses) == 0:
            return Front(self._none)
        front = self._searched(rows, losses, seed)
        if settle and self._number:
            self._settled = self._spread(front)
        return Front(self._settled, settled=True) if len(self._settled) else Front(front)

    @property
    def _none(self) -> Population:
        return np.empty((0, len(self._space.choices)), dtype=np.int64)

    def _searched(self, rows: Population, losses: Losses, seed: int) -> Population:
        """The frontier [m, choices] by MACs that follows from ``losses`` [n]."""
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

    def _spread(self, front: Population) -> Population:
        """Of a ``front`` at most ``number``, spread evenly over log MACs between the two ends."""
        ends = np.stack([self._space.smallest, self._space.largest])
        inner = front[(front[:, None] != ends).any(axis=2).all(axis=1)]
        if not len(inner):
            return inner
        low, high = np.log(self._space.macs(ends))
        wanted = np.linspace(low, high, self._number + 2)[1:-1, None]
        away = np.abs(np.log(self._space.macs(inner)) - wanted)
        return inner[np.unique(away.argmin(axis=1))]

    def _known(self) -> tuple[Population, Losses]:
        """All that is noted: rows [n, choices] and losses [n]."""
        rows = [row for seen, _ in self._epochs for row in seen]
        losses = [loss for _, lost in self._epochs for loss in lost]
        return np.concatenate([self._none, *rows]), np.concatenate([np.empty(0), *losses])

    def state(self) -> dict[str, Any]:
        """All of it, as a checkpoint keeps it."""
        epochs = [
            {
                "rows": torch.from_numpy(np.concatenate(seen)),
                "losses": torch.from_numpy(np.concatenate(lost)),
            }
            for seen, lost in self._epochs
            if seen
        ]
        return {"epochs": epochs, "settled": torch.from_numpy(self._settled)}

    def load(self, state: dict[str, Any]) -> None:
        """Go on from a ``state``."""
        self._epochs = [([one["rows"].numpy()], [one["losses"].numpy()]) for one in state["epochs"]]
        self._settled = state["settled"].numpy()
