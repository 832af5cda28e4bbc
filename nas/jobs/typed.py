"""What ``nas search`` is told as it is typed, for one device or for a fleet of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nas.config import SearchConfig
from nas.jobs.budget import SearchOptions
from nas.jobs.dimensions import Chosen
from nas.jobs.ends import MOST, Ends
from nas.search import searchers

__all__ = ["Typed", "Where", "told_document"]


@dataclass(frozen=True)
class Where:
    """The device, its threads and its latency table as they were named; None is the usual one."""

    device: str = "cpu"
    threads: int | None = None
    table: Path | None = None


@dataclass(frozen=True)
class Typed:
    """The options beside budgets; None is what was not said. ``out`` is the folder of the result.

    What an option means is said in the command's help.
    """

    where: Where
    searcher: str
    predictor: str | None
    proxy: str | None
    ends: Ends
    seed: int | None
    confidence: float | None
    objectives: tuple[str, ...]
    limits: tuple[tuple[str, float], ...]
    dimensions: Chosen
    out: Path | None
    resume: bool
    baselines: bool
    exact: bool
    engine: str

    def options(self, config: SearchConfig, latency_ms: float) -> SearchOptions:
        """With what the configuration says where nothing was said.

        Raises ``NasLoopError``: an unknown searcher, or numbers that do not fit.
        """
        searchers.get(self.searcher)
        return SearchOptions(
            latency_ms,
            self.searcher,
            self.predictor,
            self.proxy,
            self.ends.most(config.population * config.generations),
            config.seed if self.seed is None else self.seed,
            config.candidates,
            self.confidence,
            self.objectives,
            self.limits,
            self.ends.minutes,
            self.ends.stagnation,
            self.dimensions,
        )


def told_document(options: SearchOptions, where: Where) -> dict[str, Any]:
    """What it takes to say a search again, beside what its document has anyway.

    ``evaluations`` are those that were asked for, None where time alone was to end a round.
    """
    timed = options.minutes is not None and options.evaluations == MOST
    return {
        "evaluations": None if timed else options.evaluations,
        "objectives": list(options.objectives),
        "limits": dict(options.limits),
        "dimensions": {name: list(edges) for name, edges in options.dimensions},
        "device": where.device,
        "threads": where.threads,
        "table": None if where.table is None else str(where.table),
    }
