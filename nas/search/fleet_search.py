"""The search for the best network of each device of a fleet, and for the compromise."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nas.search.budget import Budget
from nas.search.fleet import Fleet, least_errors, regrets
from nas.search.loop import Observer, minimize
from nas.search.problem import Plain, SearchError
from nas.search.reachable import smallest
from nas.search.searcher import Floats, Rows
from nas.search.searchers import Maker
from nas.search.searchers.operators import neighbours
from nas.search.seen import Seen
from search_spaces.errors import InfeasibleError
from search_spaces.space import Space

__all__ = ["require_fleet", "search_fleet"]

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
    for name, limit in limits.items():
        _, value, finished = smallest(
            space, _floats(latencies[name]), np.random.default_rng(0), enough=limit, seconds=5.0
        )
        if finished and value > limit:
            raise InfeasibleError(
                f"no network of {space.name} keeps latency@{name} within {limit:.4g} ms; the "
                f"smallest reaches {value:.4g} ms"
            )

    def load(rows: Rows) -> Floats:
        shares = [_floats(latencies[name])(rows) / limit for name, limit in limits.items()]
        return np.asarray(np.max(shares, axis=0), dtype=np.float64)

    row, value, finished = smallest(space, load, np.random.default_rng(0), enough=1.0, seconds=5.0)
    if finished and value > 1:
        takes = [f"{name}={_floats(latencies[name])(row[None])[0]:.4g}" for name in limits]
        raise InfeasibleError(
            f"no network of {space.name} keeps the limits of all devices together; the nearest "
            f"takes {', '.join(takes)} ms"
        )


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
    """One search with error and the latency on every device as its objectives, then a refinement.

    Networks count that keep the limit of one device at least. The best network found for each
    device, and then the compromise, are improved by changing a choice, or two together, for as long
    as that helps. Arguments that are not named here are those of ``minimize``.

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
    measures = {name: _floats(latencies[name]) for name in limits}

    def times(rows: Rows) -> Floats:
        return np.stack([one(rows) for one in measures.values()], axis=1)

    errors = _floats(error)
    study = minimize(
        space,
        {"error": error, **{f"latency@{name}": one for name, one in measures.items()}},
        {LOAD: 1.0},
        searcher,
        budget,
        seed,
        path=path,
        functions={LOAD: lambda rows: (times(rows) / most).min(axis=1)},
        free=["error", LOAD, *(f"latency@{name}" for name in limits)],
        belongs=belongs,
        observer=observer,
    )
    values = study.problem.objective_values(study.records.values)
    fleet = Fleet(study.records.rows, values[:, 0], values[:, 1:], dict(limits))
    rng = np.random.default_rng([seed, 1])
    for device in range(len(most)):

        def alone(rows: Rows, device: int = device) -> tuple[Floats, Floats]:
            return times(rows)[:, device] / most[device], errors(rows)

        fleet = _with(fleet, _refined(space, fleet, alone, rng), errors, times)

    least = least_errors(fleet.errors, fleet.latency_ms, most)

    def together(rows: Rows) -> tuple[Floats, Floats]:
        ms = times(rows)
        worst = regrets(errors(rows), np.minimum(ms, most), most, least).max(axis=1)
        return (ms / most).max(axis=1), worst

    return _with(fleet, _refined(space, fleet, together, rng), errors, times)


Judge = Callable[[Rows], tuple[Floats, Floats]]
"""Rows to their load, a limit being 1, and to what is to be small within it: [n] each."""


def _refined(space: Space, fleet: Fleet, judge: Judge, rng: np.random.Generator) -> Rows:
    """Good rows [<= beam, choices] in the neighbourhood of the best of what is known.

    A beam search: of a few rows all that differ in one choice, and some that differ in two, for
    what two choices do together neither does alone where one pays for the other.
    """
    load, value = judge(fleet.rows)
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
        new_load, new_value = judge(new)
        rows = np.concatenate([beam, new])
        load, value = np.concatenate([load, new_load]), np.concatenate([value, new_value])
        kept = _order(load, value)[:BEAM]
        idle = 0 if (kept[0] >= len(beam)) else idle + 1
        beam, load, value = rows[kept], load[kept], value[kept]
    return beam


def _order(load: Floats, value: Floats) -> npt.NDArray[np.int64]:
    """The best first: beyond the limit what counts is how far, within it the value."""
    return np.lexsort((value, np.maximum(load, 1)))


def _with(
    fleet: Fleet, rows: Rows, errors: Callable[[Rows], Floats], times: Callable[[Rows], Floats]
) -> Fleet:
    seen = Seen()
    seen.add(fleet.rows)
    more = rows[seen.add(rows)]
    if not len(more):
        return fleet
    return Fleet(
        np.concatenate([fleet.rows, more]),
        np.concatenate([fleet.errors, errors(more)]),
        np.concatenate([fleet.latency_ms, times(more)]),
        fleet.limits,
    )


def _floats(function: Plain) -> Callable[[Rows], Floats]:
    return lambda rows: np.asarray(function(rows), dtype=np.float64)
