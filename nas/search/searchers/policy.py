"""How likely is each row, and which way does that change: a small autoregressive policy.

A row is written choice by choice. The chances of a choice's options depend on the options before
it and on a context (what is preferred, or aimed at), through one hidden layer whose sum grows with
every option written: the neural autoregressive distribution estimator of Larochelle and Murray
(AISTATS 2011) with a context as in conditional ones. In NumPy, with its gradient written out,
because a search starts in less time than a framework for gradients is imported in.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nas.search.searcher import Floats, Rows
from nas.search.searchers.operators import sizes
from search_spaces.space import Space

Weights = dict[str, Floats]

# Hidden units, and the deviation of the weights that they start with. What comes after them
# starts at zero, so that the first rows are uniform over choices.
HIDDEN = 32
START = 0.3


@dataclass(frozen=True, eq=False)
class Scored:
    """Rows under a policy: ``log_likelihood`` [n], and what its gradient is made of.

    ``options`` [choices, n, widest] are 1 where a row takes an option of a choice that it reads.
    """

    log_likelihood: Floats
    options: Floats
    context: Floats
    hidden: Floats
    chances: Floats


class Policy:
    """Chances of rows [n, choices] given contexts [n, context].

    Choices that a row does not read neither count nor influence others: a canonical row has the
    chance of all rows that differ from it in those alone, where what is read is decided before.

    ``weights``, by name: ``option`` [choices, widest, hidden], ``place`` [choices, 1, hidden] and
    ``aim`` [context, hidden] add up in the hidden layer; ``out`` [choices, hidden, widest],
    ``direct`` [choices, context, widest] and ``bias`` [choices, 1, widest] in the logits. The
    widest choice has so many options, and what a narrower one has beyond its own counts nothing.
    """

    def __init__(
        self, space: Space, context: int, rng: np.random.Generator, hidden: int = HIDDEN
    ) -> None:
        options = sizes(space)
        choices, widest = len(options), int(options.max())
        self._space = space
        self._closed = np.where(np.arange(widest) < options[:, None], 0.0, -np.inf)[:, None]
        self._uniform = (np.arange(widest) < options[:, None]) / options[:, None]
        self.weights: Weights = {
            "option": START * rng.normal(size=(choices, widest, hidden)),
            "place": START * rng.normal(size=(choices, 1, hidden)),
            "aim": START * rng.normal(size=(context, hidden)),
            "out": np.zeros((choices, hidden, widest)),
            "direct": np.zeros((choices, context, widest)),
            "bias": np.zeros((choices, 1, widest)),
        }

    def sample(self, context: Floats, rng: np.random.Generator, wander: float = 0.0) -> Rows:
        """One canonical row for each context [n, context]: [n, choices].

        ``wander`` is the chance that a choice is drawn uniformly instead.
        """
        weights = self.weights
        rows = np.zeros((len(context), len(self._closed)), dtype=np.int64)
        total = context @ weights["aim"]
        for choice in range(len(self._closed)):
            hidden = np.tanh(total + weights["place"][choice])
            chances = self._chances(hidden[None], context, slice(choice, choice + 1))[0]
            chances = (1 - wander) * chances + wander * self._uniform[choice]
            draws = rng.random((len(rows), 1)) * chances.sum(axis=1, keepdims=True)
            rows[:, choice] = (draws > np.cumsum(chances, axis=1)[:, :-1]).sum(axis=1)
            read = self._space.used(rows)[:, choice, None]
            total += np.where(read, weights["option"][choice, rows[:, choice]], 0)
        return self._space.canonical(rows)

    def score(self, rows: Rows, context: Floats) -> Scored:
        """How likely canonical rows [n, choices] are, each in its context [n, context]."""
        weights = self.weights
        taken = rows.T[:, :, None] == np.arange(self._closed.shape[2])
        taken &= self._space.used(rows).T[:, :, None]
        options = taken.astype(np.float64)
        added = options @ weights["option"]
        before = added.cumsum(axis=0) - added
        hidden = np.tanh(before + weights["place"] + context @ weights["aim"])
        chances = self._chances(hidden, context, slice(None))
        # Choices that are not read take no option, and the log of one is zero.
        likely = np.where(taken, chances, 0).sum(axis=2) + ~taken.any(axis=2)
        likelihood = np.log(np.maximum(likely, 1e-300)).sum(axis=0)
        return Scored(likelihood, options, context, hidden, chances)

    def gradient(self, scored: Scored, shares: Floats) -> Weights:
        """The gradient by all weights of ``shares`` [n] times the log likelihoods, summed."""
        hidden, context, options = scored.hidden, scored.context, scored.options
        used = options.sum(axis=2, keepdims=True)
        logits = shares[:, None] * (options - used * scored.chances)
        total = (logits @ self.weights["out"].swapaxes(1, 2)) * (1 - hidden**2)
        # An option adds to the sums of all choices after it.
        after = total[::-1].cumsum(axis=0)[::-1] - total
        return {
            "option": options.swapaxes(1, 2) @ after,
            "place": total.sum(axis=1, keepdims=True),
            "aim": context.T @ total.sum(axis=0),
            "out": hidden.swapaxes(1, 2) @ logits,
            "direct": context.T @ logits,
            "bias": logits.sum(axis=1, keepdims=True),
        }

    def _chances(self, hidden: Floats, context: Floats, part: slice) -> Floats:
        """Chances [choices, n, widest] from hidden units [choices, n, hidden]."""
        weights = self.weights
        logits = hidden @ weights["out"][part] + context @ weights["direct"][part]
        logits += weights["bias"][part] + self._closed[part]
        chances = np.exp(logits - logits.max(axis=2, keepdims=True))
        chances /= chances.sum(axis=2, keepdims=True)
        return np.asarray(chances)
