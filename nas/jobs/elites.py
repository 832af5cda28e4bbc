"""The best network of each kind that a search met, for the map in its report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nas.jobs.budget import SearchOptions
from nas.jobs.guide import Guide
from nas.search import Study
from nas.search.archive import Dimension, archive
from nas.search.dimensions import usual_dimensions
from nas.search.searchers.catalogue import MAP_ELITES
from search_spaces.errors import ConfigError

__all__ = ["elites", "require_map"]


def require_map(options: SearchOptions, guide: Guide | None) -> None:
    """Raises ``ConfigError`` where dimensions are chosen that nothing would be seen of."""
    if guide is None or guide.unit is None or options.searcher == MAP_ELITES:
        return
    if options.dimensions:
        raise ConfigError(
            f"the {guide.name} predicts no error, so that there is no map of it; leave out "
            f"--dimension, or search by a predictor or with --searcher {MAP_ELITES}"
        )


def elites(
    study: Study, guide: Guide, dimensions: Sequence[Dimension] = ()
) -> dict[str, Any] | None:
    """The archive over ``dimensions``, by predicted error, whoever searched; without any, over the
    space's usual ones.

    None where the search did not go by a prediction of the error.
    """
    if guide.unit is not None or "error" not in study.problem.objectives:
        return None
    records = study.records
    good = np.isfinite(records.values).all(axis=1)
    errors = records.values[good, study.problem.objectives.index("error")]
    excess = np.maximum(study.problem.violations(records.values[good]), 0).sum(axis=1)
    over = dimensions or usual_dimensions(study.problem.space)
    found = archive(over, records.rows[good], errors, excess)
    return {
        "quality": "predicted error, %",
        "dimensions": [
            {
                "name": axis.name,
                "edges": axis.edges.tolist(),
                "values": None if axis.values is None else axis.values.tolist(),
            }
            for axis in found.dimensions
        ],
        "cells": found.cells.tolist(),
        "rows": found.rows.tolist(),
        "qualities": [round(value, 4) for value in found.qualities.tolist()],
        "violations": [round(value, 6) for value in found.violations.tolist()],
    }
