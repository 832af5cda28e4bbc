"""Where a report's numbers come from: identities, versions, seeds, dates, commands."""

from __future__ import annotations

import json
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
    searched: Path | None = None,
) -> Provenance:
    """Facts by label, and the commands that make such a run again.

    ``searched`` is the folder of ``front``, where that is not the run.
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
    if front is not None:
        facts["Searched"] = (
            f"{front.get('searcher')} by the {front.get('guide')} ({front.get('guide_identity')}), "
            f"written {_written(Run(searched or run.folder).front)}"
        )
        facts["Measured on"] = ", ".join(_described(front.get("device") or {}))
    seeds: dict[str, Any] = (
        {"split": data.split_seed, "training": config.train.seed} if data else {}
    )
    seeds["search"] = config.search.seed if front is None else front.get("seed")
    facts["Seeds"] = ", ".join(f"{name} {seed}" for name, seed in seeds.items())
    facts["Versions"] = ", ".join([f"Python {platform.python_version()}", *_versions()])
    return Provenance(facts, _commands(run, config, header, front, searched), config.to_yaml())


def _commands(
    run: Run,
    config: Config,
    header: Header | None,
    front: Mapping[str, Any] | None,
    searched: Path | None,
) -> tuple[str, ...]:
    folder = shlex.quote(str(run.folder))
    made = f"nas train {shlex.quote(str(run.config_file))} --out {folder}"
    if config.data is None or (header is not None and header.origin):
        made = f"nas import-ofa WEIGHTS {_import_arguments(config)} --out {folder}"
    into = export = report = ""
    if searched is not None:
        into = f" -o {shlex.quote(str(searched))}"
        export = f" --architecture {shlex.quote(str(Run(searched).best))}"
        report = f" --search {shlex.quote(str(searched))}"
    return (
        made,
        f"nas measure {folder}",
        f"nas search {folder} {_search_arguments(config, front or {})}{into}",
        f"nas export {folder}{export}",
        f"nas report {folder}{report}",
    )


def _import_arguments(config: Config) -> str:
    space = config.space
    words = ["--space", space.name]
    for resolution in space.resolutions:
        words += ["--resolution", str(resolution)]
    for name, value in space.options.items():
        words += ["--option", f"{name}={json.dumps(value)}"]
    if config.data is not None:
        words += ["--data", config.data.path]
    return shlex.join(words)


def _search_arguments(config: Config, front: Mapping[str, Any]) -> str:
    words = ["--latency-ms", f"{front['budget_ms']:g}" if "budget_ms" in front else "BUDGET"]
    if front.get("predictor"):
        words += ["--predictor", str(front["predictor"])]
    elif front.get("proxy") or config.data is None:
        words += ["--proxy", str(front.get("proxy") or "macs")]
    if front.get("confidence") is not None:
        words += ["--confidence", f"{front['confidence']:g}"]
    for name in ("minutes", "stagnation"):
        if front.get(name) is not None:
            words += [f"--{name}", f"{front[name]:g}"]
    words += ["--exact"] if front.get("exact") else []
    return shlex.join(words)


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
