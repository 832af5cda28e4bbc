"""Latency tables as files: which one is used, and what becomes of one that is there."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from latency_lut import Device, Fingerprint, LatencyTable, fingerprint_of, table_name
from latency_lut import device as device_of
from nas.jobs.trained import TrainedRun
from search_spaces import Space
from search_spaces.errors import ArtefactError, ConfigError
from search_spaces.files import sha256_of
from search_spaces.unknown import unknown

__all__ = ["chosen_table", "identity_of", "named_tables", "open_table", "table_to_extend"]


def chosen_table(
    trained: TrainedRun, device_name: str, threads: int | None, file: Path | None
) -> tuple[LatencyTable, Device]:
    """The table that a command uses, and the device that it is of.

    A ``file`` that is named says for itself on how many threads, unless ``threads`` does; else it
    is the run's own table of ``threads``, by default the configuration's.
    """
    name = device_of(device_name).name
    usual = trained.config.latency.threads
    path = file or trained.run.latency(table_name(name, threads or usual))
    if not path.is_file():
        more = "" if file or device_name == "cpu" else f" --device {device_name}"
        more += "" if file or threads in (None, usual) else f" --threads {threads}"
        raise ArtefactError(
            f"{path}: there is no latency table; run `nas measure {trained.run.folder}{more}`"
        )
    known = threads or (fingerprint_of(path).threads if file else usual)
    device = device_of(device_name, known)
    return open_table(path, trained.space, device), device


def open_table(path: Path, space: Space, device: Device) -> LatencyTable:
    """The table of ``space`` and ``device`` in a file.

    Raises ``ArtefactError``: there is none, or it is of something else; the text begins with the
    path.
    """
    return _table(path, space, device.fingerprint())


def named_tables(trained: TrainedRun, names: Iterable[str]) -> dict[str, LatencyTable]:
    """Tables of a run by name, of whatever device; an empty name is nobody's.

    Raises ``ArtefactError``: there is none of a name, and which there are; one is damaged.
    """
    paths = {path.stem: path for path in sorted(trained.run.latency("x").parent.glob("*.json"))}
    tables = {}
    for name in dict.fromkeys(filter(None, names)):
        if name not in paths:
            there = unknown("latency table", name, paths) if paths else f"no latency table {name!r}"
            raise ArtefactError(
                f"{trained.run.latency(name).parent}: {there}; `nas measure` makes one with --name"
            )
        tables[name] = LatencyTable.load(paths[name], trained.space)
    return tables


def _table(path: Path, space: Space, fingerprint: Fingerprint) -> LatencyTable:
    table = LatencyTable.load(path, space)
    try:
        table.require(fingerprint)
    except ArtefactError as error:
        raise ArtefactError(f"{path}: {error}") from error
    return table


def table_to_extend(
    path: Path, space: Space, fingerprint: Fingerprint, named: bool
) -> LatencyTable | None:
    """The table that a new campaign adds to, or None where it makes a new one.

    Raises ``ConfigError`` where the file is something else and was not ``named`` by the user.
    """
    if not path.exists():
        return None
    try:
        table = _table(path, space, fingerprint)
        try:
            # What was measured before an update cannot be told apart from what an update changed.
            table.fingerprint.require(fingerprint)
        except ArtefactError as error:
            raise ArtefactError(f"{path}: {error}") from error
        return table
    except ArtefactError as error:
        if named:
            return None
        raise ConfigError(
            f"{error}; it stays as it is: choose a name with --name, or name this file with -o to "
            "replace it"
        ) from error


def identity_of(table: LatencyTable) -> str:
    """What predictions depend on: the fitted means of every resolution."""
    means = [fit.posterior.mean_ms.tobytes() for _, fit in sorted(table.fits.items())]
    return sha256_of(table.space.identity.encode() + b"".join(means))
