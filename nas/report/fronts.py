"""What searches left, for one device or for many, as a report shows it: plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from nas.report.course import Curves, Elites, Exact, Growth, Neighbours
from nas.report.told import Told
from nas.scale import ACCURACY

__all__ = [
    "Fleet",
    "FleetDevice",
    "FleetPoint",
    "Front",
    "Point",
    "Sought",
]


@dataclass(frozen=True)
class Point:
    """A measured network. None is what was not measured; accuracies and errors in percent.

    ``score`` is what the choice went by, on the scale that the front names. ``latency_low`` and
    ``latency_high`` bound the measured latency; ``throughput`` is in images a second, memory and
    model size in megabytes. ``quantities`` are values of what else was ``Sought``, by name.
    """

    latency_ms: float
    score: float
    macs: float
    parameters: float
    val_accuracy: float | None = None
    val_images: int = 0
    latency_low: float | None = None
    latency_high: float | None = None
    median_ms: float | None = None
    p90_ms: float | None = None
    p99_ms: float | None = None
    throughput: float | None = None
    peak_memory_mb: float | None = None
    model_mb: float | None = None
    predicted_latency_ms: float | None = None
    predicted_latency_std: float | None = None
    predicted_error: float | None = None
    predicted_error_std: float | None = None
    quantities: Mapping[str, float] = field(default_factory=dict)

    @property
    def height(self) -> float:
        """Where it stands on the front's scale: as measured, or else by its score."""
        return self.score if self.val_accuracy is None else self.val_accuracy


@dataclass(frozen=True)
class Sought:
    """A quantity that a search was asked for beside accuracy and latency, or a limit on accuracy.

    ``basis`` is how its values are known: counted, computed, predicted or measured. ``limit`` is
    an upper one, or with ``least`` a lower one; None where it is an objective alone. ``device`` is
    the one that a prediction is for.
    """

    name: str
    unit: str = ""
    basis: str = ""
    objective: bool = False
    limit: float | None = None
    least: bool = False
    device: Mapping[str, object] | None = None


@dataclass(frozen=True)
class Front:
    """What a search left: ``points`` in the order of latency, the chosen one among them.

    ``guide`` is what stood in for the unknown accuracies, ``scale`` what scores are and their
    unit. ``cloud`` are pairs (predicted latency in ms, predicted score), ``history`` pairs
    (evaluations, hypervolume), ``seconds`` the time of each step. ``rounds`` are by how much
    predictions of the front were off at most, one for each round of search and measurement,
    ``settled`` whether that was little enough in the last. ``ended_by`` says which limit ended the
    last round: evaluations, seconds, stagnation, or space where nothing was left. ``growth``,
    ``elites`` and ``neighbours`` of the chosen network are None where an older version searched,
    ``exact`` where it was not asked for. ``sought`` are further objectives and limits, ``told`` is
    what the search was told.
    """

    budget_ms: float
    chosen: int
    points: tuple[Point, ...]
    dominated: tuple[Point, ...] = ()
    cloud: tuple[tuple[float, float], ...] = ()
    history: tuple[tuple[float, float], ...] = ()
    searcher: str = ""
    guide: str = ""
    scale: str = ACCURACY
    seed: int | None = None
    evaluations: int = 0
    seconds: Mapping[str, float] | None = None
    device: Mapping[str, object] | None = None
    confidence: float | None = None
    rounds: tuple[float, ...] = ()
    settled: bool = False
    ended_by: str | None = None
    growth: Growth | None = None
    elites: Elites | None = None
    neighbours: Neighbours | None = None
    exact: Exact | None = None
    sought: tuple[Sought, ...] = ()
    told: Told = field(default_factory=Told)

    @property
    def best(self) -> Point:
        """The point that was chosen."""
        return self.points[self.chosen]

    @property
    def tried(self) -> bool:
        """Whether accuracies were measured on images."""
        return self.best.val_accuracy is not None


@dataclass(frozen=True)
class FleetPoint:
    """A network that was measured for a fleet. ``latency_ms`` and ``regret`` are by device; a
    regret is a difference of scores, None where the network breaks the limit. Accuracy in percent,
    None if unknown; with it ``score`` is the accuracy to be expected."""

    score: float
    val_accuracy: float | None
    latency_ms: Mapping[str, float]
    regret: Mapping[str, float | None]


@dataclass(frozen=True)
class FleetDevice:
    """A device of a fleet: its limit, whether its latencies are ``measured`` or ``predicted``, and
    the positions of its front, fastest first, and of the best within its limit; ``device`` and
    ``threads`` are those of its table."""

    name: str
    limit_ms: float
    basis: str
    front: tuple[int, ...]
    best: int
    device: str = "cpu"
    threads: int = 1


@dataclass(frozen=True)
class Fleet:
    """What a search for many devices left; ``compromise`` is the position of the one for all.

    ``scale`` is what scores are, with the unit; ``guide`` is what stood in for the unknown
    accuracies; ``told`` is what the search was told. ``curves`` compare it with other searches.
    """

    devices: tuple[FleetDevice, ...]
    points: tuple[FleetPoint, ...]
    compromise: int
    scale: str = ACCURACY
    guide: str = ""
    told: Told = field(default_factory=Told)
    curves: Curves | None = None
