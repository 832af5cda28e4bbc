"""What a sum over layers and decisions is worth in the mean, where choices are made by chance.

For searchers that move probabilities instead of networks: the expectation is exact when choices
are drawn independently (not for marginals of a selected population, and not of a hinge or of a
maximum of the sum), and so is its gradient. Both are one pass over the graph of all networks, forth
and back, as in the forward-backward algorithm (Baum et al., "A maximization technique occurring in
the statistical analysis of probabilistic functions of Markov chains", Annals of Mathematical
Statistics 1970).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from search_spaces.errors import SpaceError
from search_spaces.paths import Floats, Ints, Paths

# How far the probabilities of a choice may be from one in sum.
ROUNDING = 1e-6


def expectation(
    paths: Paths, weights: npt.ArrayLike, probabilities: npt.ArrayLike
) -> tuple[Floats, Floats]:
    """The mean of a sum over networks drawn choice by choice, and its gradient.

    Args:
        paths: all networks of a space. Where it has several images ``weights`` see them all.
        weights: what every edge is worth, [edges]: ``paths.layers(table) + paths.decisions(...)``.
        probabilities: of the options of all choices side by side, [options], or [n, options] for
            many distributions at once; those of a choice sum to 1.

    Returns:
        The mean, [] or [n], and its derivatives by the probabilities, of the shape of those. Only
        differences of derivatives within a choice mean anything, since its probabilities sum to 1.

    Raises:
        SpaceError: another number of options, or what are no probabilities.
    """
    edges = np.asarray(weights, dtype=np.float64)
    given = np.asarray(probabilities, dtype=np.float64)
    chances = _checked(paths, given)
    taken = _taken(paths)
    # One more option, with probability 1, stands where an edge takes fewer decisions than others.
    each = np.concatenate([chances, np.ones((len(chances), 1))], axis=1)[:, taken]
    chance = each.prod(axis=2)
    parts = paths.parts()
    reached = np.zeros((len(chances), paths.nodes))
    reached[:, 0] = 1.0
    for part in parts:
        _add(reached, paths.head[part], reached[:, paths.tail[part]] * chance[:, part])
    ahead = np.zeros_like(reached)
    for part in reversed(parts):
        worth = chance[:, part] * (edges[part] + ahead[:, paths.head[part]])
        _add(ahead, paths.tail[part], worth)
    # An edge counts by how often its tail is reached, and by all that follows from taking it.
    follows = reached[:, paths.tail] * (edges + ahead[:, paths.head])
    gradient = np.zeros((len(chances), int(paths.offsets[-1]) + 1))
    for place in range(taken.shape[1]):
        others = np.delete(each, place, axis=2).prod(axis=2)
        _add(gradient, taken[:, place], follows * others)
    return ahead[:, 0].reshape(given.shape[:-1]), gradient[:, :-1].reshape(given.shape)


def _checked(paths: Paths, given: Floats) -> Floats:
    """As [n, options]."""
    options = int(paths.offsets[-1])
    if given.ndim not in (1, 2) or given.shape[-1] != options:
        raise SpaceError(
            f"{paths.space.name} has {options} options, so probabilities are [{options}] or "
            f"[n, {options}]; got {list(given.shape)}"
        )
    chances = given.reshape(-1, options)
    sums = np.add.reduceat(chances, paths.offsets[:-1], axis=1)
    off = np.abs(sums - 1).max(axis=0, initial=0)
    if not (chances >= 0).all() or not (off <= ROUNDING).all():
        worst = paths.space.choices[int(np.argmax(off))].name
        raise SpaceError(
            "probabilities are at least 0 and sum to 1 in every choice; those of "
            f"{worst!r} are off by {off.max():.3g}, the least of all is {chances.min():.3g}"
        )
    return chances


def _taken(paths: Paths) -> Ints:
    """The options that every edge decides on, filled up with one that is none: [edges, most]."""
    edge, option = paths.taken.T
    # Decisions come in the order of edges, so each edge's are side by side.
    place = np.arange(len(edge)) - np.searchsorted(edge, edge)
    most = int(place.max(initial=0)) + 1
    found = np.full((len(paths.tail), most), paths.offsets[-1], dtype=np.int64)
    found[edge, place] = option
    return found


def _add(to: Floats, columns: Ints, values: Floats) -> None:
    """Add ``values`` [n, k] to ``columns`` [k] of ``to``, which may come twice."""
    np.add.at(to.T, columns, values.T)
