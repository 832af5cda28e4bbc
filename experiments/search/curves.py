"""Searches of NAS-Bench-Macro, kept as they come: which networks were asked, in which order.

Whatever is said about a search follows from its order and the benchmark's file. A searcher's runs
are the lines of one file; delete it to run that searcher again.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import search_spaces
from nas.search import (
    Population,
    Problem,
    Searcher,
    Task,
    hypervolume,
    minimize,
    nondominated,
    searchers,
)
from nas.search.benchmarks import nas_bench_macro
from search_spaces.nas_bench_macro import genotypes, rows_of

Floats = npt.NDArray[np.float64]

SPACE = search_spaces.get("nas-bench-macro")
WORST_ERROR = 10.0


@dataclass(frozen=True)
class Run:
    """One search: with ``macs`` as a second objective, or for the error alone."""

    searcher: str
    seed: int
    macs: bool
    budget: int
    batch: int
    asking_s: float
    longest_ask_s: float
    asks: int
    networks: tuple[str, ...]


class Benchmark:
    """The errors of all networks, and what a search's order comes to."""

    def __init__(self, file: Path, run: int | None = None) -> None:
        """``run`` is one of the three trainings; else errors are their mean."""
        self.error = nas_bench_macro(file, run)
        every = np.indices((3,) * len(SPACE.choices)).reshape(len(SPACE.choices), -1).T
        rows = np.unique(SPACE.canonical(every), axis=0)
        self.reference = np.array([WORST_ERROR, SPACE.macs(np.full_like(rows[:1], 2))[0]])
        points = self._points(rows)
        self.best = float(np.min(self.error(every)))
        self.front = points[nondominated(points)]
        self.full = hypervolume(points, self.reference)

    def volumes(self, run: Run) -> Floats:
        """The share of the exact front's hypervolume after each evaluation [evaluations]."""
        points = self._points(rows_of(run.networks))
        found, shares, last = self.front[:0], [], 0.0
        for point in points:
            candidate = np.concatenate([found, point[None]])
            kept = nondominated(candidate)
            if kept[-1]:
                found = candidate[kept]
                last = hypervolume(found, self.reference) / self.full
            shares.append(last)
        return np.array(shares)

    def errors(self, run: Run) -> Floats:
        """The smallest error so far, after each evaluation [evaluations]."""
        return np.minimum.accumulate(self._points(rows_of(run.networks))[:, 0])

    def _points(self, rows: npt.NDArray[np.int64]) -> Floats:
        return np.column_stack([self.error(rows), SPACE.macs(rows)])


class Timed:
    """A searcher whose time is taken, asking and telling together: CPU seconds of each turn."""

    def __init__(self, inner: Searcher) -> None:
        self._inner = inner
        self.seconds = [0.0]

    def ask(self, n: int) -> Population:
        began = time.process_time()
        population = self._inner.ask(n)
        self.seconds.append(time.process_time() - began)
        return population

    def tell(self, population: Population, objectives: Floats, violations: Floats) -> None:
        began = time.process_time()
        self._inner.tell(population, objectives, violations)
        self.seconds[-1] += time.process_time() - began


def search(benchmark: Benchmark, name: str, seed: int, macs: bool, budget: int) -> Run:
    """Run one; raises ``NasLoopError`` where the searcher does not take such a problem."""
    entry = searchers.get(name)
    made: list[Timed] = []

    def maker(task: Task, rng: np.random.Generator) -> Timed:
        made.append(Timed(entry.make(task, rng)))
        return made[-1]

    objectives: dict[str, Any] = {"error": benchmark.error}
    if macs:
        objectives["macs"] = SPACE.macs
    free = {"macs": SPACE.macs} if macs else {}
    batch = entry.batch(Task(Problem(SPACE, tuple(objectives), {}), free, budget))
    study = minimize(SPACE, objectives, None, maker, budget, seed, free=list(free), batch=batch)
    taken = made[0].seconds[1:]
    networks = tuple(genotypes(study.records.rows))
    asking, longest = round(sum(taken), 3), round(max(taken), 3)
    return Run(name, seed, macs, budget, batch, asking, longest, len(taken), networks)


def kept(folder: Path) -> Iterator[Run]:
    """The runs of earlier calls."""
    for file in sorted(folder.glob("*.jsonl")):
        for line in file.read_text().splitlines():
            document = json.loads(line)
            yield Run(**{**document, "networks": tuple(document["networks"].split())})


def keep(folder: Path, run: Run) -> None:
    """Append a run to its searcher's file."""
    folder.mkdir(parents=True, exist_ok=True)
    line = json.dumps({**asdict(run), "networks": " ".join(run.networks)})
    with (folder / f"{run.searcher}.jsonl").open("a") as file:
        file.write(line + "\n")
