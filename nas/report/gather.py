"""From a run folder to a report's data, without PyTorch."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from nas.best import require_best
from nas.header import Header, peek, space_of
from nas.report.again import commands
from nas.report.course import Curves
from nas.report.course_documents import read_curves
from nas.report.data import Epoch, Network, Provenance, ReportData, Table, Test, Tuned
from nas.report.documents import read_document, read_test, read_tuned
from nas.report.front_documents import read_fleet, read_front
from nas.report.fronts import Fleet, Front
from nas.report.network import network_of
from nas.report.provenance import origins
from nas.report.tables import layer_latency, read_table
from nas.run import Run
from search_spaces import Architecture, Space
from search_spaces.errors import ArtefactError, NasLoopError
from search_spaces.files import sha256_of

__all__ = ["gather"]

T = TypeVar("T")
NUMBERS = ("loss", "val_largest", "val_smallest", "seconds")


def gather(run: Run, now: datetime | None = None, searched: Path | None = None) -> ReportData:
    """Read what there is. What is missing stays empty; what is damaged or of something else is
    left out with a warning. ``now`` is the date of the report; ``searched`` is the folder of a
    search that did not write into the run.

    Raises:
        ConfigError: the run's configuration cannot be read.
    """
    return _Reader(run, now or datetime.now(UTC), searched).report()


class _Reader:
    """Collects warnings while it reads."""

    def __init__(self, run: Run, now: datetime, searched: Path | None) -> None:
        self.run = run
        self.searched = searched
        self.found = run if searched is None else Run(searched)
        self.fleets = Run(run.fleet) if searched is None else self.found
        self.now = now
        self.warnings: list[str] = []

    def report(self) -> ReportData:
        run, config = self.run, self.run.config()
        header = self.tried(lambda: peek(run.supernet)) if run.supernet.is_file() else None
        space = self.space(header)
        document = self.searched_in(self.found, self.found.front)
        front = self.front(document, header, space)
        many = self.searched_in(self.fleets, self.fleets.fleet_document)
        fleet = self.fleet(many, header, space)
        if config.data is None and header is not None:
            self.warnings.append(_without_images(front))
        paths = sorted(run.latency("x").parent.glob("*.json"))
        read = {path: self.tried(lambda path=path: read_table(path, space)) for path in paths}  # type: ignore[misc]
        tables = {path: table for path, table in read.items() if table is not None}
        return ReportData(
            folder=str(run.folder),
            provenance=Provenance(
                origins(
                    *(run, config, self.now, header, tuple(tables.values()), self.searched),
                    *(document if front else None, many if fleet else None),
                ),
                commands(run, config, header, front, fleet, self.searched),
                config.to_yaml(),
            ),
            searched=None if self.searched is None else str(self.searched),
            trained=header is not None,
            imported=header is not None and bool(header.origin),
            images=config.data is not None,
            log=self.tried(lambda: read_log(run.log)) or (),
            tables=tuple(tables.values()),
            front=front,
            curves=self.curves(self.found, document) if front and document else None,
            fleet=fleet,
            test=self.test(document) if front else None,
            tuned=self.tuned(header) if self.searched is None else None,
            network=self.network(space, front, tables) if front and space else None,
            warnings=tuple(self.warnings),
        )

    def tried(self, read: Callable[[], T | None]) -> T | None:
        """What ``read`` gives, or None and a warning."""
        try:
            return read()
        except NasLoopError as error:
            self.warnings.append(str(error))
            return None

    def searched_in(self, folder: Run, path: Path) -> dict[str, Any] | None:
        """The document of a search; a warning where one began anew there and did not end."""
        if not path.exists() and (earlier := folder.and_earlier(path)):
            self.warnings.append(
                f"{path.name} is missing: a search began anew and did not end, --resume goes on "
                f"with it{earlier}"
            )
        return self.tried(lambda: read_document(path, lambda document: document))

    def space(self, header: Header | None) -> Space | None:
        if header is None:
            return None
        space = self.tried(lambda: space_of(self.run.config(), len(header.classes)))
        if space is not None and space.identity != header.identity:
            self.warnings.append(
                f"{self.run.supernet.name} is of another space than {self.run.config_file.name} "
                "makes; restore the configuration that trained it"
            )
            return None
        return space

    def front(
        self, document: dict[str, Any] | None, header: Header | None, space: Space | None
    ) -> Front | None:
        if document is None:
            return None
        name = self.found.front.name
        if space is not None and document.get("identity") != space.identity:
            self.warnings.append(f"{name} is of another space than the weights; search again")
            return None
        if header and document.get("weights") != sha256_of(self.run.supernet):
            self.warnings.append(f"{name} was found with other weights; search again")
        return self.tried(lambda: read_document(self.found.front, read_front))

    def fleet(
        self, document: dict[str, Any] | None, header: Header | None, space: Space | None
    ) -> Fleet | None:
        """The search for many devices, if there was one."""
        path = self.fleets.fleet_document
        if document is None:
            return None
        if space is not None and document.get("identity") != space.identity:
            self.warnings.append(f"{path.name} is of another space than the weights; search again")
            return None
        if header and document.get("weights") != sha256_of(self.run.supernet):
            self.warnings.append(f"{path.name} was found with other weights; search again")
        fleet = self.tried(lambda: read_document(path, read_fleet))
        return fleet and replace(fleet, curves=self.curves(self.fleets, document))

    def test(self, front: Mapping[str, Any] | None) -> Test | None:
        path = self.found.folder / "test.json"
        return self.tried(
            lambda: read_document(path, lambda document: read_test(document, front or {}))
        )

    def tuned(self, header: Header | None) -> Tuned | None:
        """What was fine-tuned, if a report tested it."""
        if header is None:
            return None
        weights = sha256_of(self.run.supernet)
        read = self.tried(
            lambda: read_document(
                self.run.tunings_test, lambda document: read_tuned(document, weights)
            )
        )
        if read is None:
            return None
        tuned, left_out = read
        self.warnings += left_out
        return tuned

    def curves(self, folder: Run, found: Mapping[str, Any]) -> Curves | None:
        """Of the search that left the document ``found`` in the folder."""
        return self.tried(
            lambda: read_document(folder.curves, lambda document: read_curves(document, found))
        )

    def network(self, space: Space, front: Front, tables: Mapping[Path, Table]) -> Network | None:
        """The network of ``best.json``, its layers timed by the table of the front's device."""

        def read() -> Network:
            require_best(self.found)
            architecture = Architecture.from_json(self.text(self.found.best))
            side = space.lower(architecture).image.shape[-1]
            for path, table in tables.items():
                if table.device == front.device:
                    return network_of(space, architecture, layer_latency(path, side))
            return network_of(space, architecture)

        return self.tried(read)

    def text(self, path: Path) -> str:
        try:
            return path.read_text(encoding="utf-8")
        except OSError as error:
            raise ArtefactError(f"{path.name} cannot be read ({error.strerror})") from error


def _without_images(front: Front | None) -> str:
    said = (
        "There were no images: batch norms keep the statistics of the imported supernet, which "
        "fit no subnet exactly, and no accuracy was measured"
    )
    return f"{said}. Networks were judged by the {front.guide}." if front else f"{said}."


def read_log(path: Path) -> tuple[Epoch, ...]:
    """``log.csv``, nothing if there is none.

    Raises:
        ArtefactError: a line that is not of a training's log.
    """
    if not path.is_file():
        return ()
    with path.open(newline="", encoding="utf-8") as stream:
        try:
            return tuple(
                Epoch(
                    int(row["epoch"]),
                    row["phase"],
                    *(_finite(row[name]) for name in NUMBERS),
                )
                for row in csv.DictReader(stream)
            )
        except (KeyError, ValueError, TypeError) as error:
            raise ArtefactError(
                f"{path.name} is damaged ({type(error).__name__}: {error})"
            ) from error


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is not a number")
    return value
