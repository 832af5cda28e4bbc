"""What a report shows: plain data, gathered before anything is drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from nas.report.course import Curves
from nas.report.fronts import Fleet, Front

__all__ = [
    "Block",
    "Epoch",
    "Network",
    "Provenance",
    "ReportData",
    "Table",
    "TableNetwork",
    "Test",
    "Tuned",
    "TunedSubnet",
]


@dataclass(frozen=True)
class Test:
    """Top-1 accuracy in percent on ``images`` test images, one for every point of the front."""

    images: int
    accuracy: tuple[float, ...]


@dataclass(frozen=True)
class TunedSubnet:
    """A fine-tuned subnet, by its folder's name and the digest of its weights: top-1 accuracies in
    percent.
    """

    folder: str
    weights: str
    val_inherited: float
    val_finetuned: float
    test_inherited: float
    test_finetuned: float


@dataclass(frozen=True)
class Tuned:
    """Fine-tuned subnets and the number of test images that they were tested on."""

    images: int
    subnets: tuple[TunedSubnet, ...]


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

    ``folder`` is the run, as commands name it, ``searched`` the folder of a search that wrote
    elsewhere; ``trained`` says whether there are weights,
    ``imported`` that they were not trained here, ``images`` whether the run has any; ``warnings``
    are sentences about parts that could not be used, or that say less than they seem to.
    """

    folder: str
    provenance: Provenance
    searched: str | None = None
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
    tuned: Tuned | None = None
    network: Network | None = None
