"""What a search is told, and what keeping its budget means: predicted, and then measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np

from latency_lut import Latency, LatencyTable
from nas import search as searching
from nas.jobs import select
from nas.jobs.asked import Asked
from nas.jobs.guide import Guide
from nas.jobs.rounds import Outcome, figures
from nas.quantities import upper
from nas.search.reachable import PATIENCE_S, require_together, smallest
from nas.search.searchers.catalogue import MAP_ELITES
from search_spaces.errors import ConfigError, InfeasibleError
from search_spaces.space import Floats, Population, Space

__all__ = [
    "UPPER",
    "SearchOptions",
    "chosen",
    "latency_of",
    "require_accuracy",
    "require_budget",
    "sure",
    "upper_ms",
    "upper_of",
]

UPPER = f"latency_ms{searching.UPPER}"


@dataclass(frozen=True)
class SearchOptions:
    """What a search is told; see the command's help.

    A round ends after so many ``evaluations``, so many ``minutes`` or a ``stagnation`` over so many
    evaluations, whichever comes first. ``confidence`` is the chance with which a network has to
    keep the budget, by its prediction and then by its measurement; None looks at the middle of
    both. ``objectives`` beside accuracy and latency, and ``limits``, are names of quantities; the
    latter with upper values, but for accuracy the lower one. ``dimensions`` are names and edges of
    what the map is over.
    """

    latency_ms: float
    searcher: str = "nsga2"
    predictor: str | None = None
    proxy: str | None = None
    evaluations: int = 5000
    seed: int = 0
    candidates: int = 20
    confidence: float | None = None
    objectives: tuple[str, ...] = ()
    limits: tuple[tuple[str, float], ...] = ()
    minutes: float | None = None
    stagnation: int | None = None
    dimensions: tuple[tuple[str, tuple[float, ...]], ...] = ()

    def __post_init__(self) -> None:
        if self.confidence is not None and not 0.5 <= self.confidence < 1:
            raise ConfigError(
                f"--confidence is from 0.5 to below 1, for example 0.95; got {self.confidence:g}"
            )
        if self.seed < 0:
            raise ConfigError(f"--seed is 0 or more; got {self.seed}")

    @property
    def budget(self) -> searching.Budget:
        """What ends a round."""
        seconds = None if self.minutes is None else 60 * self.minutes
        return searching.Budget(self.evaluations, seconds, self.stagnation)

    @property
    def decisive(self) -> SearchOptions:
        """What of them decides which networks are met: others than MAP-Elites draw their map by
        ``dimensions`` afterwards."""
        return self if self.searcher == MAP_ELITES else replace(self, dimensions=())

    @property
    def told(self) -> str:
        """What a round's study belongs to beside what its functions stand on."""
        said = f"{self.searcher} {self.evaluations} {self.seed} {self.confidence}"
        said += "" if self.minutes is None else f", {self.minutes:g} minutes"
        said += "" if self.stagnation is None else f", stagnation {self.stagnation}"
        dimensions = self.decisive.dimensions
        return said + (f", dimensions {dimensions}" if dimensions else "")

    @property
    def deviations(self) -> float:
        """How many standard deviations above its latency a network has to keep the budget."""
        return 0.0 if self.confidence is None else NormalDist().inv_cdf(self.confidence)


def latency_of(table: LatencyTable) -> Callable[[Population], Floats]:
    """Predictions: [n] ms."""
    return lambda rows: np.asarray(table.predict(rows), dtype=np.float64)


def upper_of(table: LatencyTable, deviations: float) -> Callable[[Population], Floats]:
    """The upper end of predictions, so many standard deviations above: [n] ms."""

    def end(rows: Population) -> Floats:
        mean, std = table.predict(rows, return_std=True)
        return np.asarray(mean + deviations * std, dtype=np.float64)

    return end


def require_budget(space: Space, table: LatencyTable, options: SearchOptions, asked: Asked) -> None:
    """Raises ``InfeasibleError`` where no network is predicted within the budget, keeps one of the
    limits, or all of them together; the limit of accuracy is left out."""
    rng = np.random.default_rng(0)
    latency = upper_of(table, options.deviations) if options.confidence else latency_of(table)
    if options.confidence is None:
        searching.require_reachable(space, "latency_ms", latency, options.latency_ms, rng)
    else:
        _require_confident(space, table, options, rng)
    asked.require_reachable(space)
    limits = {"latency_ms": options.latency_ms}
    limits |= {one.name: one.turned(limit) for one, limit in asked.limits.items()}
    functions = {"latency_ms": latency}
    functions |= {one.name: _floats(upper(one, options.deviations)) for one in asked.limits}
    require_together(searching.Problem(space, (), limits), functions, rng)


def _require_confident(
    space: Space, table: LatencyTable, options: SearchOptions, rng: np.random.Generator
) -> None:
    limit, end = options.latency_ms, upper_of(table, options.deviations)
    value = searching.beyond(space, end, limit, rng)
    if value is None:
        return
    middle = searching.beyond(space, latency_of(table), 0.0, rng)
    without = "" if middle is None else f" ({middle:.4g} ms without --confidence)"
    raise InfeasibleError(
        f"no network of {space.name} runs within {limit:.4g} ms{sure(options)} on this table; the "
        f"smallest reaches {value:.4g} ms{sure(options)}{without}: lower --confidence, or raise "
        "--latency-ms"
    )


def require_accuracy(
    space: Space, table: LatencyTable, guide: Guide, options: SearchOptions, asked: Asked
) -> None:
    """Raises ``InfeasibleError`` where ``guide`` predicts the accuracy that is asked for of no
    network, or of none within the budget and the other limits; ``ConfigError`` where it knows
    nothing of accuracies."""
    asked.require_accuracy(space, guide)
    if asked.least_accuracy is None:
        return
    limits = {"latency_ms": options.latency_ms, **asked.constraints}
    functions: dict[str, Callable[[Population], Floats]] = {
        "error": _floats(guide.source.predict),
        "latency_ms": upper_of(table, options.deviations),
    }
    further = {**asked.functions, **asked.limited}
    functions |= {name: _floats(further[name]) for name in limits if name in further}
    problem = searching.Problem(space, (), limits)
    try:
        require_together(problem, functions, np.random.default_rng(0))
    except InfeasibleError as error:
        others = {name: limit for name, limit in limits.items() if name != "error"}
        cheap = searching.Problem(space, (), others)

        def far(rows: Population) -> Floats:
            values = np.column_stack([functions[name](rows) for name in others])
            above = np.maximum(cheap.violations(values), 0).sum(axis=1)
            return np.asarray(functions["error"](rows) + 100.0 * (above > 0) * (1 + above))

        _, least, _ = smallest(space, far, np.random.default_rng(0), seconds=PATIENCE_S)
        found = f"; the most accurate that was found reaches {100 - least:.4g}%"
        raise InfeasibleError(
            f"no network of {space.name} was found that keeps {options.latency_ms:g} ms"
            f"{sure(options)} and {asked.said()}, though each can be kept"
            f"{found if least < 100 else ''}: lower the accuracy, or raise the "
            f"{'limits' if len(limits) > 2 else 'latency'}"
        ) from error


def _floats(function: searching.Plain) -> Callable[[Population], Floats]:
    return lambda rows: np.asarray(function(rows), dtype=np.float64)


def upper_ms(latency: Latency, options: SearchOptions) -> float:
    """What of a measured network has to keep the budget: ``latency_ms`` without a confidence."""
    return latency.latency_ms + options.deviations * latency.error_ms


def chosen(outcome: Outcome, options: SearchOptions, asked: Asked | None = None) -> int:
    """The position of the best candidate.

    Raises ``InfeasibleError`` where none was measured within the budget and keeps what is asked.
    """
    asked = asked or Asked()
    _, scores = figures(outcome.candidates)
    ends = [upper_ms(candidate.latency, options) for candidate in outcome.candidates]
    rows = [candidate.row for candidate in outcome.candidates]
    points = [candidate.point for candidate in outcome.candidates]
    kept = asked.kept(rows, points)
    best = select.best(
        [ms if keeps else np.inf for ms, keeps in zip(ends, kept, strict=True)],
        scores,
        options.latency_ms,
    )
    if best is not None:
        return best
    if min(ends) <= options.latency_ms:
        raise InfeasibleError(
            f"of {len(ends)} candidates none keeps {options.latency_ms:g} ms{sure(options)} and "
            f"{asked.said()}, once measured ({asked.missed(rows, points)}): change the limits"
        )
    raise InfeasibleError(
        f"no candidate was measured within {options.latency_ms:g} ms{sure(options)}; the "
        f"fastest took {min(ends):.4g} ms{sure(options)}: raise the budget"
    )


def sure(options: SearchOptions) -> str:
    """Of a budget: the confidence at which it is kept, where one is asked for."""
    return "" if options.confidence is None else f" at {options.confidence:.0%} confidence"
