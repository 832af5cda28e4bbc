"""Where a report's numbers come from: identities, versions, seeds, dates, commands."""

from __future__ import annotations

import platform
import shlex
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from nas.config import Config
from nas.header import Header
from nas.report.data import Provenance, Table
from nas.run import Run
from search_spaces.files import sha256_of

__all__ = ["provenance"]

PACKAGES = ("nas-loop", "torch", "onnx", "onnxruntime", "numpy", "pymoo", "scikit-learn")


def provenance(
    run: Run,
    config: Config,
    now: datetime,
    header: Header | None,
    front: Mapping[str, Any] | None,
    tables: Sequence[Table],
) -> Provenance:
    """Facts by label, and the commands that make such a run again."""
    facts = {"Report": _date(now), "Run": str(run.folder), "Images": config.data.path}
    if header is not None:
        facts["Data fingerprint"] = header.data
        facts["Classes"] = f"{len(header.classes)}: {', '.join(header.classes)}"
        facts["Space"] = header.space
        facts["Space identity"] = header.identity
        facts["Weights"] = f"SHA-256 {sha256_of(run.supernet)}, written {_written(run.supernet)}"
    for table in tables:
        when = str(table.campaign.get("when", "at an unknown date"))
        facts[f"Latency table {table.name}"] = ", ".join([when, *_described(table.device)])
    if front is not None:
        facts["Searched"] = f"{front.get('searcher')}, written {_written(run.front)}"
        facts["Measured on"] = ", ".join(_described(front.get("device") or {}))
    facts["Seeds"] = (
        f"split {config.data.split_seed}, training {config.train.seed}, "
        f"search {config.search.seed if front is None else front.get('seed')}"
    )
    facts["Versions"] = ", ".join([f"Python {platform.python_version()}", *_versions()])
    return Provenance(facts, _commands(run, front), config.to_yaml())


def _commands(run: Run, front: Mapping[str, Any] | None) -> tuple[str, ...]:
    folder, config = shlex.quote(str(run.folder)), shlex.quote(str(run.config_file))
    budget = f"{front['budget_ms']:g}" if front and "budget_ms" in front else "BUDGET"
    return (
        f"nas train {config} --out {folder}",
        f"nas measure {folder}",
        f"nas search {folder} --latency-ms {budget}",
        f"nas export {folder}",
        f"nas report {folder}",
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
