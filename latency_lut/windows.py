"""Raw samples, in windows between two looks at the reference networks, and when to trust them.

A window is a few visits to models with a visit to every reference network before and after.
The machine's pace in it is how fast the references ran, against their usual time. A tight window
can still be a slow one (a floor of 1.54 ms for a network of 1.00 ms was seen to hold for
minutes), so windows are judged by the references and not by their own spread.

Times are divided by the pace, so that what slows the whole machine down (another program on the
same cores) does not count as a difference between models.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from latency_lut.arrays import Floats
from latency_lut.seam import Sample

DRIFT = 0.03
# What is left of a slow pace once times are divided by it, at most: networks do not all slow down
# by as much as the references do.
REMAINDER = 0.3
USUAL = 25.0


@dataclass(frozen=True)
class Window:
    """``before`` and ``after``: the minimum of each reference network in its visit, in ms.

    ``leg`` counts the fresh processes of a campaign.
    """

    leg: int
    before: tuple[float, ...]
    after: tuple[float, ...]
    visits: tuple[Sample, ...]


def usual(windows: Sequence[Window]) -> Floats:
    """The usual time of every reference, [references] ms: the lower quartile of its minima.

    Lower than the median, because what disturbs a machine slows it down; not the least, because
    one lucky moment should not make all others look slow.
    """
    looks = [look for window in windows for look in (window.before, window.after)]
    return np.percentile(np.array(looks), USUAL, axis=0)


def paces(windows: Sequence[Window], usual_ms: npt.ArrayLike) -> Floats:
    """How much slower than usual the machine was before and after each window: [windows, 2].

    The geometric mean over the references of their time over their usual time.
    """
    looks = np.array([[window.before, window.after] for window in windows], dtype=np.float64)
    return np.exp(np.log(looks / np.asarray(usual_ms)).mean(axis=2))


def offsets(paces_: Floats) -> Floats:
    """How wrong correction may be in each window: [windows], 0.03 for 3%.

    The move of the pace within the window, or what correction leaves of a pace that is far from
    usual, whichever is larger.
    """
    moved = np.abs(np.log(paces_[:, 0] / paces_[:, 1]))
    far = np.abs(np.log(paces_).mean(axis=1))
    return np.maximum(moved, REMAINDER * far)


def steady_counts(windows: Sequence[Window]) -> dict[str, int]:
    """How many visits each model has in windows whose offset is at most ``DRIFT``."""
    counts: dict[str, int] = {}
    if not windows:
        return counts
    steady = offsets(paces(windows, usual(windows))) <= DRIFT
    for number, window in enumerate(windows):
        for visit in window.visits:
            counts[visit.model] = counts.get(visit.model, 0) + int(steady[number])
    return counts


@dataclass(frozen=True)
class Series:
    """The corrected visits of one model in the order of time: each [visits].

    ``minimum_ms`` is divided by the pace of its window, ``offset`` is that window's.
    """

    minimum_ms: Floats
    offset: Floats

    def best(self, rounds: int) -> Floats:
        """Minima of the steady visits; of the least unsteady, where they are below ``rounds``."""
        steady = int((self.offset <= DRIFT).sum())
        chosen = np.argsort(self.offset, kind="stable")[: max(rounds, steady)]
        return self.minimum_ms[np.sort(chosen)]


def series(windows: Sequence[Window], usual_ms: npt.ArrayLike) -> Mapping[str, Series]:
    """For every model its visits, corrected to the machine's usual pace."""
    found: dict[str, list[tuple[float, float]]] = {}
    measured = paces(windows, usual_ms)
    pace, offset = np.sqrt(measured.prod(axis=1)), offsets(measured)
    for number, window in enumerate(windows):
        for visit in window.visits:
            corrected = (visit.minimum_ms / pace[number], float(offset[number]))
            found.setdefault(visit.model, []).append(corrected)
    return {name: Series(*np.array(values).T) for name, values in found.items()}
