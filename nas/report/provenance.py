"""Where a report's numbers come from: identities, versions, seeds, dates."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from nas.config import Config
from nas.header import Header
from nas.report.data import Table
from nas.run import Run
from search_spaces.files import sha256_of

__all__ = ["origins"]

PACKAGES = ("nas-loop", "torch", "onnx", "onnxruntime", "numpy", "pymoo", "scikit-learn")


def origins(
    run: Run,
    config: Config,
    now: datetime,
    header: Header | None,
    tables: Sequence[Table],
    searched: Path | None,
    front: Mapping[str, Any] | None,
    fleet: Mapping[str, Any] | None,
) -> dict[str, str]:
    """Facts by label.

    ``front`` and ``fleet`` are the documents of searches, in the run unless ``searched`` is another
    folder.
    """
    data = config.data
    facts = {"Report": _date(now), "Run": str(run.folder), "Images": data.path if data else "none"}
    if searched is not None:
        facts["Search"] = str(searched)
    if header is not None and header.origin:
        facts["Imported from"] = header.origin
    if header is not None:
        facts["Data fingerprint"] = header.data or "none"
        facts["Classes"] = f"{len(header.classes)}: {', '.join(header.classes)}"
        facts["Space"] = header.space
        facts["Space identity"] = header.identity
        facts["Weights"] = f"SHA-256 {sha256_of(run.supernet)}, written {_written(run.supernet)}"
    for table in tables:
        when = str(table.campaign.get("when", "at an unknown date"))
        facts[f"Latency table {table.name}"] = ", ".join([when, *_described(table.device)])
    seeds: dict[str, Any] = (
        {"split": data.split_seed, "training": config.train.seed} if data else {}
    )
    if front is None and fleet is None:
        seeds["search"] = config.search.seed
    if front is not None:
        facts["Searched"] = _searched(front, Run(searched or run.folder).front)
        facts["Measured on"] = ", ".join(_described(front.get("device") or {}))
        seeds["search"] = front.get("seed")
    if fleet is not None:
        facts["Searched for a fleet"] = _searched(fleet, Run(searched or run.fleet).fleet_document)
        seeds["search for a fleet"] = fleet.get("seed")
    facts["Seeds"] = ", ".join(f"{name} {seed}" for name, seed in seeds.items())
    facts["Versions"] = ", ".join([f"Python {platform.python_version()}", *_versions()])
    return facts


def _searched(found: Mapping[str, Any], path: Path) -> str:
    return (
        f"{found.get('searcher')} by the {found.get('guide')} ({found.get('guide_identity')}), "
        f"written {_written(path)}"
    )


def _described(device: Mapping[str, Any]) -> list[str]:
    return [f"{name} {value}" for name, value in device.items()]


def _versions() -> list[str]:
    found = []
    for name in PACKAGES:
        try:
            found.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            found.append(f"{name} not installed as a package")
    return found


def _written(path: Path) -> str:
    return _date(datetime.fromtimestamp(path.stat().st_mtime, UTC))


def _date(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
