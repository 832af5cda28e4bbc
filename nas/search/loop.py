"""The loop: ask, evaluate what is new, write it down, tell."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nas.engine import LOCAL, Engine
from nas.search import searchers
from nas.search.budget import Budget, Stagnation
from nas.search.columns import Column
from nas.search.equality import Identity
from nas.search.free import free_functions
from nas.search.problem import Function, Graded, SearchError, state
from nas.search.reachable import require_limits
from nas.search.searcher import Population, Searcher
from nas.search.session import Session
from nas.search.store import stored
from nas.search.study import InfeasibleWarning, Numbers, Study
from nas.search.task import Task
from search_spaces.space import Space

# Answers in a row without a new network after which a searcher has nothing left to propose.
IDLE = 20
# Of evaluations that are counted by fidelity: nine ninths are one.
DIGITS = 9
# Networks in a row that may fail before something else than networks must be at fault: at any time,
# and while none has been evaluated yet.
FAILURES, FIRST = 20, 5


@dataclass(frozen=True)
class Step:
    """How far a search is, after each batch: ``evaluations`` of ``budget``, ``seconds`` in all."""

    evaluations: float
    budget: Budget
    seconds: float
    generation: int


Observer = Callable[[Study, Step], None]


def minimize(
    space: Space,
    objectives: Mapping[str, Function],
    constraints: Mapping[str, float] | None = None,
    searcher: str | searchers.Maker = "auto",
    budget: int | Budget = 2_000,
    seed: int = 0,
    *,
    path: str | Path | None = None,
    functions: Mapping[str, Function] | None = None,
    free: Collection[str] | None = None,
    belongs: Mapping[str, str] | None = None,
    equality: str | Identity = "plan",
    batch: int | None = None,
    piece: int | None = None,
    engine: Engine = LOCAL,
    retry: bool = False,
    observer: Observer | None = None,
) -> Study:
    """Search ``space`` for networks with small objectives that keep the constraints.

    A network for which a function raises, or returns no finite number, is recorded as a failure
    (``Study.failures``) and left out; ``MachineError`` ends the search instead. Where none of those
    that were evaluated keeps all limits, the front is empty, an ``InfeasibleWarning`` says so, and
    ``Study.nearest`` is the nearest.

    Args:
        objectives: names to functions of rows [n, choices] that return one float a row, [n];
            all are minimised, and they keep their order. ``Graded`` ones also take fidelities.
        constraints: upper limits on objectives, or on ``functions``, by name.
        searcher: one of ``names()``, or a function (task, generator) -> ``Searcher``. "auto" learns
            a model where up to 1,000 evaluations are not free, and is NSGA-II elsewhere.
        budget: how many distinct networks are evaluated, or a ``Budget``; a space that has fewer
            ends the search as well.
        seed: searches with equal seeds are equal.
        path: a SQLite file that keeps every evaluation. A search that was stopped is taken up
            where it was: it ends as if it had not been, and nothing is evaluated twice. Several
            processes may search into one file: each takes what another has evaluated, and waits
            for what another is at.
        functions: what constraints limit beside the objectives.
        free: names of objectives and functions that cost next to nothing (counts, tables):
            searchers may ask them about networks that are never evaluated, and limits on them
            are checked before the search begins. Else the methods of spaces, latency tables and
            predictors.
        belongs: fingerprints of what the functions stand on (data, table, predictor), by name;
            a file with others is refused.
        equality: what counts as one network, and is evaluated once: "plan" (one place in a
            supernet), "network" (trained alike from scratch), or a function from rows
            [n, choices] to a text for each, such as a functional hash; what that depends on is to
            be named in ``belongs``.
        batch: how many networks are asked for at once; else what serves the searcher.
        piece: how many networks are evaluated together and then stored; else the whole batch.
            1 where an evaluation takes seconds.
        engine: who evaluates pieces (``nas.engine``); else this process.
        retry: evaluate again what failed before.
        observer: called after each batch.

    Raises:
        InfeasibleError: no network keeps one of the limits on free functions, or all of those; the
            text says what can be reached.
        SearchError: an unknown searcher, a constraint without a function, a budget below 1, a seed
            below 0; a function that returns no array of numbers; or all networks failed, five or
            more, or twenty in a row; ``MachineError`` as a function raised it. What was evaluated
            until then is in the file.
        ArtefactError: the file belongs to another search.
        NasLoopError: the file cannot be written.
    """
    problem, known = state(space, objectives, constraints or {}, functions or {})
    limit = budget if isinstance(budget, Budget) else Budget(budget)
    for name, count in {"batch": batch, "piece": piece}.items():
        if count is not None and count < 1:
            raise SearchError(f"{name} is 1 or more; got {count}")
    if seed < 0:
        raise SearchError(f"seed is 0 or more; got {seed}")
    entry = searchers.get(searcher) if isinstance(searcher, str) else None
    maker = entry.make if entry else searcher
    assert not isinstance(maker, str)
    asked = free_functions(known, free)
    least = [function.least for function in known.values() if isinstance(function, Graded)]
    task = Task(problem, asked, limit.evaluations, bool(least), min(least, default=0.0))
    size = batch or (entry.batch if entry else searchers.usual_batch)(task)
    # Of its own, so that looking for a feasible network leaves the search as it is.
    checking, searching = np.random.default_rng(seed).spawn(2)
    proposer = maker(task, searching)
    origin = searcher if isinstance(searcher, str) else type(proposer).__name__
    # Before there is a file, which would be one of limits that nobody can keep.
    require_limits(problem, asked, checking)
    session = Session(
        problem,
        known,
        origin,
        told=(size, seed),
        path=path,
        belongs=belongs,
        equality=equality,
        piece=piece,
        engine=engine,
        retry=retry,
    )
    with closing(session):
        _run(session, proposer, limit, size, observer)
    if (said := session.study.infeasible()) is not None:
        warnings.warn(said, InfeasibleWarning, stacklevel=2)
    return session.study


def load(path: str | Path, space: Space) -> Study:
    """The study in a file that ``minimize`` wrote, for reading.

    Raises:
        ArtefactError: no such file, no study, or one of another space.
    """
    problem, records = stored(path, space)
    study = Study(problem)
    study.add(records)
    return study


def _run(
    session: Session,
    proposer: Searcher,
    budget: Budget,
    size: int,
    observer: Observer | None,
) -> None:
    study = session.study
    told, growth = _Told(study), Stagnation()
    idle, generation, failed = 0, 0, 0
    study.ended_by = None
    while study.ended_by is None:
        asked = proposer.ask(size)
        rows = study.problem.space.canonical(asked.rows)
        fidelity = np.ones(len(rows)) if asked.fidelity is None else asked.fidelity
        if budget.evaluations is not None:
            # One that begins within the budget is the last.
            before = told.spent + np.cumsum(fidelity) - fidelity
            within = np.round(before, DIGITS) < budget.evaluations
            rows, fidelity = rows[within], fidelity[within]
        numbers = session.numbers(rows, fidelity, generation, budget.seconds)
        done = numbers >= 0
        rows, fidelity, numbers = rows[done], fidelity[done], numbers[done]
        idle = 0 if told.add(numbers) else idle + 1
        values = study.values(numbers)
        good = np.asarray(np.isfinite(values).all(axis=1))
        failed = _failures_in_a_row(study, numbers, good, failed, first=not told.any_good)
        told.any_good |= bool(good.any())
        objectives, violations = (
            study.problem.objective_values(values[good]),
            study.problem.violations(values[good]),
        )
        if len(rows):
            kept = None if asked.fidelity is None else fidelity[good]
            proposer.tell(Population(rows[good], kept), objectives, violations)
        if budget.stagnation is not None:
            whole = fidelity[good] == 1
            growth.add(objectives[whole], violations[whole], told.spent)
        generation += 1
        if observer is not None:
            observer(study, Step(told.spent, budget, session.seconds(), generation))
        study.ended_by = budget.ended(told.spent, session.seconds(), growth)
        if study.ended_by is None and idle >= IDLE:
            study.ended_by = "space"


class _Told:
    """What the searcher has heard of: distinct networks, whole or in part."""

    def __init__(self, study: Study) -> None:
        self._study = study
        self._heard = Column(np.bool_)
        self._spent = 0.0
        self.any_good = False

    @property
    def spent(self) -> float:
        """How many evaluations that were."""
        return round(self._spent, DIGITS)

    def add(self, numbers: Numbers) -> bool:
        """Whether any of the study's ``numbers`` was new."""
        missing = len(self._study) - len(self._heard.array)
        self._heard.append(np.zeros(missing, dtype=np.bool_))
        new = np.unique(self._study.equal(numbers))
        new = new[~self._heard.array[new]]
        self._heard.array[new] = True
        self._spent += float(self._study.fidelity(new).sum())
        return bool(len(new))


def _failures_in_a_row(
    study: Study, numbers: Numbers, good: npt.NDArray[np.bool_], before: int, first: bool
) -> int:
    """How many networks have failed in a row by now.

    Raises ``SearchError`` where that says that something is wrong with more than a network.
    """
    count = before
    for fine in good.tolist():
        count = 0 if fine else count + 1
        if count >= FAILURES:
            break
    if count >= FAILURES or (first and count >= FIRST and not good.any()):
        number = int(numbers[~good][-1])
        raise SearchError(
            f"{count} networks in a row could not be evaluated, so that no other is tried; "
            f"{_described(study, number)}. Once that is mended they are evaluated again: by `nas "
            "search` without --resume, by `nas finetune` with another --out, by minimize with "
            "retry=True"
        )
    return count


def _described(study: Study, number: int) -> str:
    row = study.row(number)
    values = ", ".join(f"{name}={value}" for name, value in study.problem.space.decode(row).values)
    return f"{study.failure(number)} (row {row.tolist()}: {values})"
