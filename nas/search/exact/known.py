"""Which formula a function of networks has: its own, or one that is found by asking it."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from nas.search.exact.formula import Bend, Excess, Formula, Log1p, Sum
from nas.search.problem import Plain, SearchError
from nas.search.searcher import Floats, Rows
from search_spaces.paths import Paths
from search_spaces.space import Space

# Networks that an unknown function is asked about, and of which it is then to be right.
ASKED, CHECKED = 2_000, 500
# How far a sum may be off, as a share of the values' range: the rounding of single precision.
ROUNDING = 1e-5
TRIES = 500


class Summable(Protocol):
    """A function of rows that knows its formula."""

    def __call__(self, rows: Rows) -> Floats:
        """Of rows [n, choices]: [n]."""
        ...

    def formula(self, paths: Paths) -> Formula:
        """Over the edges of ``paths``, which are the networks of one image."""
        ...


def formula(name: str, function: Plain, paths: Paths) -> Formula:
    """The formula of ``function`` on the networks of ``paths``, held against the function.

    Known are a space's ``macs`` and ``parameters``, the ``predict`` of a latency table, of a fitted
    ridge predictor and of a cost taken for quality, and whatever is ``Summable``. Of all others a
    sum over layers and decisions is fitted to values of random networks.

    Raises:
        SearchError: the function is no such sum, with how far it is off.
    """
    found = _known(function, paths)
    rng = np.random.default_rng(0)
    if found is None:
        found = _asked(function, paths, sample(paths, ASKED, rng))
    _require(name, function, found, paths, sample(paths, CHECKED, rng))
    return found


def _known(function: Plain, paths: Paths) -> Formula | None:
    from latency_lut import LatencyTable
    from predictors import CostProxy, Predictor

    own, owner = getattr(function, "formula", None), getattr(function, "__self__", None)
    method = getattr(function, "__name__", "")
    if callable(own):
        found: Formula = own(paths)
        return found
    if isinstance(owner, Space) and method in ("macs", "parameters"):
        return Formula(Sum(0.0, paths.layers(_counts(owner, method))))
    if isinstance(owner, CostProxy) and method == "predict":
        return Formula(Sum(0.0, paths.layers(-_counts(paths.space, owner.name) / 1e6)))
    if isinstance(owner, LatencyTable) and method == "predict":
        return _of_table(owner, paths)
    if isinstance(owner, Predictor) and method == "predict" and owner.name == "ridge":
        return _of_ridge(owner, paths)
    return None


def _counts(space: Space, name: str) -> Floats:
    """MACs or parameters of all specs: [specs]."""
    found = [spec.macs if name == "macs" else spec.params for spec in space.specs]
    return np.array(found, dtype=np.float64)


def _of_table(table: Any, paths: Paths) -> Formula:
    """A sum of entries; weights that spill out of the cache bend it."""
    image = paths.image or paths.space.images[0]
    vectors = table.vectors(image.shape[-1])
    intercept, price = (float(value) for value in vectors.fitted.mean_ms[:2])
    entries = paths.layers(vectors.mean - price * vectors.spilled)
    weights = Sum(0.0, paths.layers(vectors.weights))
    bends = (Bend(price, Excess(vectors.threshold_mb), weights),) if price else ()
    return Formula(Sum(intercept, entries), bends)


def _of_ridge(predictor: Any, paths: Paths) -> Formula:
    """Linear but for the logarithms of MACs and of parameters, on the labels' own scale."""
    learnt = predictor.linear()
    edges = paths.decisions(learnt.options) + paths.layers(learnt.layers)
    bends = tuple(
        Bend(coefficient, Log1p(), Sum(0.0, paths.layers(cost)))
        for coefficient, cost in learnt.logs
        if coefficient
    )
    scale = learnt.scale

    def outward(latent: float) -> float:
        return float(scale.inverse(np.array([latent]))[0])

    def inward(label: float) -> float:
        if not scale.low <= label < scale.high:
            return np.inf if label >= scale.high else -np.inf
        return float(scale.forward(np.array([label]))[0])

    return Formula(Sum(learnt.constant, edges), bends, outward=outward, inward=inward)


def _asked(function: Plain, paths: Paths, rows: Rows) -> Formula:
    """The sum over layers where they stand and decisions that fits the values of ``rows`` best."""
    space = paths.space
    _, used, plans = space.resolved(rows)
    decided = np.zeros((len(rows), int(paths.offsets[-1])))
    np.put_along_axis(decided, rows + paths.offsets[:-1], used.astype(np.float64), axis=1)
    slots, specs = np.unique(np.stack([paths.slot, paths.spec])[:, paths.slot > 0], axis=1)
    standing = plans[:, slots - 1] == specs
    design = np.column_stack([np.ones(len(rows)), decided, standing])
    values = np.asarray(function(rows.copy()), dtype=np.float64)
    weights = np.linalg.lstsq(design, values, rcond=None)[0]
    layers = np.zeros((len(space.slots), len(space.specs)))
    layers[slots - 1, specs] = weights[1 + decided.shape[1] :]
    edges = paths.decisions(weights[1 : 1 + decided.shape[1]]) + paths.layers(layers)
    return Formula(Sum(float(weights[0]), edges))


def _require(name: str, function: Plain, found: Formula, paths: Paths, rows: Rows) -> None:
    values = np.asarray(function(rows.copy()), dtype=np.float64)
    said = np.array([found.outward(latent) for latent in latents(found, paths, rows)])
    span = max(float(np.ptp(values)), 1e-3 * float(np.abs(values).max()), 1e-30)
    off = float(np.abs(said - values).max()) / span
    if not off <= ROUNDING:
        raise SearchError(
            f"{name!r} is no sum over the layers and decisions of a network: the closest one is "
            f"off by {off:.2g} of its range; an exact optimum needs sums (MACs, parameters, a "
            "latency table, a ridge predictor), a searcher takes any function"
        )


def latents(found: Formula, paths: Paths, rows: Rows) -> Floats:
    """Latent values [n] of canonical rows [n, choices] by a formula."""
    used = paths.space.used(rows)
    options = rows + paths.offsets[:-1]
    walked = paths.edges(rows)
    return np.array(
        [found.latent(walked[i], options[i][used[i]]) for i in range(len(rows))], dtype=np.float64
    )


def sample(paths: Paths, n: int, rng: np.random.Generator) -> Rows:
    """``n`` canonical rows of the networks of ``paths``, or fewer where those are rare."""
    space = paths.space
    kept: list[Rows] = []
    for _ in range(TRIES):
        rows = space.sample(n, rng)
        kept.append(rows[(paths.edges(rows) >= 0).all(axis=1)])
        if sum(map(len, kept)) >= n:
            break
    return np.concatenate(kept)[:n]
