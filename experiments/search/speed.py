"""How fast is a search whose evaluations cost next to nothing?

    python experiments/search/speed.py [--space NAME] [--seeds 10] [-o FILE]

One core, a study on disk (`path=...`), the default predictor fitted on 200 networks for the error,
a latency table for the second objective and its limit: what is timed is asking, both predictions,
storing and telling. Claims: 50,000 distinct networks are evaluated in at most 6 s with NSGA-II, and
in at most 2 s with OFA's constrained evolution, in the batches that the catalogue gives them. In
the same round, and in turn with them, pymoo's NSGA-II does the same as its documentation shows: its
own operators for integers, the same predictor and table on whole populations, rows that are not
distinct networks, and nothing kept; 10,000 evaluations, for its time grows evenly.

A figure is the median over seeds with a 95% interval (order statistics). Seconds are CPU seconds of
the process, system calls included, because the machine did other things; wall-clock seconds are
recorded beside them, with the load. The table's figures are made up, as those of ``exact.py``: how
fast it predicts does not depend on them. Exits with 1 if a claim falls short.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"  # Before anything that reads it.

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from intervals import median_interval
from made_up_table import made_up

import predictors
import search_spaces
from nas.search import minimize
from search_spaces import Space

sys.path.append(str(Path(__file__).parents[1] / "speed"))
from timing import machine, save

Rows = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

EVALUATIONS, PLAIN_EVALUATIONS = 50_000, 10_000
SAMPLES, POPULATION = 200, 200
MOST_S = {"nsga2": 6.0, "ofa": 2.0}
PYMOO = "pymoo's NSGA-II"


@dataclass(frozen=True)
class Task:
    """What all of them minimise, and the limit on latency."""

    space: Space
    error: Callable[[Rows], Floats]
    latency: Callable[[Rows], Floats]
    limit: float


def made_up_errors(space: Space, X: Rows, rng: np.random.Generator) -> Floats:
    """Errors in percent that saturate in size, with a taste for decisions, and noise."""
    size = np.log(space.macs(X)) + 0.5 * np.log(space.parameters(X))
    taste = (X * space.used(X)) @ np.random.default_rng(1).normal(size=X.shape[1])
    saturated = 40 * np.exp(-(size - np.quantile(size, 0.05)) / 2)
    return 8 + saturated - 0.3 * np.tanh(taste) + 0.2 * rng.normal(size=len(X))


def task_of(space: Space) -> Task:
    rng = np.random.default_rng(0)
    X = space.sample(SAMPLES, rng)
    predictor = predictors.get("auto", space).fit(X, made_up_errors(space, X, rng))
    latency = made_up(space).predict
    return Task(space, predictor.predict, latency, float(np.median(latency(X))))


def ours(task: Task, searcher: str, seed: int, folder: Path) -> int:
    study = minimize(
        task.space,
        {"error": task.error, "latency_ms": task.latency},
        {"latency_ms": task.limit},
        searcher,
        EVALUATIONS,
        seed,
        path=folder / f"{searcher}-{seed}.sqlite",
    )
    return len(study)


def plain(task: Task, seed: int) -> int:
    from pymoo.algorithms.moo.nsga2 import NSGA2
    from pymoo.core.problem import Problem
    from pymoo.operators.crossover.sbx import SBX
    from pymoo.operators.mutation.pm import PM
    from pymoo.operators.repair.rounding import RoundingRepair
    from pymoo.operators.sampling.rnd import IntegerRandomSampling
    from pymoo.optimize import minimize as optimise

    top = np.array([len(choice.values) - 1 for choice in task.space.choices])

    class Networks(Problem):
        def __init__(self) -> None:
            super().__init__(n_var=len(top), n_obj=2, n_ieq_constr=1, xl=0, xu=top, vtype=int)

        def _evaluate(self, X: Rows, out: dict[str, Any], *_: Any, **__: Any) -> None:
            rows = task.space.canonical(X)
            latency = task.latency(rows)
            out["F"] = np.column_stack([task.error(rows), latency])
            out["G"] = latency / task.limit - 1

    algorithm = NSGA2(
        pop_size=POPULATION,
        sampling=IntegerRandomSampling(),
        crossover=SBX(prob=1.0, eta=3.0, vtype=float, repair=RoundingRepair()),
        mutation=PM(prob=1.0, eta=3.0, vtype=float, repair=RoundingRepair()),
        eliminate_duplicates=True,
    )
    done = optimise(Networks(), algorithm, ("n_eval", PLAIN_EVALUATIONS), seed=seed)
    return int(done.algorithm.evaluator.n_eval)


def timed(work: Callable[[], int], expected: int) -> tuple[float, float]:
    """CPU and wall-clock microseconds of one evaluation."""
    cpu, wall = time.process_time(), time.perf_counter()
    evaluated = work()
    taken = time.process_time() - cpu, time.perf_counter() - wall
    if evaluated != expected:
        raise SystemExit(f"{evaluated:,} were evaluated, not {expected:,}")
    return 1e6 * taken[0] / evaluated, 1e6 * taken[1] / evaluated


def measured(task: Task, seeds: int) -> dict[str, list[tuple[float, float]]]:
    """Microseconds an evaluation of each, seed by seed, in turn."""
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in (*MOST_S, PYMOO)}
    for seed in range(seeds):
        with tempfile.TemporaryDirectory() as folder:
            for name in MOST_S:
                work = lambda: ours(task, name, seed, Path(folder))  # noqa: B023, E731
                taken[name].append(timed(work, EVALUATIONS))
            work = lambda: plain(task, seed)  # noqa: B023, E731
            taken[PYMOO].append(timed(work, PLAIN_EVALUATIONS))
        print(
            seed,
            {name: [round(us, 1) for us in times[-1]] for name, times in taken.items()},
            flush=True,
        )
    return taken


def summary(taken: list[tuple[float, float]], pymoo: list[tuple[float, float]]) -> dict[str, Any]:
    """Seconds of 50,000 evaluations, and how many times as fast as pymoo in the same round."""
    cpu, wall = (np.array(column) for column in zip(*taken, strict=True))
    theirs = np.array([each for each, _ in pymoo])
    return {
        "cpu_s": median_interval(cpu * EVALUATIONS / 1e6),
        "wall_s": median_interval(wall * EVALUATIONS / 1e6),
        "evaluations_a_cpu_second": round(1e6 / float(np.median(cpu))),
        "times_as_fast_as_pymoo": median_interval(theirs / cpu),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--space", choices=search_spaces.names(), default="ofa-mobilenetv3")
    parser.add_argument("--seeds", type=int, default=10)
    usual = Path(__file__).parent / "results" / "speed.json"
    parser.add_argument("-o", "--out", type=Path, default=usual)
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    space = search_spaces.get(options.space)
    task = task_of(space)
    taken = measured(task, options.seeds)
    found = {name: summary(seconds, taken[PYMOO]) for name, seconds in taken.items()}
    document: dict[str, Any] = {
        "machine": machine(),
        "space": space.name,
        "networks": space.size,
        "table": "made up",
        "evaluations": EVALUATIONS,
        "seeds": options.seeds,
        "most_s": MOST_S,
        "searchers": found,
        "microseconds_an_evaluation": taken,
    }
    save(options.out, document)
    slow = [name for name, most in MOST_S.items() if found[name]["cpu_s"]["median"] > most]
    for name, figures in found.items():
        print(name, figures)
    print(f"FALLS SHORT: {', '.join(slow)}" if slow else "holds")
    sys.exit(bool(slow))


if __name__ == "__main__":
    main()
