"""NSGA-II: pymoo's, driven through its ask and tell, with operators for integer matrices.

Deb et al., "A fast and elitist multiobjective genetic algorithm: NSGA-II" (IEEE Transactions on
Evolutionary Computation 2002). pymoo sorts, crowds and selects survivors. Parents are chosen and
crossed here on whole matrices, and duplicates are found by hash, because pymoo does these one
individual at a time and that is where its time goes.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nas.search.searcher import Floats, Population, Rows
from nas.search.searchers import operators
from nas.search.seen import Seen, unseen
from nas.search.task import Task

# Matings that may bring nothing new before random rows take their place.
MATINGS = 10


class Nsga2:
    """A population of ``size`` survivors, if not told as many as were asked for first.

    Constraints go before objectives.
    """

    def __init__(self, task: Task, rng: np.random.Generator, size: int = 0) -> None:
        self._space = task.space
        self._rng = rng
        self._size = size
        self._seen = Seen()
        self._algorithm: Any = None

    def ask(self, n: int) -> Population:
        """Random rows with the smallest and the largest network first, children ever after."""
        if self._algorithm is None:
            self._size = self._size or n
            ends = np.stack([self._space.smallest, self._space.largest])[:n]
            rows = ends[self._seen.add(ends)]
            more = unseen(self._space, n - len(rows), self._rng, self._seen)
            return Population(np.concatenate([rows, more]))
        self._algorithm.n_offsprings = n
        children = self._algorithm.ask()
        if children is None:
            # pymoo would end here; whether to go on is the study's to say.
            self._algorithm.termination.force_termination = False
            return Population(np.empty((0, len(self._space.choices)), dtype=np.int64))
        return Population(children.get("X").astype(np.int64))

    def tell(self, population: Population, objectives: Floats, violations: Floats) -> None:
        """Survivors are chosen among the population and what was told before."""
        if not len(population):
            return
        from pymoo.core.population import Population as Individuals

        if self._algorithm is None:
            self._algorithm = self._start(objectives.shape[1], violations.shape[1])
        # The sum of violations, which pymoo would come to one individual at a time.
        total = np.maximum(violations, 0).sum(axis=1, keepdims=True)
        told = Individuals.new(X=population.rows, F=objectives, G=violations, CV=total)
        self._algorithm.tell(infills=told)

    def _start(self, objectives: int, constraints: int) -> Any:
        from pymoo.algorithms.moo.nsga2 import NSGA2
        from pymoo.core.problem import Problem
        from pymoo.core.termination import NoTermination

        from nas.search.searchers.mating import Mating

        top = operators.sizes(self._space) - 1
        problem = Problem(
            n_var=len(top), n_obj=objectives, n_ieq_constr=constraints, xl=0, xu=top, vtype=int
        )
        algorithm = NSGA2(pop_size=self._size, mating=Mating(self._children), output=None)
        algorithm.setup(problem)
        algorithm.termination = NoTermination()
        algorithm.random_state = self._rng
        return algorithm

    def _children(
        self, n: int, rows: Rows, objectives: Floats, rank: tuple[Floats, Floats]
    ) -> Rows:
        """``n`` rows not asked before, from parents that win tournaments."""
        violation, crowding = rank
        made = [np.empty((0, rows.shape[1]), dtype=np.int64)]
        missing = n
        for _ in range(MATINGS):
            pairs = -(-missing // 2)
            winners = operators.tournament(2 * pairs, objectives, violation, crowding, self._rng)
            parents = operators.fill_unread(self._space, rows[winners], self._rng)
            children = operators.crossover(parents[:pairs], parents[pairs:], self._rng)
            children = self._space.canonical(operators.mutate(self._space, children, self._rng))
            children = children[:missing]
            made.append(children[self._seen.add(children)])
            missing -= len(made[-1])
            if not missing:
                break
        return np.concatenate([*made, unseen(self._space, missing, self._rng, self._seen)])
