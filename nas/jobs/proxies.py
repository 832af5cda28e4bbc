"""Zero-cost proxies of a run's networks, on its training images."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from nas.jobs.row_store import RowStore
from nas.jobs.trained import TrainedRun
from nas.terminal import Screen
from search_spaces.space import Population

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["ProxyScores", "proxy_scores"]

BATCH = 64
"""Images that a network is scored on."""
SEED = 0
"""Of the images that are drawn, and of what proxies draw."""
COMBINED = "proxies combined"


class ProxyScores(RowStore[dict[str, float]]):
    """Scores by proxy, of networks that nobody trained."""

    FORMAT = 1
    COLUMN = "scores TEXT"
    WHAT = "scores"

    def encoded(self, value: dict[str, float]) -> str:
        """As JSON."""
        return json.dumps(value)

    def decoded(self, kept: float | str) -> dict[str, float]:
        """From JSON."""
        return {name: float(score) for name, score in json.loads(str(kept)).items()}


def proxy_scores(
    trained: TrainedRun, X: Population, screen: Screen
) -> dict[str, npt.NDArray[np.float64]]:
    """For each proxy that applies to all of them, scores of the networks ``X`` [n, choices]: [n].

    And those of the default combination, where it can be had. Every network has fresh weights,
    equal networks the same; what is not known yet is scored, and kept in the run.

    Raises:
        ConfigError: the run has no images.
        ArtefactError: scores in the run are of other images or other proxies.
    """
    from predictors import proxies
    from predictors.proxies import combine

    belongs = {
        "data": trained.dataset.fingerprint,
        "batch": f"{BATCH} images, seed {SEED}",
        "proxies": ", ".join(proxies.names()),
    }
    store = ProxyScores(trained.run.proxies, trained.space, belongs)
    images, labels = _batch(trained)
    with screen.progress("score by proxies", len(X)) as advance:
        found = store.values(
            X,
            lambda row: _scored(trained, row, images, labels),
            lambda done, _: advance(done, "networks"),
        )
    common = [name for name in found[0] if all(name in one for one in found)]
    table = {name: np.array([one[name] for one in found]) for name in common}
    if all(name in table for name in combine.DEFAULT):
        table[COMBINED] = combine.combined(found)
    return table


def _batch(trained: TrainedRun) -> tuple[Tensor, Tensor]:
    images = trained.dataset.images
    count = len(images.train_labels)
    chosen = np.random.default_rng(SEED).permutation(count)[:BATCH]
    return images.train[chosen], images.train_labels[chosen]


def _scored(
    trained: TrainedRun, row: Population, images: Tensor, labels: Tensor
) -> dict[str, float]:
    import torch

    from predictors import proxies

    architecture = trained.space.decode(row)
    with torch.random.fork_rng([]):
        torch.manual_seed(int(trained.space.digest(architecture)[:15], 16))
        network = trained.space.build(architecture)
    side = int(str(architecture["resolution"]))
    (x,) = trained.evaluator.batches(images, side)
    return proxies.score(network.to(x.device), (x, labels.to(x.device)), seed=SEED)
