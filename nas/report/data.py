"""What a report shows: plain data, gathered before anything is drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from nas.scale import ACCURACY

__all__ = [
    "Block",
    "Change",
    "Curve",
    "Curves",
    "Elites",
    "Epoch",
    "Exact",
    "Fleet",
    "FleetDevice",
    "FleetPoint",
    "Front",
    "Growth",
    "Neighbours",
    "Network",
    "Point",
    "Provenance",
    "ReportData",
    "Sought",
    "Table",
    "TableNetwork",
    "Test",
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
class Growth:
    """Predicted fronts after so many evaluations, pairs (latency in ms, score), and what scores
    are with their unit."""

    scale: str
    fronts: tuple[tuple[int, tuple[tuple[float, float], ...]], ...]


@dataclass(frozen=True)
class Elites:
    """The best network of each kind that was searched.

    ``quality`` is the name and unit of the ``qualities``, ``axes`` are names and the edges of
    cells. Of each elite: its cell, a number an axis; its row; its quality; by how much it is beyond
    the limits.
    """

    quality: str
    axes: tuple[tuple[str, tuple[float, ...]], ...]
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
    after each of ``numbers`` evaluations."""

    objectives: tuple[str, ...]
    reference: tuple[float, ...]
    numbers: tuple[int, ...]
    curves: tuple[Curve, ...]


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
    ``exact`` where it was not asked for. ``sought`` are further objectives and limits.
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
    regret is None where the network breaks the limit. Accuracy in percent, None if unknown."""

    score: float
    val_accuracy: float | None
    latency_ms: Mapping[str, float]
    regret: Mapping[str, float | None]


@dataclass(frozen=True)
class FleetDevice:
    """A device of a fleet: its limit, whether its latencies are ``measured`` or ``predicted``, and
    the positions of its front, fastest first, and of the best within its limit."""

    name: str
    limit_ms: float
    basis: str
    front: tuple[int, ...]
    best: int


@dataclass(frozen=True)
class Fleet:
    """What a search for many devices left; ``compromise`` is the position of the one for all.

    ``scale`` is what scores are, with the unit.
    """

    devices: tuple[FleetDevice, ...]
    points: tuple[FleetPoint, ...]
    compromise: int
    scale: str = ACCURACY


@dataclass(frozen=True)
class Test:
    """Top-1 accuracy in percent on ``images`` test images, one for every point of the front."""

    images: int
    accuracy: tuple[float, ...]


@dataclass(frozen=True)
class Block:
    """One slot of the chosen network.

    ``details`` is what makes it (kernel, middle channels), ``output`` the shape that comes out.
    A slot that is skipped has no kind. ``latency_ms`` is the table's share, if there is one.
    """

    stage: str
    slot: str
    kind: str = ""
    details: tuple[str, ...] = ()
    output: tuple[int, ...] = ()
    macs: int = 0
    parameters: int = 0
    latency_ms: float | None = None

    @property
    def present(self) -> bool:
        """Whether the network has a layer there."""
        return bool(self.kind)


@dataclass(frozen=True)
class Network:
    """The chosen network, slot by slot; ``image`` is the shape that goes in."""

    image: tuple[int, ...]
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Epoch:
    """One line of the training's log; accuracies in percent."""

    number: int
    phase: str
    loss: float
    val_largest: float
    val_smallest: float
    seconds: float


@dataclass(frozen=True)
class TableNetwork:
    """A whole network that a table was corrected by (``fitted``) or tested on."""

    predicted_ms: float
    measured_ms: float
    macs: float
    parameters: float
    fitted: bool


@dataclass(frozen=True)
class Table:
    """A latency table: its error on networks that it was not fitted on, by resolution.

    ``accuracy`` has what the table's file states, shares from 0 to 1.
    """

    name: str
    device: Mapping[str, object]
    accuracy: Mapping[str, Mapping[str, float | None]]
    campaign: Mapping[str, object]
    networks: tuple[TableNetwork, ...] = ()


@dataclass(frozen=True)
class Provenance:
    """Where everything comes from, as label and text, and the commands that made it."""

    facts: Mapping[str, str]
    commands: tuple[str, ...]
    config: str


@dataclass(frozen=True)
class ReportData:
    """Everything a report shows. None and empty parts are said to be missing.

    ``folder`` is the run, as commands name it; ``trained`` says whether there are weights,
    ``imported`` that they were not trained here, ``images`` whether the run has any; ``warnings``
    are sentences about parts that could not be used, or that say less than they seem to.
    """

    folder: str
    provenance: Provenance
    trained: bool = False
    imported: bool = False
    images: bool = True
    warnings: tuple[str, ...] = ()
    log: tuple[Epoch, ...] = ()
    tables: tuple[Table, ...] = ()
    front: Front | None = None
    curves: Curves | None = None
    fleet: Fleet | None = None
    test: Test | None = None
    network: Network | None = None
