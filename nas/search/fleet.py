"""One network for many devices: a front for each, and what a compromise loses on the worst.

The regret of a network on a device is its error minus the least error of networks that keep the
device's limit, and infinite where it breaks the limit itself. The compromise has the smallest
worst regret: Savage's minimax regret ("The Theory of Statistical Decision", Journal of the American
Statistical Association 1951) over the devices of a fleet. Where errors are the same on every device
it is the most accurate network that keeps all limits; its regrets tell what the fleet costs each
device. Where they differ (one runs in integers, another does not) it is not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nas.search.pareto import nondominated
from nas.search.problem import SearchError
from nas.search.searcher import Floats, Rows
from search_spaces.errors import InfeasibleError

__all__ = ["Fleet", "compromise", "fronts", "least_errors", "regrets"]

Positions = npt.NDArray[np.int64]


def least_errors(errors: npt.ArrayLike, latency_ms: npt.ArrayLike, limits: npt.ArrayLike) -> Floats:
    """The least error of networks that keep each device's limit, infinite where none does: [d].

    ``errors`` are [n], or [n, d] where they depend on the device; ``latency_ms`` [n, d]; ``limits``
    [d] in ms.
    """
    error, latency, most = _checked(errors, latency_ms, limits)
    return np.where(latency <= most, error, np.inf).min(axis=0, initial=np.inf)


def regrets(
    errors: npt.ArrayLike,
    latency_ms: npt.ArrayLike,
    limits: npt.ArrayLike,
    least: npt.ArrayLike | None = None,
) -> Floats:
    """Regret of every network on every device: [n, d]; infinite where it breaks the limit.

    ``least`` [d] are the least errors, if more networks are known than these.
    """
    error, latency, most = _checked(errors, latency_ms, limits)
    best = least_errors(error, latency, most) if least is None else np.asarray(least, np.float64)
    # Infinite less infinite is no number, and where nothing keeps a limit nothing is regretted.
    lost = np.where(np.isfinite(best), error - np.where(np.isfinite(best), best, 0), np.inf)
    return np.where(latency <= most, lost, np.inf)


def compromise(regret: npt.ArrayLike) -> int:
    """The position of the network with the smallest worst regret [n, d]; of equals that with the
    smallest mean, and of those the first.

    Raises ``InfeasibleError`` where every network breaks some limit.
    """
    matrix = np.asarray(regret, dtype=np.float64)
    worst = matrix.max(axis=1, initial=-np.inf)
    if not len(matrix) or not np.isfinite(worst.min()):
        raise InfeasibleError("no network keeps the limits of all devices; raise some of them")
    return int(np.lexsort((matrix.mean(axis=1), worst))[0])


def fronts(errors: npt.ArrayLike, latency_ms: npt.ArrayLike) -> list[Positions]:
    """For each device the networks that no other beats in error and latency, fastest first."""
    latency = np.asarray(latency_ms, dtype=np.float64)
    error = _wide(np.asarray(errors, dtype=np.float64), latency.shape[1])
    found = []
    for device in range(latency.shape[1]):
        points = np.stack([latency[:, device], error[:, device]], axis=1)
        kept = np.flatnonzero(nondominated(points))
        found.append(kept[np.argsort(latency[kept, device], kind="stable")])
    return found


@dataclass(frozen=True, eq=False)
class Fleet:
    """What a search for a fleet knows of networks: rows [n, choices], each once.

    ``errors`` [n]; ``latency_ms`` [n, d] in the order of ``limits``, which are ms by device.
    """

    rows: Rows
    errors: Floats
    latency_ms: Floats
    limits: Mapping[str, float]

    @property
    def most(self) -> Floats:
        """The limits as an array: [d]."""
        return np.array(list(self.limits.values()), dtype=np.float64)

    @property
    def regret(self) -> Floats:
        """Of every network on every device: [n, d]."""
        return regrets(self.errors, self.latency_ms, self.most)

    @property
    def best(self) -> Positions:
        """For each device the position of the least error within its limit: [d].

        Raises ``InfeasibleError`` where a device has none.
        """
        within = np.where(self.latency_ms <= self.most, self.errors[:, None], np.inf)
        for name, least in zip(self.limits, within.min(axis=0, initial=np.inf), strict=True):
            if not np.isfinite(least):
                raise InfeasibleError(
                    f"no network that is known keeps {self.limits[name]:.4g} ms on {name}; search "
                    "with a larger budget, or raise the limit"
                )
        return np.asarray(within.argmin(axis=0), dtype=np.int64)

    @property
    def compromise(self) -> int:
        """The position of the compromise; raises ``InfeasibleError`` where there is none."""
        return compromise(self.regret)


def _wide(errors: Floats, devices: int) -> Floats:
    return np.repeat(errors[:, None], devices, axis=1) if errors.ndim == 1 else errors


def _checked(
    errors: npt.ArrayLike, latency_ms: npt.ArrayLike, limits: npt.ArrayLike
) -> tuple[Floats, Floats, Floats]:
    latency = np.asarray(latency_ms, dtype=np.float64)
    error = np.asarray(errors, dtype=np.float64)
    most = np.asarray(limits, dtype=np.float64)
    if latency.ndim != 2 or most.shape != latency.shape[1:] or len(error) != len(latency):
        raise SearchError(
            "errors are [n] or [n, devices], latencies [n, devices] and limits [devices]; got "
            f"{error.shape}, {latency.shape} and {most.shape}"
        )
    return _wide(error, latency.shape[1]), latency, most
