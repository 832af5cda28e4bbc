"""Labels from what proxies see of single layers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Self, overload

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from predictors import archive
from predictors.errors import PredictorError
from predictors.proxies.parzc.diffkendall import diff_kendall
from predictors.proxies.parzc.mixer import Mixer

Floats = npt.NDArray[np.float64]

FORMAT = 1
WIDTH = 16
STEPS = 200
RATE = 0.01
PRIOR = 1e-5
"""How much the divergence from the prior counts beside tau."""
DRAWS = 32
SMALL = 1e-9


class ParZC:
    """``fit(nodes, y)`` then ``predict(nodes)``; ``nodes``: of every network what ``nodes`` gives.

    Trained to rank: tau of the labels is maximised, and predictions are then put on the labels'
    scale by a line. Deterministic: starts and draws come from ``seed``.
    """

    def __init__(self, *, seed: int = 0) -> None:
        self._seed = seed
        self._mixer: Mixer | None = None

    def fit(self, nodes: Sequence[npt.ArrayLike], y: npt.ArrayLike) -> Self:
        """Fit on statistics [nodes, statistics] of n networks and labels [n].

        Raises:
            PredictorError: fewer than two networks, another number of labels, labels that are
                equal, or something not finite.
        """
        labels = np.asarray(y, dtype=np.float64)
        if labels.shape != (len(nodes),) or not np.isfinite(labels).all():
            raise PredictorError(
                f"one finite label for each of {len(nodes)} networks; got {[*labels.shape]}"
            )
        if len(labels) < 2 or not np.ptp(labels):
            raise PredictorError(
                f"ranking is learned from two different labels at least; got {len(labels)} labels"
            )
        tables = _tables(nodes)
        together = np.concatenate(tables)
        if not len(together):
            raise PredictorError("ParZC learns what layers are worth; got networks without weights")
        self._centre, self._spread = together.mean(0), together.std(0) + SMALL
        self._nodes = max(map(len, tables))
        x = self._padded(tables)
        standard = torch.from_numpy((labels - labels.mean()) / labels.std()).float()
        rng = torch.Generator().manual_seed(self._seed)
        mixer = Mixer(self._nodes, x.shape[2], WIDTH, rng)
        optimizer = torch.optim.Adam(mixer.parameters(), RATE)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
        with torch.enable_grad():
            for _ in range(STEPS):
                loss = PRIOR * mixer.divergence() - diff_kendall(mixer(x, rng), standard)
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                schedule.step()
        self._mixer = mixer
        mean, _ = self._drawn(x)
        slope = np.cov(mean, labels, ddof=0)[0, 1] / (mean.var() + SMALL)
        self._line = float(slope), float(labels.mean() - slope * mean.mean())
        return self

    @overload
    def predict(
        self, nodes: Sequence[npt.ArrayLike], return_std: Literal[False] = ...
    ) -> Floats: ...
    @overload
    def predict(
        self, nodes: Sequence[npt.ArrayLike], return_std: Literal[True]
    ) -> tuple[Floats, Floats]: ...
    def predict(
        self, nodes: Sequence[npt.ArrayLike], return_std: bool = False
    ) -> Floats | tuple[Floats, Floats]:
        """Labels [n], with ``return_std`` how much they differ between draws of the weights [n].

        Nodes beyond those of the largest network that was fitted on are left out.

        Raises:
            PredictorError: not fitted yet, or statistics of another number or not finite.
        """
        if self._mixer is None:
            raise PredictorError("ParZC is not fitted; call fit(nodes, y) first")
        tables = _tables(nodes)
        if tables[0].shape[1] != len(self._centre):
            raise PredictorError(
                f"fitted on {len(self._centre)} statistics a node; got {tables[0].shape[1]}"
            )
        mean, std = self._drawn(self._padded(tables))
        slope, bias = self._line
        return (slope * mean + bias, abs(slope) * std) if return_std else slope * mean + bias

    def save(self, path: str | Path) -> None:
        """Write an ``.npz`` of plain arrays, atomically; ``ParZC.load`` reads it.

        Raises:
            PredictorError: not fitted yet, or the file does not end with ``.npz``.
            NasLoopError: the file cannot be written.
        """
        if self._mixer is None:
            raise PredictorError("ParZC is not fitted; there is nothing to save")
        weights = {f"mixer.{key}": w.numpy() for key, w in self._mixer.state_dict().items()}
        header = {"parzc": FORMAT, "seed": self._seed, "nodes": self._nodes, "line": self._line}
        archive.write(path, header, {"centre": self._centre, "spread": self._spread, **weights})

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """What ``save`` wrote.

        Raises:
            ArtefactError: no such file, truncated, something else, or of another version.
        """
        with archive.reading(path, "ParZC"):
            header, arrays = archive.read(path)
            archive.require_format(path, "ParZC", header["parzc"], FORMAT)
            loaded = cls(seed=int(header["seed"]))
            loaded._nodes = int(header["nodes"])
            slope, bias = header["line"]
            loaded._line = float(slope), float(bias)
            loaded._centre, loaded._spread = arrays.pop("centre"), arrays.pop("spread")
            if loaded._centre.ndim != 1 or loaded._spread.shape != loaded._centre.shape:
                raise ValueError("centre and spread are not numbers of every statistic")
            mixer = Mixer(loaded._nodes, len(loaded._centre), WIDTH, torch.Generator())
            weights = {key.removeprefix("mixer."): torch.tensor(a) for key, a in arrays.items()}
            try:
                mixer.load_state_dict(weights)
            except RuntimeError as error:
                raise ValueError("its arrays are not those of a mixer") from error
            loaded._mixer = mixer
        return loaded

    def _padded(self, tables: Sequence[Floats]) -> Tensor:
        x = np.zeros((len(tables), self._nodes, len(self._centre)), dtype=np.float32)
        for filled, table in zip(x, tables, strict=True):
            few = table[: self._nodes]
            filled[: len(few)] = (few - self._centre) / self._spread
        return torch.from_numpy(x)

    def _drawn(self, x: Tensor) -> tuple[Floats, Floats]:
        """Mean and deviation over draws of the mixer's weights, [n] each."""
        assert self._mixer is not None
        rng = torch.Generator().manual_seed(self._seed + 1)
        with torch.no_grad():
            scores = torch.stack([self._mixer(x, rng) for _ in range(DRAWS)]).double().numpy()
        return scores.mean(0), scores.std(0)


def _tables(nodes: Sequence[npt.ArrayLike]) -> list[Floats]:
    tables = [np.asarray(one, dtype=np.float64) for one in nodes]
    widths = {one.shape[1] if one.ndim == 2 else -1 for one in tables}
    if len(widths) != 1 or -1 in widths:
        raise PredictorError(
            "statistics of networks are tables [nodes, statistics] of equal width, one a network; "
            f"got shapes {sorted({one.shape for one in tables})}"
        )
    if not all(np.isfinite(one).all() for one in tables):
        raise PredictorError("statistics of nodes are finite; got some that are not")
    return tables
