"""The best network of each kind that a search met, for the map in its report."""

from __future__ import annotations

from typing import Any

import numpy as np

from nas.jobs.guide import Guide
from nas.search import Study
from nas.search.archive import archive, usual_dimensions

__all__ = ["elites"]


def elites(study: Study, guide: Guide) -> dict[str, Any] | None:
    """The archive over the space's usual dimensions, by predicted error; whoever searched.

    None where the search did not go by a prediction of the error.
    """
    if guide.unit is not None or "error" not in study.problem.objectives:
        return None
    records = study.records
    good = np.isfinite(records.values).all(axis=1)
    errors = records.values[good, study.problem.objectives.index("error")]
    excess = np.maximum(study.problem.violations(records.values[good]), 0).sum(axis=1)
    found = archive(usual_dimensions(study.problem.space), records.rows[good], errors, excess)
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
