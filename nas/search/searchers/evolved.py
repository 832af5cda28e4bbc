"""How pymoo's evolutionary algorithms are driven: it chooses who survives, here is who mates.

Their ask makes children one individual at a time and compares them pairwise, which is where their
time goes. Parents are chosen, crossed and mutated here on whole matrices, and duplicates are found
by hash; what was evaluated is told to pymoo, whose survivors are the parents of the next.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nas.search.searcher import Floats, Population, Rows
from nas.search.searchers.mating import Parents, fresh, initial
from nas.search.searchers.operators import Positions
from nas.search.searchers.within import Within
from nas.search.seen import Seen
from nas.search.task import Task

# A population is at least so large, however few are asked for at once.
SMALLEST = 10

Start = Callable[[int, int], Any]
Choose = Callable[[int, np.random.Generator], Positions]
Members = Callable[[Any], tuple[Any, Choose]]


@dataclass(frozen=True)
class Method:
    """One of pymoo's algorithms.

    Attributes:
        start: makes it, of (individuals, objectives).
        parents: who may become one, as pymoo's individuals, and what chooses so many of them
            with a generator: positions, the first half to be crossed with the second.
        whole: it is told generations of as many as survive and nothing else.
    """

    start: Start
    parents: Members
    whole: bool = False


class Evolved:
    """A population of ``size`` survivors; if not said, of as many as are asked for first.

    Constraints go before objectives. Objectives are told in units of their range in the first
    population: directions and distances would else be made of milliseconds and per cents.
    """

    def __init__(
        self,
        task: Task,
        rng: np.random.Generator,
        method: Method,
        size: int = 0,
        seen: Seen | None = None,
        within: Within | None = None,
    ) -> None:
        """``seen`` are rows that somebody asked for before; it learns of those asked here.

        With ``within`` all that is asked keeps the free limits.
        """
        self._space = task.space
        self._rng = rng
        self._method = method
        self.size = size
        self._seen = Seen() if seen is None else seen
        self._within = within
        self._waiting: list[tuple[Rows, Floats, Floats]] = []
        self._algorithm: Any = None
        self._parents: Parents | None = None
        self._choose: Choose = _nobody
        self._units = np.zeros(1), np.ones(1)

    def ask(self, n: int) -> Population:
        """The smallest, the largest and random networks first, children ever after."""
        self.size = self.size or max(n, SMALLEST)
        space, seen, rng, within = self._space, self._seen, self._rng, self._within
        if self._algorithm is not None:
            keeps = None if within is None else within.keeps
            return Population(fresh(space, n, self._children, seen, rng, keeps))
        return Population(
            initial(space, n, seen, rng) if within is None else within.initial(n, seen)
        )

    def tell(self, population: Population, objectives: Floats, violations: Floats) -> None:
        """Survivors are chosen among the population and what was told before."""
        total = np.maximum(violations, 0).sum(axis=1, keepdims=True)
        self._waiting.append((population.rows, objectives, total))
        waiting = sum(len(rows) for rows, _, _ in self._waiting)
        if self._algorithm is None:
            if waiting < self.size:
                return
            self._begin(objectives.shape[1], violations.shape[1])
        step = self.size if self._method.whole else max(waiting, 1)
        for _ in range(waiting // step):
            self._advance(step)

    def _children(self, n: int) -> Rows:
        couples = -(-n // 2)
        assert self._parents is not None
        first, second = self._choose(2 * couples, self._rng).reshape(2, couples)
        return self._parents.children(first, second, self._rng)

    def _begin(self, objectives: int, constraints: int) -> None:
        """Start with what was told so far, which is a population."""
        told = np.concatenate([values for _, values, _ in self._waiting])
        spread = np.ptp(told, axis=0)
        self._units = told.min(axis=0), np.where(spread > 0, spread, 1.0)
        self._algorithm = self._started(objectives, constraints)
        # Where directions are spread evenly not every number of them is to be had.
        self.size = self._algorithm.pop_size

    def _started(self, objectives: int, constraints: int) -> Any:
        from pymoo.core.problem import Problem
        from pymoo.core.termination import NoTermination

        algorithm = self._method.start(self.size, objectives)
        width = len(self._space.choices)
        algorithm.setup(Problem(n_var=width, n_obj=objectives, n_ieq_constr=constraints))
        # When to end is the study's to say, and what is best.
        algorithm.termination = NoTermination()
        algorithm._set_optimum = _nothing
        algorithm.random_state = self._rng
        return algorithm

    def _advance(self, n: int) -> None:
        """Tell pymoo the first ``n`` of those that wait."""
        rows, objectives, violation = (
            np.concatenate(part) for part in zip(*self._waiting, strict=True)
        )
        self._waiting = [(rows[n:], objectives[n:], violation[n:])] if n < len(rows) else []
        scaled = (objectives[:n] - self._units[0]) / self._units[1]
        self._algorithm.tell(infills=individuals(rows[:n], scaled, violation[:n]))
        members, self._choose = self._method.parents(self._algorithm)
        self._parents = Parents(self._space, np.array([member.X for member in members]))


def individuals(rows: Rows, objectives: Floats, violation: Floats) -> Any:
    """pymoo's population of rows [n, choices] with objectives [n, k] and violation [n, 1]."""
    from pymoo.core.individual import Individual
    from pymoo.core.population import Population as Individuals

    # Handed to the constructor, because setting a violation has pymoo compute it first; and all
    # share one configuration.
    config = Individual.default_config()
    return Individuals.create(
        *(
            Individual(config=config, X=row, F=values, CV=excess)
            for row, values, excess in zip(rows, objectives, violation, strict=True)
        )
    )


def attribute(population: Any, name: str) -> npt.NDArray[np.float64]:
    """What pymoo noted of each individual under ``name`` [n]; NaN where it noted nothing."""
    found = [individual.data.get(name) for individual in population]
    return np.array(found, dtype=np.float64)


def _nobody(n: int, rng: np.random.Generator) -> Positions:
    """Before the first population there are no parents."""
    raise AssertionError("children are made of a population")


def _nothing() -> None:
    """In the place of pymoo's search for the optimum, which nobody asks for."""
