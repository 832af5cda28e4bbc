"""The best network under limits, with the proof that there is none better.

Where objective and limits are sums over layers and decisions the best network is the solution of
an integer programme (Nayman et al., "HardCoRe-NAS: Hard Constrained diffeRentiable Neural
Architecture Search", ICML 2021; Berman et al., "AOWS: Adaptive and optimal network width search
with latency constraints", CVPR 2020, walk a graph of layers as here).
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from nas.search.exact.formula import Formula
from nas.search.exact.known import formula
from nas.search.exact.own_form import never_canonical
from nas.search.exact.programme import Programme
from nas.search.problem import Function, Plain, SearchError, state, ungraded
from nas.search.searcher import Rows
from search_spaces.architecture import Architecture
from search_spaces.errors import InfeasibleError, NasLoopError
from search_spaces.paths import Paths, paths
from search_spaces.space import Space
from search_spaces.specs import Tensor

# How far a function may be from its formula on a network that is found: in shares of what the most
# telling edge is worth, and of itself, which single precision rounds.
BELIEVED, ROUNDED = 1e-3, 1e-6
# An optimum is proven where no network can be better by more than this share of what the most
# telling edge is worth.
PROVEN = 1e-5


@dataclass(frozen=True, eq=False)
class Optimum:
    """The best network that was found, and how good any other can be at most.

    Attributes:
        row: canonical, [choices].
        architecture: the same.
        value: what the objective says of it.
        limited: what the limited functions say of it, by name.
        bound: no network within the limits has a value below.
        proven: whether the bound met the value. Not where time ran out, nor where a space of a
            canonical form of its own is too large for all rows to be asked that a cut excludes;
            the bound is then what was proven before.
        seconds: what it took.
        programmes: how many were solved.
    """

    row: tuple[int, ...]
    architecture: Architecture
    value: float
    limited: Mapping[str, float]
    bound: float
    proven: bool
    seconds: float
    programmes: int

    @property
    def gap(self) -> float:
        """How much better a network may be that was not found."""
        return self.value - self.bound


def optimum(
    space: Space,
    objectives: Mapping[str, Function],
    constraints: Mapping[str, float] | None = None,
    *,
    functions: Mapping[str, Function] | None = None,
    seconds: float = 60.0,
) -> Optimum:
    """The network with the smallest objective among those that keep all limits.

    Takes what ``minimize`` takes, with one objective. All functions must be sums (see
    ``nas.search.exact.known``): a space's ``macs`` and ``parameters``, the ``predict`` of a
    latency table or of a fitted ridge predictor, or any other function that adds up over layers
    and decisions, which is found out by asking it.

    Raises:
        InfeasibleError: no network keeps the limits, which is proven; the text says what can be
            reached.
        SearchError: more than one objective; a function that is no sum, also where that shows on
            the networks found alone; or no network was found within ``seconds``.
    """
    problem, known = state(space, objectives, constraints or {}, functions or {})
    if len(problem.objectives) != 1:
        raise SearchError(
            f"an optimum is of one objective; got {', '.join(problem.objectives)}: limit the others"
        )
    plain = ungraded(known, "an optimum")
    search = _Search(space, plain, problem.objectives[0], problem.limits, seconds)
    for image in space.images:
        search.look(image)
    return search.found()


class _Search:
    """The best network so far; one programme for the networks of each image."""

    def __init__(
        self,
        space: Space,
        functions: Mapping[str, Plain],
        objective: str,
        limits: Mapping[str, float],
        seconds: float,
    ) -> None:
        self._space = space
        self._functions = functions
        self._objective = objective
        self._limits = limits
        self._start = time.monotonic()
        self._seconds = seconds
        self._rng = np.random.default_rng(0)
        self._row: Rows | None = None
        self._value = np.inf
        self._bound = np.inf
        self._proven = True
        self._programmes = 0

    def look(self, image: Tensor) -> None:
        """Find the best of the networks that take ``image``, unless none can be the best of all."""
        graph = paths(self._space, image if len(self._space.images) > 1 else None)
        wanted = formula(self._objective, self._functions[self._objective], graph)
        limits = []
        for name, limit in self._limits.items():
            limited = formula(name, self._functions[name], graph)
            inward = limited.inward(limit)
            if inward == -np.inf:
                return
            limits.append((limited, inward))
        formulas = {self._objective: wanted} | dict(
            zip(self._limits, (limited for limited, _ in limits), strict=True)
        )
        bound, proven = self._prove(graph, formulas, Programme(graph, wanted, limits))
        self._bound = min(self._bound, wanted.outward(bound) if np.isfinite(bound) else bound)
        self._proven &= proven

    def _prove(
        self, graph: Paths, formulas: Mapping[str, Formula], programme: Programme
    ) -> tuple[float, bool]:
        """The latent value that no network of ``graph`` is below, and whether one attains it."""
        wanted = formulas[self._objective]
        enough = PROVEN * wanted.unit(graph)
        bound, best, certain = -np.inf, self._best(wanted), True
        solved: set[bytes] = set()
        while (left := self._seconds - (time.monotonic() - self._start)) > 0:
            answer = programme.solve(left)
            self._programmes += 1
            if certain:  # A cut that may have taken networks away proves nothing of those.
                bound = max(bound, answer.bound)
            if answer.bound >= best - enough:
                return bound, bound >= best - enough
            if answer.path is None or answer.path.tobytes() in solved:
                break
            solved.add(answer.path.tobytes())
            row, options = graph.row(answer.path), graph.options(answer.path)
            canonical = self._space.canonical(row)[0]
            if (canonical != row).any():
                choices, surely = never_canonical(self._space, row, self._rng)
                certain &= surely
                programme.exclude(graph.offsets[choices] + row[choices])
                continue
            programme.refine(answer.path)
            values = self._values(row)
            for name, found in formulas.items():
                _believe(name, values[name], found, found.latent(answer.path, options), graph)
            if any(values[name] > limit for name, limit in self._limits.items()):
                programme.exclude(options)
                continue
            self._take(row, values[self._objective])
            best = min(best, wanted.latent(answer.path, options))
            if bound >= best - enough:
                return bound, True
        return bound, False

    def _best(self, wanted: Formula) -> float:
        """The latent value of the best network that is known, of whatever image."""
        return np.inf if self._row is None else wanted.inward(self._value)

    def _values(self, row: Rows) -> dict[str, float]:
        """What the functions say of a row [choices], by name."""
        names = (self._objective, *self._limits)
        return {n: float(np.asarray(self._functions[n](row[None]))[0]) for n in names}

    def _take(self, row: Rows, value: float) -> None:
        if value < self._value:
            self._row, self._value = row, value

    def found(self) -> Optimum:
        """What came of it."""
        row, seconds = self._row, time.monotonic() - self._start
        if row is None:
            raise self._none(seconds)
        values = self._values(row)
        return Optimum(
            tuple(row.tolist()),
            self._space.decode(row),
            self._value,
            {name: values[name] for name in self._limits},
            min(self._bound, self._value),
            self._proven,
            seconds,
            self._programmes,
        )

    def _none(self, seconds: float) -> NasLoopError:
        """Why no network was found."""
        if not self._proven:
            return SearchError(
                f"no network that keeps the limits was found in {seconds:.0f} s, and none was "
                "proven impossible; give it more seconds"
            )
        for name, limit in self._limits.items():
            least = optimum(self._space, {name: self._functions[name]}, seconds=self._seconds)
            if least.value > limit:
                return InfeasibleError(
                    f"no network of {self._space.name} keeps {name} within {limit:.6g}; "
                    f"the smallest reaches {least.value:.6g}"
                )
        return InfeasibleError(
            f"no network of {self._space.name} keeps {', '.join(self._limits)} within their limits "
            "at once, though each alone can be kept; raise one of them"
        )


def _believe(name: str, value: float, found: Formula, latent: float, graph: Paths) -> None:
    """Raise ``SearchError`` where a function says another value of a network than its formula.

    A function that was asked about a sample may be a sum on all of it, and not where the sum is
    best: the optimum would be one of the sum alone.
    """
    inward = found.inward(value)
    allowed = BELIEVED * found.unit(graph) + ROUNDED * abs(inward)
    if np.isfinite(inward) and not abs(inward - latent) <= allowed:
        raise SearchError(
            f"{name!r} is no sum over the layers and decisions of a network: of one that is best "
            f"by the sum it says {value:.6g}, which is to be {found.outward(latent):.6g}; a "
            "searcher takes any function"
        )
