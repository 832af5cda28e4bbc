"""The search for the best network of each device of a fleet, and for the compromise."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nas.search.budget import Budget
from nas.search.evaluate import Piece, Work
from nas.search.fleet import Fleet, least_errors, regrets
from nas.search.loop import Observer, minimize
from nas.search.problem import Plain, Problem, SearchError
from nas.search.reachable import require_limits
from nas.search.searcher import Floats, Rows
from nas.search.searchers import Maker
from nas.search.searchers.operators import neighbours
from nas.search.seen import Seen
from nas.search.study import InfeasibleWarning, Study
from search_spaces.space import Space

__all__ = ["fleet_study", "refined_fleet", "require_fleet", "search_fleet"]

# Rows that a refinement goes on from, how many of their neighbours have their own looked at too,
# and for how many steps nothing better may turn up.
BEAM = 10
PAIRED = 40
PATIENCE = 6
# The latency on the device that is least busy, in shares of its limit.
LOAD = "load"


def require_fleet(
    space: Space, latencies: Mapping[str, Plain], limits: Mapping[str, float]
) -> None:
    """Raise ``InfeasibleError`` where no network keeps a device's limit in ms, or all of them.

    The text says what can be reached. Nothing is said where functions are too slow to know.
    """
    problem = Problem(space, (), {_column(name): limit for name, limit in limits.items()})
    functions = {_column(name): _floats(latencies[name]) for name in limits}
    require_limits(problem, functions, np.random.default_rng(0))


def search_fleet(
    space: Space,
    error: Plain,
    latencies: Mapping[str, Plain],
    limits: Mapping[str, float],
    searcher: str | Maker = "nsga2",
    budget: int | Budget = 5_000,
    seed: int = 0,
    *,
    path: str | Path | None = None,
    belongs: Mapping[str, str] | None = None,
    observer: Observer | None = None,
) -> Fleet:
    """What ``refined_fleet`` makes of a ``fleet_study``, whose arguments these are.

    Raises what that does.
    """
    study = fleet_study(
        *(space, error, latencies, limits, searcher, budget, seed),
        path=path,
        belongs=belongs,
        observer=observer,
    )
    return refined_fleet(study, error, latencies, limits, seed)


def fleet_study(
    space: Space,
    error: Plain,
    latencies: Mapping[str, Plain],
    limits: Mapping[str, float],
    searcher: str | Maker = "nsga2",
    budget: int | Budget = 5_000,
    seed: int = 0,
    *,
    path: str | Path | None = None,
    belongs: Mapping[str, str] | None = None,
    observer: Observer | None = None,
) -> Study:
    """One search with error and the latency on every device as its objectives.

    Networks count that keep the limit of one device at least. Arguments that are not named here
    are those of ``minimize``.

    Args:
        error: rows [n, choices] to what is to be small, [n].
        latencies: rows to milliseconds [n], by device.
        limits: in milliseconds, by device.

    Raises:
        SearchError: devices and limits differ.
        InfeasibleError: no network keeps some device's limit, or those of all.
    """
    if not limits or set(limits) != set(latencies):
        raise SearchError(
            f"every device has a latency and a limit; got latencies of {', '.join(latencies)} and "
            f"limits of {', '.join(limits)}"
        )
    require_fleet(space, latencies, limits)
    most = np.array(list(limits.values()), dtype=np.float64)
    objectives = _objectives(error, latencies, limits)

    def load(rows: Rows) -> Floats:
        ms = [_floats(latencies[name])(rows) for name in limits]
        return np.asarray((np.stack(ms, axis=1) / most).min(axis=1), dtype=np.float64)

    with warnings.catch_warnings():
        # What it did not reach is looked for by the refinement, around what is nearest.
        warnings.simplefilter("ignore", InfeasibleWarning)
        return minimize(
            space,
            objectives,
            {LOAD: 1.0},
            searcher,
            budget,
            seed,
            path=path,
            functions={LOAD: load},
            free=[*objectives, LOAD],
            belongs=belongs,
            observer=observer,
        )


def refined_fleet(
    study: Study,
    error: Plain,
    latencies: Mapping[str, Plain],
    limits: Mapping[str, float],
    seed: int = 0,
) -> Fleet:
    """What a ``fleet_study`` met, and better networks around the best of it.

    The best network found for each device, and then the compromise, are improved by changing a
    choice, or two together, for as long as that helps. Networks that cannot be evaluated are left
    out. Arguments are those of the study.
    """
    space, most = study.problem.space, np.array(list(limits.values()), dtype=np.float64)
    fleet = Fleet(
        np.empty((0, len(space.choices)), dtype=np.int64),
        np.empty(0),
        np.empty((0, len(most))),
        dict(limits),
    )
    fleet = _with(fleet, study.records.rows, study.problem.objective_values(study.records.values))
    work = Work(space, _objectives(error, latencies, limits))

    def values(rows: Rows) -> Floats:
        """Error and latencies [n, 1 + devices], NaN where a network has none."""
        return work(Piece(rows, np.ones(len(rows)))).values

    rng = np.random.default_rng([seed, 1])
    for device in range(len(most)):

        def alone(error: Floats, ms: Floats, device: int = device) -> tuple[Floats, Floats]:
            return ms[:, device] / most[device], error

        rows = _refined(space, fleet, alone, values, rng)
        fleet = _with(fleet, rows, values(rows))

    least = least_errors(fleet.errors, fleet.latency_ms, most)

    def together(error: Floats, ms: Floats) -> tuple[Floats, Floats]:
        worst = regrets(error, np.minimum(ms, most), most, least).max(axis=1)
        return (ms / most).max(axis=1), worst

    rows = _refined(space, fleet, together, values, rng)
    return _with(fleet, rows, values(rows))


def _objectives(
    error: Plain, latencies: Mapping[str, Plain], limits: Mapping[str, float]
) -> dict[str, Plain]:
    return {"error": error, **{_column(name): latencies[name] for name in limits}}


Judge = Callable[[Floats, Floats], tuple[Floats, Floats]]
"""Errors [n] and latencies [n, devices] to the load of networks, a limit being 1, and to what is to
be small within it: [n] each."""


def _refined(
    space: Space,
    fleet: Fleet,
    judge: Judge,
    values: Callable[[Rows], Floats],
    rng: np.random.Generator,
) -> Rows:
    """Good rows [<= beam, choices] in the neighbourhood of the best of what is known.

    A beam search: of a few rows all that differ in one choice, and some that differ in two, for
    what two choices do together neither does alone where one pays for the other.
    """
    load, value = judge(fleet.errors, fleet.latency_ms)
    first = _order(load, value)[:BEAM]
    beam, load, value = fleet.rows[first], load[first], value[first]
    seen, idle = Seen(), 0
    seen.add(beam)
    while idle < PATIENCE:
        around = np.concatenate([neighbours(space, row) for row in beam])
        some = around[rng.permutation(len(around))[:PAIRED]]
        further = np.concatenate([around, *(neighbours(space, row) for row in some)])
        new = further[seen.add(further)]
        if not len(new):
            break
        found = values(new)
        new_load, new_value = judge(found[:, 0], found[:, 1:])
        rows = np.concatenate([beam, new])
        load, value = np.concatenate([load, new_load]), np.concatenate([value, new_value])
        kept = _order(load, value)[:BEAM]
        idle = 0 if (kept[0] >= len(beam)) else idle + 1
        beam, load, value = rows[kept], load[kept], value[kept]
    return beam


def _order(load: Floats, value: Floats) -> npt.NDArray[np.int64]:
    """The best first: beyond the limit what counts is how far, within it the value; NaN is last."""
    return np.lexsort((value, np.maximum(load, 1)))


def _with(fleet: Fleet, rows: Rows, values: Floats) -> Fleet:
    """The fleet and those of the rows that are new and have values [n, 1 + devices]."""
    seen = Seen()
    seen.add(fleet.rows)
    new = seen.add(rows) & np.isfinite(values).all(axis=1)
    return Fleet(
        np.concatenate([fleet.rows, rows[new]]),
        np.concatenate([fleet.errors, values[new, 0]]),
        np.concatenate([fleet.latency_ms, values[new, 1:]]),
        fleet.limits,
    )


def _column(device: str) -> str:
    """What the latency on a device is called."""
    return f"latency@{device}"


def _floats(function: Plain) -> Callable[[Rows], Floats]:
    return lambda rows: np.asarray(function(rows), dtype=np.float64)
