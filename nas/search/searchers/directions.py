"""Directions that spread evenly over the trade-offs between objectives."""

from __future__ import annotations

import math

import numpy as np

from nas.search.searcher import Floats


def directions(objectives: int, most: int) -> Floats:
    """At most ``most`` weight vectors that sum to 1, but one for each objective at least.

    [directions, objectives]: a lattice (Das and Dennis, "Normal-boundary intersection: a new
    method for generating the Pareto surface in nonlinear multicriteria optimization problems",
    SIAM Journal on Optimization 1998), as fine as fits. One that is too coarse to have a point
    inside gets a second, half as wide, as Deb and Jain advise ("An evolutionary many-objective
    optimization algorithm using reference-point-based nondominated sorting approach, part I", IEEE
    Transactions on Evolutionary Computation 2014).
    """
    if objectives == 1:
        return np.ones((1, 1))
    outer = _parts(objectives, most)
    found = _lattice(objectives, outer)
    left = most - len(found)
    if outer < objectives and left >= objectives:
        inner = _lattice(objectives, min(outer, _parts(objectives, left)))
        found = np.concatenate([found, 0.5 * inner + 0.5 / objectives])
    return found


def _parts(objectives: int, most: int) -> int:
    """Into how many parts each axis can be divided so that at most ``most`` points result."""
    parts = 1
    while math.comb(parts + objectives, objectives - 1) <= most:
        parts += 1
    return parts


def _lattice(objectives: int, parts: int) -> Floats:
    from pymoo.util.ref_dirs import get_reference_directions

    found: Floats = get_reference_directions("das-dennis", objectives, n_partitions=parts)
    return found
