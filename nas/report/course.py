"""How a search went, as a report shows it: plain data."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "Axis",
    "Change",
    "Curve",
    "Curves",
    "Elites",
    "Exact",
    "Growth",
    "Neighbours",
]


@dataclass(frozen=True)
class Growth:
    """Predicted fronts after so many evaluations, pairs (latency in ms, score), and what scores
    are with their unit."""

    scale: str
    fronts: tuple[tuple[int, tuple[tuple[float, float], ...]], ...]


@dataclass(frozen=True)
class Axis:
    """What the cells of a map are told by: a name and the ``edges`` between them; ``values`` are
    what its cells stand for, one number each, where no others can occur."""

    name: str
    edges: tuple[float, ...]
    values: tuple[float, ...] | None = None


@dataclass(frozen=True)
class Elites:
    """The best network of each kind that was searched.

    ``quality`` is the name and unit of the ``qualities``. Of each elite: its cell, a number for
    each of the ``axes``; its row; its quality; by how much it is beyond the limits.
    """

    quality: str
    axes: tuple[Axis, ...]
    cells: tuple[tuple[int, ...], ...]
    rows: tuple[tuple[int, ...], ...]
    qualities: tuple[float, ...]
    violations: tuple[float, ...]


@dataclass(frozen=True)
class Change:
    """Another option of one choice: by how much latency in ms and score change, as predicted."""

    choice: str
    now: str
    instead: str
    latency_ms: float
    score: float


@dataclass(frozen=True)
class Neighbours:
    """What a network is predicted to take and to be worth, and each of its neighbours' changes."""

    scale: str
    latency_ms: float
    score: float
    changes: tuple[Change, ...]


@dataclass(frozen=True)
class Curve:
    """Hypervolumes of one search, after as many evaluations as its ``Curves`` say."""

    searcher: str
    seed: int
    volumes: tuple[float, ...]


@dataclass(frozen=True)
class Curves:
    """Searches on the same predictions: hypervolume below ``reference``, a value an objective,
    after each of ``numbers`` evaluations. Where volumes are estimated, by ``ideal`` as well."""

    objectives: tuple[str, ...]
    reference: tuple[float, ...]
    numbers: tuple[int, ...]
    curves: tuple[Curve, ...]
    ideal: tuple[float, ...] | None = None


@dataclass(frozen=True)
class Exact:
    """The best network that a search's predictor has within the limits, and what it met itself.

    Scores are on ``scale``, more is better: ``score`` of the optimum, ``bound`` that no network is
    predicted to exceed (None where nothing is proven), ``searched`` of the search's best.
    ``latency_ms`` is predicted, ``seconds`` is what it took to solve.
    """

    scale: str
    score: float
    bound: float | None
    proven: bool
    searched: float
    latency_ms: float
    seconds: float
