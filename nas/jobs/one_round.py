"""One round of a search: its objectives and limits on the predictions of a table."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np

from latency_lut import LatencyTable
from nas import search as searching
from nas.jobs.asked import Asked
from nas.jobs.budget import UPPER, SearchOptions, latency_of, upper_of
from nas.jobs.guide import Guide
from nas.jobs.tables import identity_of
from nas.search.searchers.catalogue import over
from search_spaces.errors import InfeasibleError
from search_spaces.space import Population, Space

__all__ = ["keeping", "round_study"]


def _functions(
    table: LatencyTable, guide: Guide, options: SearchOptions, asked: Asked
) -> tuple[dict[str, searching.Plain], dict[str, searching.Plain]]:
    """The objectives of a round, and what is limited beside them, by name."""
    objectives: dict[str, searching.Plain] = {
        "error": guide.source.predict,
        "latency_ms": latency_of(table),
        **asked.functions,
    }
    further: dict[str, searching.Plain] = dict(asked.limited)
    if options.confidence is not None:
        further[UPPER] = upper_of(table, options.deviations)
    return objectives, further


def _limits(options: SearchOptions, asked: Asked) -> dict[str, float]:
    """The upper limits of a round, by the names of its functions."""
    latency = "latency_ms" if options.confidence is None else UPPER
    return {latency: options.latency_ms, **asked.constraints}


def keeping(
    space: Space,
    table: LatencyTable,
    guide: Guide,
    options: SearchOptions,
    asked: Asked,
    rows: Population,
) -> Population:
    """Those of canonical ``rows`` [n, choices] that are predicted to keep the budget and all that
    is asked, as a round's search has to: [<= n, choices]."""
    if not len(rows):
        return rows
    objectives, further = _functions(table, guide, options, asked)
    functions, limits = {**objectives, **further}, _limits(options, asked)
    values = np.column_stack([functions[name](rows) for name in limits])
    above = searching.Problem(space, (), limits).violations(values)
    return rows[(above <= 0).all(axis=1)]


def round_study(
    space: Space,
    table: LatencyTable,
    guide: Guide,
    options: SearchOptions,
    path: Path | None = None,
    observer: searching.Observer | None = None,
    asked: Asked | None = None,
) -> searching.Study:
    """One round's search on the predictions of ``table``, kept in ``path`` where one is given.

    Raises ``InfeasibleError`` where it meets no network within the budget.
    """
    asked = asked or Asked()
    objectives, further = _functions(table, guide, options, asked)
    with warnings.catch_warnings():
        # It is an error here, in words of its own.
        warnings.simplefilter("ignore", searching.InfeasibleWarning)
        study = searching.minimize(
            space,
            objectives,
            _limits(options, asked),
            searcher=over(options.searcher, asked.dimensions(table)),
            budget=options.budget,
            seed=options.seed,
            path=path,
            functions=further,
            # Nothing is run for them: predictions all.
            free=(*objectives, *further),
            belongs={
                **asked.identities,
                "predictor": guide.identity,
                "table": identity_of(table),
                "searcher": options.told,
            },
            observer=observer,
        )
    if not study.front():
        raise InfeasibleError(
            f"the search met no network within {options.latency_ms:g} ms{_and(asked)} in "
            f"{len(study)} evaluations; raise {_ended(study)}, or the "
            f"{'limits' if asked.constraints else 'latency'}"
        )
    return study


def _ended(study: searching.Study) -> str:
    """The option that ended a study."""
    options = {"seconds": "--minutes", "stagnation": "--stagnation"}
    return options.get(study.ended_by or "", "--budget")


def _and(asked: Asked) -> str:
    return f" and {asked.said()}" if asked.constraints else ""
