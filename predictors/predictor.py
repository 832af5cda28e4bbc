"""What all accuracy predictors share: checks, encoding, scaling, calibration, saving."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Self, overload

import numpy as np
import numpy.typing as npt

from predictors import calibration, files
from predictors.columns import Columns, numbers, stacked
from predictors.errors import PredictorError
from predictors.features import Encoder, Standard
from predictors.labels import LARGEST, Scale, constant
from predictors.linear import Linear, linear
from predictors.method import Floats, Inputs, Method, State, folds
from predictors.networks import networks
from predictors.ridge import RIDGE
from predictors.threads import one_thread
from search_spaces.space import Space

CHUNK = 1024


class Predictor:
    """``fit(X, y)`` then ``predict(X)``, as in scikit-learn; ``X`` [n, choices] are rows.

    Labels may be on any scale; larger labels need not be better. What else is known of a network,
    such as its zero-cost proxies, may be passed along by name (``proxies``), to all calls or to
    none. Rows of one network are never on both sides of a split. Standard deviations include the
    noise of the labels and are calibrated on held-out samples, so that ``mean +- 1.645 std``
    holds nine labels of ten. Fits are deterministic: randomness comes from ``seed``.
    """

    def __init__(
        self,
        name: str,
        method: Method,
        space: Space,
        *,
        seed: int = 0,
        labels: str | None = None,
        belongs: Mapping[str, str] | None = None,
    ) -> None:
        """``labels`` is what they are, with the unit; ``belongs``, by name, what they were measured
        on; None for what is not known. Both are saved along.
        """
        self.name = name
        self.space = space
        self.labels = labels
        self.belongs = belongs
        self.samples = ""
        self.proxies: tuple[str, ...] = ()
        self._seed = seed
        self._method = method
        self._encoder = Encoder(space)
        self._scale: Scale | None = None
        self._state: State = {}

    def fit(self, X: npt.ArrayLike, y: npt.ArrayLike, *, proxies: Columns | None = None) -> Self:
        """Fit on rows [n, choices] and labels [n].

        ``proxies``: for each name a number of every row [n]. A fit that fails changes nothing.

        Raises:
            SpaceError: rows that are not of the space.
            PredictorError: fewer than two samples, labels that are all equal, another number of
                labels or of a proxy's values, or one of them no finite number.
        """
        rows = self.space.canonical(X)
        labels = _checked(y, len(rows))
        beside = stacked(proxies, len(rows))
        decisions, costs, plans = self._encoder(rows)
        standard = Standard.of(costs, beside)
        scale = Scale.fit(labels)
        rng = np.random.default_rng(self._seed)
        with one_thread():
            state, held = self._method.fit(
                self._inputs(standard.features(decisions, costs, beside), plans).astype(np.float64),
                scale.forward(labels),
                folds(networks(self.space, rows), rng),
                rng,
            )
        away = np.abs(labels - scale.inverse(held.mean)) / scale.spread(held.mean, held.std)
        stretch = np.array(calibration.stretch(away))
        self.proxies = tuple(proxies or ())
        self.samples = _digest(rows, labels, beside, self.proxies)
        self._scale = scale
        self._state = {**state, **standard.arrays(), "calibration.stretch": stretch}
        return self

    @overload
    def predict(
        self, X: npt.ArrayLike, return_std: Literal[False] = ..., *, proxies: Columns | None = ...
    ) -> Floats: ...
    @overload
    def predict(
        self, X: npt.ArrayLike, return_std: Literal[True], *, proxies: Columns | None = ...
    ) -> tuple[Floats, Floats]: ...
    def predict(
        self, X: npt.ArrayLike, return_std: bool = False, *, proxies: Columns | None = None
    ) -> Floats | tuple[Floats, Floats]:
        """Labels [n] of rows [n, choices], with ``return_std`` their standard deviations [n] too.

        ``proxies``: those of the same names as in ``fit``.

        Raises:
            SpaceError: rows that are not of the space.
            PredictorError: not fitted yet, or proxies that do not fit.
        """
        if self._scale is None:
            raise PredictorError(f"predictor {self.name!r} is not fitted; call fit(X, y) first")
        rows = self.space.checked(X)
        beside = stacked(proxies, len(rows), self.proxies)
        mean, std = np.empty(len(rows)), np.zeros(len(rows))
        standard = Standard.from_arrays(self._state)
        # In chunks, because kernel matrices of a whole population would not fit into the cache.
        with one_thread():
            for start in range(0, len(rows), CHUNK):
                part = slice(start, start + CHUNK)
                decisions, costs, plans = self._encoder(rows[part])
                Z = self._inputs(standard.features(decisions, costs, beside[part]), plans)
                mean[part], std[part] = self._labels(self._scale, Z, return_std)
        return (mean, std) if return_std else mean

    def linear(self) -> Linear:
        """What a ridge regression has learnt as sums, of which ``predict`` is the rounded value.

        Raises:
            PredictorError: not fitted yet, another method than ``ridge``, or fitted with proxies.
        """
        if self._scale is None:
            raise PredictorError(f"predictor {self.name!r} is not fitted; call fit(X, y) first")
        if self._method is not RIDGE or self.proxies:
            what = f"predictor {self.name!r}" + (" with proxies" if self.proxies else "")
            raise PredictorError(f"{what} is no sum over decisions and layers; 'ridge' is")
        standard = Standard.from_arrays(self._state)
        weights, bias = self._state["weights"], float(self._state["bias"])
        return linear(self._encoder, standard, self._scale, weights, bias)

    def _inputs(self, features: Inputs, plans: npt.NDArray[np.int32]) -> Inputs:
        """What the method regresses on."""
        return (
            np.concatenate([features, plans.astype(np.float32)], axis=1)
            if self._method.plans
            else features
        )

    def _labels(self, scale: Scale, Z: Inputs, std: bool) -> tuple[Floats, Floats]:
        latent, deviation = self._method.predict(self._state, Z, std)
        if not std:
            return scale.inverse(latent), deviation
        stretched = scale.spread(latent, deviation) * self._state["calibration.stretch"]
        return scale.inverse(latent), stretched

    def save(self, path: str | Path) -> None:
        """Write an ``.npz`` of plain arrays, atomically; ``predictors.load`` reads it.

        Raises:
            PredictorError: not fitted yet, or the file does not end with ``.npz``.
            NasLoopError: the file cannot be written.
        """
        if self._scale is None:
            raise PredictorError(f"predictor {self.name!r} is not fitted; there is nothing to save")
        header = files.Header(
            self.name,
            self.space.name,
            self.space.identity,
            self.samples,
            self.proxies,
            self.labels,
            self.belongs,
        )
        files.write(path, header, self._scale, self._state)

    def restore(self, header: files.Header, scale: Scale, state: State) -> Self:
        """Take over what ``files.read`` found in a file instead of fitting."""
        self.samples, self.proxies = header.samples, header.proxies
        self._scale, self._state = scale, state
        return self


def _checked(y: npt.ArrayLike, rows: int) -> Floats:
    labels = numbers(y, "labels")
    if labels.shape != (rows,):
        raise PredictorError(f"one label for each of {rows} rows; got shape {labels.shape}")
    bad = np.flatnonzero(~(np.abs(labels) <= LARGEST))
    if len(bad):
        raise PredictorError(
            f"labels are finite numbers, {LARGEST:g} at most; label {bad[0]} is {labels[bad[0]]}: "
            "leave out what could not be measured"
        )
    if rows < 2:
        raise PredictorError(f"at least two samples are needed to fit a predictor; got {rows}")
    if constant(labels):
        raise PredictorError(
            f"labels of a predictor differ; all {rows} are {labels[0]:g}: measure networks that "
            "differ more, or measure them more finely"
        )
    return labels


def _digest(
    rows: npt.NDArray[np.int64], labels: Floats, beside: Floats, proxies: tuple[str, ...]
) -> str:
    found = hashlib.sha256(rows.tobytes() + labels.tobytes())
    if proxies:
        found.update(json.dumps(proxies).encode() + beside.tobytes())
    return found.hexdigest()
