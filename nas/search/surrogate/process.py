"""What one function of networks probably is where it was not asked: a Gaussian process of rows.

Rasmussen and Williams, "Gaussian Processes for Machine Learning" (2006), chapter 2. The kernel and
the search for its hyperparameters are the predictors' (``predictors.likelihood``). Predictors say
what a network is probably worth; choosing several at a time takes how they depend on each other.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from nas.search.searcher import Floats, Rows
from predictors.features import Encoder, Standard
from predictors.likelihood import JITTER, Gram, Hyperparameters, likeliest

# Up to so many rows hyperparameters are looked for each time. Beyond, where that takes most of an
# ask and they hardly move, once there is this share of rows more.
FEW = 100
GROWTH = 0.1


@dataclass(eq=False)
class Posterior:
    """What evaluating ``m`` rows would probably give, and how that changes once some are known.

    ``mean`` and ``variance`` [m], the latter without ``noise``; ``inputs`` [m, features] and
    ``whitened`` [samples, m] are what covariances between the rows follow from.
    """

    mean: Floats
    variance: Floats
    noise: float
    inputs: Floats
    whitened: Floats
    kernel: Hyperparameters
    _believed: list[Floats] = field(default_factory=list)

    @property
    def std(self) -> Floats:
        """Standard deviations [m], noise included: it is part of what an evaluation finds."""
        return np.sqrt(np.maximum(self.variance, 0) + self.noise)

    def believe(self, at: int) -> None:
        """Go on as if row ``at`` had been evaluated, and found as predicted.

        The kriging believer of Ginsbourger, Le Riche and Carraro, "Kriging Is Well-Suited to
        Parallelize Optimization" (2010): means stay as they are, deviations shrink nearby.
        """
        covariance = covariances(self.inputs[[at]], self.inputs, self.kernel)[0]
        covariance -= self.whitened[:, at] @ self.whitened
        for earlier in self._believed:
            covariance -= earlier[at] * earlier
        step = covariance / np.sqrt(max(self.variance[at], 0) + self.noise)
        self._believed.append(step)
        self.variance = self.variance - step**2

    def at(self, positions: Rows) -> Posterior:
        """Of some of the rows [p] alone."""
        return Posterior(
            self.mean[positions],
            self.variance[positions],
            self.noise,
            self.inputs[positions],
            self.whitened[:, positions],
            self.kernel,
            [step[positions] for step in self._believed],
        )


@dataclass(frozen=True, eq=False)
class Process:
    """What was learned from rows: ``factor`` is their covariances' Cholesky factor.

    ``known`` is how many rows there were when the kernel's hyperparameters were looked for.
    """

    encoder: Encoder
    standard: Standard
    kernel: Hyperparameters
    inputs: Floats
    labels: Floats
    factor: Floats
    known: int

    @classmethod
    def fit(
        cls,
        encoder: Encoder,
        rows: Rows,
        labels: Floats,
        last: Process | None = None,
        known: int = 0,
    ) -> Process:
        """To rows [n, choices] and near normal labels [n]; ``last`` is the fit before, if any.

        ``known`` is how many rows there are, where these are a part of them.
        """
        decisions, costs, _ = encoder(rows)
        nothing = np.empty((len(rows), 0))
        standard = Standard.of(costs, nothing)
        inputs = standard.features(decisions, costs, nothing).astype(np.float64)
        gram = Gram.of(inputs)
        known = max(known, len(rows))
        if last is None or known <= FEW or known >= (1 + GROWTH) * last.known:
            start = Hyperparameters(0.1, 1.0, inputs.shape[1] ** 0.5, 0.1)
            kernel = likeliest(gram, labels, start)
        else:
            kernel, known = last.kernel, last.known
        trend, deviation = gram.parts(kernel)
        diagonal = (kernel.noise + JITTER) * np.eye(len(rows))
        factor = np.linalg.cholesky(trend + deviation + diagonal).astype(np.float64, copy=False)
        return cls(encoder, standard, kernel, inputs, labels, factor, known)

    def posterior(self, rows: Rows) -> Posterior:
        """Of rows [m, choices] (equations 2.25 and 2.26)."""
        from scipy.linalg import solve_triangular

        decisions, costs, _ = self.encoder(rows)
        features = self.standard.features(decisions, costs, np.empty((len(rows), 0)))
        inputs = features.astype(np.float64)
        across = covariances(self.inputs, inputs, self.kernel)
        both = np.column_stack([across, self.labels])
        solved = solve_triangular(self.factor, both, lower=True)
        whitened, weights = solved[:, :-1], solved[:, -1]
        own = self.kernel.trend * (1 + np.einsum("mf,mf->m", inputs, inputs))
        own += self.kernel.deviation
        variance = own - np.einsum("nm,nm->m", whitened, whitened)
        mean = weights @ whitened
        return Posterior(mean, variance, self.kernel.noise, inputs, whitened, self.kernel)


def covariances(a: Floats, b: Floats, kernel: Hyperparameters) -> Floats:
    """What the kernel says of inputs [n, features] and [m, features], without noise: [n, m]."""
    products = a @ b.T
    squares = np.einsum("nf,nf->n", a, a)[:, None] + np.einsum("mf,mf->m", b, b) - 2 * products
    smooth = kernel.deviation * np.exp(-np.maximum(squares, 0) / (2 * kernel.length**2))
    found: Floats = kernel.trend * (1 + products) + smooth
    return found
