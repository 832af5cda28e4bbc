"""Zero-cost proxies of a run's networks, on its training images."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from nas.engine import LOCAL, Engine
from nas.jobs.row_store import RowStore
from nas.jobs.search_cost import rows_seconds
from nas.jobs.trained import TrainedRun
from nas.terminal import Screen
from search_spaces import Space
from search_spaces.space import Population

if TYPE_CHECKING:
    from torch import Tensor

    from nas.data.augment import Normalisation

__all__ = ["ProxyScores", "proxies_seconds", "proxy_scores"]

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
    trained: TrainedRun, X: Population, screen: Screen, engine: Engine = LOCAL
) -> dict[str, npt.NDArray[np.float64]]:
    """For each proxy that applies to all of them, scores of the networks ``X`` [n, choices]: [n].

    And those of the default combination, where it can be had. Every network has fresh weights,
    equal networks the same; what is not known yet is scored by ``engine``, and kept in the run.

    Raises:
        ConfigError: the run has no images.
        ArtefactError: scores in the run are of other images, other proxies or other formulas.
    """
    from predictors.proxies import combine

    store = _store(trained)
    with screen.progress("score by proxies", len(X)) as advance:
        found = store.values(
            X, _scoring(trained), lambda done, _: advance(done, "networks"), engine
        )
    common = [name for name in found[0] if all(name in one for one in found)]
    table = {name: np.array([one[name] for one in found]) for name in common}
    if all(name in table for name in combine.DEFAULT):
        table[COMBINED] = combine.combined(found)
    return table


def proxies_seconds(trained: TrainedRun, X: Population) -> float:
    """About how long it takes to score what is not known of the networks ``X`` [n, choices].

    Where too few scores are known to tell, two networks are scored, and kept. Raises as
    ``proxy_scores``.
    """
    return rows_seconds(_store(trained), _scoring(trained), X) or 0.0


def _store(trained: TrainedRun) -> ProxyScores:
    from predictors import proxies

    belongs = {
        "data": trained.dataset.fingerprint,
        "batch": f"{BATCH} images, seed {SEED}",
        "proxies": ", ".join(proxies.formulas(proxies.names())),
    }
    return ProxyScores(trained.run.proxies, trained.space, belongs)


@dataclass(frozen=True, eq=False)
class _Scoring:
    """Scores by proxy of the network of one row [choices], with fresh weights of its own.

    ``images`` are uint8 [n, C, H, W] with ``labels`` [n].
    """

    space: Space
    normalisation: Normalisation
    images: Tensor
    labels: Tensor

    def __call__(self, row: Population) -> dict[str, float]:
        import torch

        from nas.data.augment import normalise
        from predictors import proxies

        architecture = self.space.decode(row)
        with torch.random.fork_rng([]):
            torch.manual_seed(int(self.space.digest(architecture)[:15], 16))
            network = self.space.build(architecture)
        side = int(str(architecture["resolution"]))
        batch = normalise(self.images, self.normalisation, side)
        return proxies.score(network, (batch, self.labels), seed=SEED)


def _scoring(trained: TrainedRun) -> _Scoring:
    images = trained.dataset.images
    count = len(images.train_labels)
    chosen = np.random.default_rng(SEED).permutation(count)[:BATCH]
    return _Scoring(
        trained.space,
        trained.trained.normalisation,
        images.train[chosen],
        images.train_labels[chosen],
    )
