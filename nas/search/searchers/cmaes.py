"""CMA-ES on integers: a normal distribution over continuous genes, which rounding makes options.

Hansen, "The CMA evolution strategy: a tutorial" (2016), by its author's library. pymoo has no more
than a wrapper of it, which tells whole populations or nothing. Deviations are not allowed to become
so small that all samples round alike, as Hansen advises for integers ("A CMA-ES for mixed-integer
nonlinear optimization", INRIA 2011).

It knows one number. Several objectives become one by weights, which change after some generations;
the next begins at what is best by the new ones.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nas.search.searcher import Floats, Population, Rows
from nas.search.searchers.elite import Elite
from nas.search.searchers.mating import fresh, initial
from nas.search.searchers.operators import sizes
from nas.search.searchers.scalarise import Weighing
from nas.search.seen import Seen, keys
from nas.search.task import Task

REMEMBERED = 1_000
# Generations under the same weights.
GENERATIONS = 1
# Genes lie between 0 and 1. How far the first samples are from the mean, and how near to it the
# last ones, as a share of what one option takes.
FIRST, LAST = 0.25, 0.2


class CmaEs:
    """Begins again at the best: with other weights after some generations, as wide as ever where it
    converged.

    Networks that violate less are better, whatever their objectives: only ranks are told.
    """

    def __init__(self, task: Task, rng: np.random.Generator) -> None:
        self._space = task.space
        self._rng = rng
        self._options = sizes(task.space)
        self._seen = Seen()
        self._elite = Elite(REMEMBERED)
        self._weighing: Weighing | None = None
        self._strategy: Any = None
        self._generations = 0
        # Genes of what was asked; and genes, number and violation of what the strategy is to hear.
        self._genes: dict[bytes, Floats] = {}
        self._heard: list[tuple[Floats, float, float]] = []

    def ask(self, n: int) -> Population:
        """The smallest, the largest and random networks first, samples ever after."""
        self._genes.clear()
        if self._weighing is None:
            return Population(initial(self._space, n, self._seen, self._rng))
        if self._strategy is None:
            self._strategy = self._begin(n)
        return Population(fresh(self._space, n, self._samples, self._seen, self._rng))

    def tell(self, population: Population, objectives: Floats, violations: Floats) -> None:
        """Generations are told to the strategy as soon as they are full."""
        if not len(population):
            return
        self._elite.add(population.rows, objectives, violations)
        if self._weighing is None:
            self._weighing = Weighing.drawn(self._elite.feasible, self._rng)
            return
        numbers = self._weighing(objectives).tolist()
        total = np.maximum(violations, 0).sum(axis=1).tolist()
        for key, number, excess in zip(keys(population.rows), numbers, total, strict=True):
            if key in self._genes:
                self._heard.append((self._genes[key], number, excess))
        self._generation(objectives.shape[1] > 1)

    def _samples(self, n: int) -> Rows:
        """Canonical rows of ``n`` samples; what is known of them already is heard at once."""
        genes = np.array(self._strategy.ask(n))
        rows = self._space.canonical(
            np.clip(np.floor(genes * self._options), 0, self._options - 1).astype(np.int64)
        )
        assert self._weighing is not None
        names = keys(self._elite.rows)
        known = dict(zip(names, range(len(names)), strict=True))
        numbers = self._weighing(self._elite.objectives)
        for key, gene in zip(keys(rows), genes, strict=True):
            if key in known:
                at = known[key]
                self._heard.append((gene, float(numbers[at]), float(self._elite.violation[at])))
            self._genes[key] = gene
        return rows

    def _generation(self, several: bool) -> None:
        size = self._strategy.popsize
        while len(self._heard) >= size:
            part, self._heard = self._heard[:size], self._heard[size:]
            genes, numbers, violation = zip(*part, strict=True)
            order = np.lexsort((numbers, violation))
            rank = np.empty(size)
            rank[order] = np.arange(size)
            # It wants to be asked before it is told, also where one asking served for two.
            self._strategy.ask(1)
            self._strategy.tell(list(genes), rank.tolist())
            self._generations += 1
        done = several and self._generations >= GENERATIONS
        if done:
            self._weighing = Weighing.drawn(self._elite.feasible, self._rng)
        if done or self._strategy.stop():
            self._strategy = None

    def _begin(self, n: int) -> Any:
        import cma

        assert self._weighing is not None
        self._heard.clear()
        self._generations = 0
        best = np.lexsort((self._weighing(self._elite.objectives), self._elite.violation))[0]
        mean = (self._elite.rows[best] + 0.5) / self._options
        options: dict[str, Any] = {
            "bounds": [0, 1],
            "minstd": (LAST / self._options).tolist(),
            "popsize": max(n, 4 + int(3 * np.log(len(mean)))),
            "verbose": -9,
            # No global generator: neither read nor seeded.
            "randn": lambda *shape: self._rng.standard_normal(shape),
            "seed": np.nan,
        }
        return cma.CMAEvolutionStrategy(mean, FIRST, options)
