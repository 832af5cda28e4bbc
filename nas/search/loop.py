"""The loop: ask, evaluate what is new, write it down, tell."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path

import numpy as np

from nas.search import searchers
from nas.search.evaluate import Remembered, evaluate, remembered
from nas.search.problem import Function, SearchError, state
from nas.search.reachable import require_reachable
from nas.search.searcher import Floats, Population, Rows
from nas.search.seen import Seen
from nas.search.store import Store, stored
from nas.search.study import Records, Study
from nas.search.task import Task
from search_spaces.space import Space
from search_spaces.unknown import unknown

# Answers in a row without a new network after which a searcher has nothing left to propose.
IDLE = 20

Progress = Callable[[int, int], None]


def minimize(
    space: Space,
    objectives: Mapping[str, Function],
    constraints: Mapping[str, float] | None = None,
    searcher: str | searchers.Maker = "nsga2",
    budget: int = 2_000,
    seed: int = 0,
    *,
    path: str | Path | None = None,
    functions: Mapping[str, Function] | None = None,
    free: Collection[str] = (),
    belongs: Mapping[str, str] | None = None,
    batch: int | None = None,
    progress: Progress | None = None,
) -> Study:
    """Search ``space`` for networks with small objectives that keep the constraints.

    Args:
        objectives: names to functions of rows [n, choices] that return one float a row, [n];
            all are minimised, and they keep their order.
        constraints: upper limits on objectives, or on ``functions``, by name.
        searcher: one of ``names()``, or a function (task, generator) -> ``Searcher``.
        budget: how many distinct networks are evaluated; fewer where the space has fewer.
        seed: searches with equal seeds are equal.
        path: a SQLite file that keeps every evaluation. A search that was stopped is taken up
            where it was: it ends as if it had not been, and nothing is evaluated twice.
        functions: what constraints limit beside the objectives.
        free: names of objectives and functions that cost next to nothing (counts, tables):
            searchers may ask them about networks that are never evaluated.
        belongs: fingerprints of what the functions stand on (data, table, predictor), by name;
            a file with others is refused.
        batch: how many networks are asked for at once; else what serves the searcher.
        progress: called with (evaluated, budget) after each batch.

    Raises:
        InfeasibleError: no network keeps one of the limits; the text says what can be reached.
        SearchError: an unknown searcher, a constraint without a function, a budget below 1; or
            a function that raised or returned no number, with the network that it was for. What
            was evaluated until then is in the file.
        ArtefactError: the file belongs to another search.
        NasLoopError: the file cannot be written.
    """
    problem, known = state(space, objectives, constraints or {}, functions or {})
    for name in free:
        if name not in known:
            raise SearchError(unknown("free function", name, known))
    if budget < 1 or (batch is not None and batch < 1):
        raise SearchError(f"budget and batch are 1 or more; got {budget} and {batch}")
    if isinstance(searcher, str):
        named = searchers.get(searcher)
        maker, usual_batch = named.make, named.batch
    else:
        maker, usual_batch = searcher, searchers.usual_batch
    asking = remembered(problem, known)
    study = Study(problem)
    store = Store(path, problem, belongs or {}) if path is not None else None
    try:
        if store is not None:
            _recall(study, asking, store.read())
        # Of its own, so that looking for a feasible network leaves the search as it is.
        checking, searching = np.random.default_rng(seed).spawn(2)
        for name, limit in problem.limits.items():
            require_reachable(space, name, asking[name], limit, checking)
        proposer = maker(Task(problem, {name: known[name] for name in free}, budget), searching)
        size = batch or usual_batch(budget)
        origin = searcher if isinstance(searcher, str) else type(proposer).__name__
        told, idle, generation = Seen(), 0, 0
        while len(told) < budget and idle < IDLE:
            rows = space.canonical(proposer.ask(size).rows)[: budget - len(told)]
            idle = 0 if told.add(rows).any() else idle + 1
            if len(rows):
                values = _evaluate(study, store, asking, rows, generation, origin)
                proposer.tell(
                    Population(rows), problem.objective_values(values), problem.violations(values)
                )
            generation += 1
            if progress is not None:
                progress(len(told), budget)
    finally:
        if store is not None:
            store.close()
    return study


def load(path: str | Path, space: Space) -> Study:
    """The study in a file that ``minimize`` wrote, for reading.

    Raises:
        ArtefactError: no such file, no study, or one of another space.
    """
    problem, records = stored(path, space)
    study = Study(problem)
    study.add(records)
    return study


def _recall(study: Study, asking: Mapping[str, Remembered], records: Records) -> None:
    study.add(records)
    for column, function in enumerate(asking.values()):
        function.learn(records.rows, records.values[:, column])


def _evaluate(
    study: Study,
    store: Store | None,
    asking: Mapping[str, Remembered],
    rows: Rows,
    generation: int,
    origin: str,
) -> Floats:
    """Values [n, names] of rows; what is new is in the file and the study before it returns."""
    unknown = rows[study.find(rows) < 0]
    if len(unknown):
        unknown = unknown[Seen().add(unknown)]
        good, values, error = evaluate(asking, unknown)
        n = len(values)
        records = Records(unknown[good], values, np.full(n, generation), (origin,) * n)
        if store is not None and n:
            store.append(records)
        study.add(records)
        if error:
            raise error
    return np.column_stack([function(rows) for function in asking.values()])
