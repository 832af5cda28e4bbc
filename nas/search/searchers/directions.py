"""Directions that spread evenly over the trade-offs between objectives."""

from __future__ import annotations

import itertools
import math

import numpy as np

from nas.search.searcher import Floats


def lattice(objectives: int, most: int) -> Floats:
    """Weight vectors that are spread evenly over all that sum to 1: [vectors, objectives].

    Das and Dennis, "Normal-boundary intersection: a new method for generating the Pareto surface
    in nonlinear multicriteria optimization problems" (SIAM Journal on Optimization 1998): all whose
    parts are whole multiples of one over a number, which is as large as ``most`` vectors allow; one
    for each objective at least.
    """
    return _multiples(objectives, _parts(objectives, most))


def directions(objectives: int, most: int) -> Floats:
    """The ``lattice``, and where that is too coarse to have a point inside a second, half as wide.

    At most ``most`` weight vectors, but one for each objective at least: [vectors, objectives].
    Deb and Jain advise the second ("An evolutionary many-objective optimization algorithm using
    reference-point-based nondominated sorting approach, part I", IEEE Transactions on Evolutionary
    Computation 2014).
    """
    outer = _parts(objectives, most)
    found = _multiples(objectives, outer)
    left = most - len(found)
    if outer < objectives and left >= objectives > 1:
        inner = _multiples(objectives, min(outer, _parts(objectives, left)))
        found = np.concatenate([found, 0.5 * inner + 0.5 / objectives])
    return found


def drawn(n: int, objectives: int, rng: np.random.Generator) -> Floats:
    """Weight vectors by chance, uniform over all that sum to 1: [n, objectives]."""
    return rng.dirichlet(np.ones(objectives), n)


def _parts(objectives: int, most: int) -> int:
    """Into how many parts each axis can be divided so that at most ``most`` points result."""
    parts = 1
    while objectives > 1 and math.comb(parts + objectives, objectives - 1) <= most:
        parts += 1
    return parts


def _multiples(objectives: int, parts: int) -> Floats:
    # Bars among stars: the gaps between `objectives - 1` bars sum to `parts`.
    places = range(parts + objectives - 1)
    bars = np.array(list(itertools.combinations(places, objectives - 1)), dtype=np.int64)
    ends = np.full((len(bars), 1), parts + objectives - 1)
    edges = np.concatenate([np.full_like(ends, -1), bars, ends], axis=1)
    return np.asarray((np.diff(edges, axis=1) - 1) / parts)
