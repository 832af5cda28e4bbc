"""What all accuracy predictors share: checks, encoding, scaling, calibration, saving."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import zipfile
from pathlib import Path
from typing import Literal, Self, overload

import numpy as np
import numpy.typing as npt

from predictors.features import Encoder
from predictors.labels import Scale
from predictors.method import Floats, Method, State, folds
from predictors.threads import one_thread
from search_spaces.errors import ArtefactError, NasLoopError
from search_spaces.files import write_atomic
from search_spaces.space import Space

FORMAT = 1
CHUNK = 4096
# Labels that differ by less than this share of them are equal.
ROUNDING = 1e-12
# Calibrated so that this share of held-out labels is within that many standard deviations.
COVERAGE, DEVIATIONS = 0.9, 1.6448536269514722


class PredictorError(NasLoopError):
    """Samples that nothing can be fitted on, or a predictor used before it was fitted."""


class Predictor:
    """``fit(X, y)`` then ``predict(X)``, as in scikit-learn; ``X`` [n, choices] are rows.

    Labels may be on any scale; larger labels need not be better. Standard deviations include the
    noise of the labels and are calibrated on held-out samples, so that ``mean +- 1.645 std``
    holds nine labels of ten. Fits are deterministic: randomness comes from ``seed``.
    """

    def __init__(
        self, name: str, method: Method, space: Space, *, seed: int = 0, data: str = ""
    ) -> None:
        """``data`` is the fingerprint of what the labels were measured on; it is saved along."""
        self.name = name
        self.space = space
        self.data = data
        self.samples = ""
        self._seed = seed
        self._method = method
        self._encoder = Encoder(space)
        self._scale: Scale | None = None
        self._state: State = {}

    def fit(self, X: npt.ArrayLike, y: npt.ArrayLike) -> Self:
        """Fit on rows [n, choices] and labels [n]; equal labels are fitted as a constant.

        Raises:
            SpaceError: rows that are not of the space.
            PredictorError: fewer than two samples, another number of labels, or one not finite.
        """
        rows = self.space.canonical(X)
        labels = _checked(y, len(rows))
        self.samples = hashlib.sha256(rows.tobytes() + labels.tobytes()).hexdigest()
        if not labels.std() > ROUNDING * np.abs(labels).max():
            constant = float(labels[0])
            self._scale, self._state = Scale(constant, 0, 1, 0, 1, constant, constant), {}
            return self
        decisions, costs = self._encoder(rows)
        centre, spread = costs.mean(0), costs.std(0)
        standard = {"centre": centre, "spread": np.where(spread > 1e-9 * np.abs(centre), spread, 1)}
        scale = Scale.fit(labels)
        rng = np.random.default_rng(self._seed)
        with one_thread():
            state, held = self._method.fit(
                _features(standard, decisions, costs),
                scale.forward(labels),
                folds(len(labels), rng),
                rng,
            )
        away = np.abs(labels - scale.inverse(held.mean)) / scale.spread(held.mean, held.std)
        share = min(1.0, np.ceil((len(labels) + 1) * COVERAGE) / len(labels))
        stretch = np.quantile(away, share) / DEVIATIONS
        self._scale = scale
        self._state = {**state, **{f"features.{key}": array for key, array in standard.items()}}
        self._state["calibration.stretch"] = np.array(stretch)
        return self

    @overload
    def predict(self, X: npt.ArrayLike, return_std: Literal[False] = ...) -> Floats: ...
    @overload
    def predict(self, X: npt.ArrayLike, return_std: Literal[True]) -> tuple[Floats, Floats]: ...
    def predict(self, X: npt.ArrayLike, return_std: bool = False) -> Floats | tuple[Floats, Floats]:
        """Labels [n] of rows [n, choices], with ``return_std`` their standard deviations [n] too.

        Raises:
            SpaceError: rows that are not of the space.
            PredictorError: not fitted yet.
        """
        if self._scale is None:
            raise PredictorError(f"predictor {self.name!r} is not fitted; call fit(X, y) first")
        rows = self.space.checked(X)
        mean, std = np.full(len(rows), self._scale.centre), np.zeros(len(rows))
        # In chunks, because kernel matrices of a whole population would not fit into the cache.
        with one_thread():
            for start in range(0, len(rows) if self._state else 0, CHUNK):
                part = slice(start, start + CHUNK)
                mean[part], std[part] = self._predict(self._scale, rows[part], return_std)
        return (mean, std) if return_std else mean

    def _predict(
        self, scale: Scale, rows: npt.NDArray[np.int64], std: bool
    ) -> tuple[Floats, Floats]:
        standard = {key: self._state[f"features.{key}"] for key in ("centre", "spread")}
        Z = _features(standard, *self._encoder(rows))
        latent, deviation = self._method.predict(self._state, Z, std)
        if not std:
            return scale.inverse(latent), deviation
        stretched = scale.spread(latent, deviation) * self._state["calibration.stretch"]
        return scale.inverse(latent), stretched

    def save(self, path: str | Path) -> None:
        """Write an ``.npz`` of plain arrays, atomically; ``predictors.load`` reads it.

        Raises:
            PredictorError: not fitted yet.
            NasLoopError: the file cannot be written.
        """
        if self._scale is None:
            raise PredictorError(f"predictor {self.name!r} is not fitted; there is nothing to save")
        header = {
            "format": FORMAT,
            "name": self.name,
            "space": self.space.name,
            "identity": self.space.identity,
            "data": self.data,
            "samples": self.samples,
            "scale": dataclasses.asdict(self._scale),
        }
        buffer = io.BytesIO()
        np.savez(buffer, header=np.array(json.dumps(header)), **self._state)  # type: ignore[arg-type]
        write_atomic(path, buffer.getvalue())

    def restore(self, scale: Scale, state: State, samples: str) -> Self:
        """Take over what ``read`` found in a file instead of fitting."""
        self._scale, self._state, self.samples = scale, state, samples
        return self


def read(path: str | Path) -> tuple[dict[str, str], Scale, State]:
    """The header, label scale and arrays of a saved predictor.

    Raises:
        ArtefactError: no such file, truncated, no predictor, or of another version.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {key: archive[key] for key in archive.files}
        header = json.loads(str(arrays.pop("header")))
        if header["format"] != FORMAT:
            raise ArtefactError(
                f"{path}: predictor format {header['format']!r} is not {FORMAT}, the one this "
                "version reads; fit it again"
            )
        return header, Scale(**header.pop("scale")), arrays
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise ArtefactError(f"{path}: not a saved predictor, or truncated ({error})") from error


def _checked(y: npt.ArrayLike, rows: int) -> Floats:
    labels = np.asarray(y, dtype=np.float64)
    if labels.shape != (rows,):
        raise PredictorError(f"one label for each of {rows} rows; got shape {labels.shape}")
    bad = np.flatnonzero(~np.isfinite(labels))
    if len(bad):
        raise PredictorError(
            f"labels are finite numbers; label {bad[0]} is {labels[bad[0]]}: "
            "leave out what could not be measured"
        )
    if rows < 2:
        raise PredictorError(f"at least two samples are needed to fit a predictor; got {rows}")
    return labels


def _features(standard: State, decisions: Floats, costs: Floats) -> Floats:
    return np.concatenate([decisions, (costs - standard["centre"]) / standard["spread"]], axis=1)
