"""Hypervolumes of many objectives, estimated: the time of an exact one grows exponentially."""

from __future__ import annotations

import math

import numpy as np

from nas.search.searcher import Floats

__all__ = ["EXACT", "Estimated"]

EXACT = 6
"""Of so many objectives a hypervolume is still computed exactly."""
DIRECTIONS = 5_000


class Estimated:
    """The volume that points dominate below ``reference`` [objectives], which come in parts.

    The mean over directions of how far the points reach below the reference point, to the power of
    the number of objectives: Golovin and Zhang, "Random hypervolume scalarizations for provable
    multi-objective black box optimization" (ICML 2020). Directions are the same for all equal
    numbers of objectives, so that volumes never shrink as points are added. They are off by about
    two percent if ``reference - ideal`` is how far points reach in each objective, whatever its
    unit; by more, the worse it says that.
    """

    def __init__(self, reference: Floats, ideal: Floats) -> None:
        count = len(reference)
        self._reference = reference
        self._scale = np.where(reference > ideal, reference - ideal, 1.0)
        normal = np.random.default_rng(count).normal(size=(DIRECTIONS, count))
        self._directions = np.abs(normal) / np.linalg.norm(normal, axis=1, keepdims=True)
        self._reach = np.zeros(DIRECTIONS)

    def add(self, points: Floats) -> None:
        """Points [n, objectives], all minimised; those that others dominate change nothing."""
        below = (self._reference - points) / self._scale
        for point in below[(below > 0).all(axis=1)]:
            reached = (point / self._directions).min(axis=1)
            np.maximum(self._reach, reached, out=self._reach)

    @property
    def volume(self) -> float:
        """In the product of the objectives' units."""
        count = len(self._reference)
        ball = math.pi ** (count / 2) / (2**count * math.gamma(count / 2 + 1))
        return float(ball * np.prod(self._scale) * np.mean(self._reach**count))
