"""What a search is asked for beside accuracy and latency: objectives, limits, and a map."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt

from latency_lut import LatencyTable
from nas import search as searching
from nas.jobs.guide import Guide
from nas.quantities import ACCURACY, MEASURED, Quantity, upper
from nas.search.archive import Dimension
from search_spaces.errors import ConfigError, InfeasibleError
from search_spaces.space import Floats, Population, Space

__all__ = ["Asked"]


@dataclass(frozen=True, eq=False)
class Asked:
    """Further objectives and limits of a search, and what its map is over.

    ``deviations`` above their middle is where predictions have to keep limits, if their deviations
    are known. ``identities`` say what values depend on, by the name of a quantity. Accuracies
    have at least to be ``least_accuracy``, in percent. ``dimensions`` are those of the map, by the
    table that a round searches with; none where they are the usual ones.
    """

    objectives: tuple[Quantity, ...] = ()
    limits: Mapping[Quantity, float] = field(default_factory=dict)
    least_accuracy: float | None = None
    deviations: float = 0.0
    identities: Mapping[str, str] = field(default_factory=dict)
    dimensions: Callable[[LatencyTable], tuple[Dimension, ...]] = lambda table: ()

    @property
    def quantities(self) -> tuple[Quantity, ...]:
        """All, each once."""
        return tuple(dict.fromkeys((*self.objectives, *self.limits)))

    @property
    def functions(self) -> dict[str, searching.Plain]:
        """The objectives, minimised, by name."""
        return {one.name: one.minimised for one in self.objectives}

    @property
    def limited(self) -> dict[str, searching.Plain]:
        """What is limited and no objective, by name."""
        return {
            self._column(one): upper(one, self.deviations)
            for one in self.limits
            if self._column(one) not in self.functions
        }

    @property
    def constraints(self) -> dict[str, float]:
        """Upper limits, by the names of ``functions`` and ``limited``; ``error`` is accuracy's."""
        least = {} if self.least_accuracy is None else {"error": 100.0 - self.least_accuracy}
        return {**{self._column(one): one.turned(v) for one, v in self.limits.items()}, **least}

    def _column(self, one: Quantity) -> str:
        return f"{one.name}{searching.UPPER}" if self.deviations and one.spread else one.name

    def require_reachable(self, space: Space) -> None:
        """Raises ``InfeasibleError`` where no network keeps one of the limits; says the nearest.

        That of accuracy is left out.
        """
        for one, limit in self.limits.items():
            nearest = _beyond(space, upper(one, self.deviations), one.turned(limit))
            if nearest is not None:
                sure = ""
                if self.deviations and one.spread:
                    sure = f" at {NormalDist().cdf(self.deviations):.0%} confidence"
                raise InfeasibleError(
                    f"no network of {space.name} keeps {one.name} within {one.said(limit)}{sure}; "
                    f"the nearest is {one.said(one.turned(nearest))}"
                )

    def require_accuracy(self, space: Space, guide: Guide) -> None:
        """Raises ``ConfigError`` where ``guide`` does not know accuracies and one is asked for;
        ``InfeasibleError`` where no network is predicted to have it."""
        if self.least_accuracy is None:
            return
        if guide.unit is not None:
            raise ConfigError(
                f"the {guide.name} says nothing of accuracies; leave out the limit of accuracy, or "
                "search by a predictor"
            )
        nearest = _beyond(space, guide.source.predict, 100.0 - self.least_accuracy)
        if nearest is not None:
            raise InfeasibleError(
                f"no network of {space.name} is predicted to reach an accuracy of "
                f"{self.least_accuracy:.6g}%; the best reaches {100 - nearest:.4g}%"
            )

    def values(self, rows: npt.ArrayLike, points: Sequence[Mapping[str, Any]]) -> dict[str, Floats]:
        """The value of every quantity, by name: [n], of rows [n, choices] that were measured.

        What was measured counts, and stands in ``points``; else what is predicted.
        """
        X = np.asarray(rows, dtype=np.int64)
        found = {one.name: np.asarray(one.function(X), dtype=np.float64) for one in self.quantities}
        for name in set(found) & set(MEASURED):
            if _all_measured(name, points):
                found[name] = np.array([point[name] for point in points], dtype=np.float64)
        return found

    def kept(
        self, rows: npt.ArrayLike, points: Sequence[Mapping[str, Any]]
    ) -> npt.NDArray[np.bool_]:
        """Which of the measured networks keep all limits: [n]."""
        excess = [np.zeros(len(points)), *self._excess(rows, points).values()]
        return np.asarray(np.max(excess, axis=0) <= 0, dtype=np.bool_)

    def missed(self, rows: npt.ArrayLike, points: Sequence[Mapping[str, Any]]) -> str:
        """By how much the measured networks miss the limits that none of them keeps, in words."""
        found = {name: excess.min() for name, excess in self._excess(rows, points).items()}
        units = {one.name: one for one in self.limits}
        said = [
            f"{name} by {units[name].said(miss) if name in units else f'{miss:.4g}%'}"
            for name, miss in found.items()
            if miss > 0
        ]
        return f"the nearest misses {', '.join(said)}" if said else "each is kept by some"

    def _excess(
        self, rows: npt.ArrayLike, points: Sequence[Mapping[str, Any]]
    ) -> dict[str, npt.NDArray[np.float64]]:
        """How far every network is beyond each limit, by name, 0 or less where it keeps it: [n]."""
        X, values = np.asarray(rows, dtype=np.int64), self.values(rows, points)
        found = {}
        for one, limit in self.limits.items():
            here = np.array([one.turned(value) for value in values[one.name].tolist()])
            if one.spread is not None:
                here = np.asarray(upper(one, self.deviations)(X), dtype=np.float64)
            found[one.name] = here - one.turned(limit)
        if self.least_accuracy is not None:
            scores = np.array([point["score"] for point in points], dtype=np.float64)
            found[ACCURACY] = self.least_accuracy - scores
        return found

    def described(self, points: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """For people and files: every quantity, its limit, and how far it is to be believed."""
        told: list[dict[str, Any]] = []
        for one in self.quantities:
            measured = one.name in MEASURED and _all_measured(one.name, points)
            told.append(
                {
                    "name": one.name,
                    "unit": one.unit,
                    "basis": "measured" if measured else one.basis,
                    "objective": one in self.objectives,
                    "limit": self.limits.get(one),
                    "least": one.whole is not None,
                    **_whose(None if measured else one.table),
                }
            )
        if self.least_accuracy is not None:
            tried = _all_measured("val_accuracy", points)
            told.append(
                {
                    "name": ACCURACY,
                    "unit": "%",
                    "basis": "measured" if tried else "predicted",
                    "objective": True,
                    "limit": self.least_accuracy,
                    "least": True,
                }
            )
        return told

    def said(self) -> str:
        """The limits in words; empty where there are none."""
        said = [f"{one.name} within {one.said(v)}" for one, v in self.limits.items()]
        if self.least_accuracy is not None:
            said.append(f"accuracy at least {self.least_accuracy:.6g}%")
        return ", ".join(said)


def _beyond(space: Space, function: searching.Plain, most: float) -> float | None:
    """The smallest value that can be reached, if that is above ``most``."""

    def values(rows: Population) -> npt.NDArray[np.float64]:
        return np.asarray(function(rows), dtype=np.float64)

    return searching.beyond(space, values, most, np.random.default_rng(0))


def _all_measured(name: str, points: Sequence[Mapping[str, Any]]) -> bool:
    return bool(points) and all(point.get(name) is not None for point in points)


def _whose(table: LatencyTable | None) -> dict[str, Any]:
    if table is None:
        return {}
    return {"device": dict(table.fingerprint.to_dict()), "table": table.campaign.when}
