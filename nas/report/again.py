"""The commands that make such a run again."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from pathlib import Path

from latency_lut import table_name
from nas.config import Config
from nas.header import Header
from nas.report.fronts import Fleet, FleetDevice, Front
from nas.report.told import Told
from nas.run import Run

__all__ = ["commands"]


def commands(
    run: Run,
    config: Config,
    header: Header | None,
    front: Front | None,
    fleet: Fleet | None,
    searched: Path | None = None,
) -> tuple[str, ...]:
    """One line each, as a shell takes them.

    ``front`` and ``fleet`` are what searches left, in the run unless ``searched`` is another
    folder. Without either there is a search whose budget is left open.
    """
    folder = str(run.folder)
    into = [] if searched is None else ["-o", str(searched)]
    report = [] if searched is None else ["--search", str(searched)]
    found = searched or (run.fleet if fleet and not front else None)
    export = [] if found is None else ["--architecture", str(Run(found).best)]
    tables: list[list[str]] = []
    searches: list[list[str]] = []
    if front or not fleet:
        told = front.told if front else Told()
        tables.append(_measured(config, told))
        budget = _number(front.budget_ms) if front else "BUDGET"
        searches.append(["--latency-ms", budget, *_options(config, told)])
    if fleet:
        tables += [_named(config, one) for one in fleet.devices]
        limits = [f"{one.name}={_number(one.limit_ms)}" for one in fleet.devices]
        words = [word for limit in limits for word in ("--fleet", limit)]
        searches.append([*words, *_options(config, fleet.told)])
    lines = [
        _made(run, config, header),
        *(["nas", "measure", folder, *words] for words in tables),
        *(["nas", "search", folder, *words, *into] for words in searches),
        ["nas", "export", folder, *export],
        ["nas", "report", folder, *report],
    ]
    # A fleet's table may be the run's own.
    return tuple(dict.fromkeys(shlex.join(line) for line in lines))


def _made(run: Run, config: Config, header: Header | None) -> list[str]:
    out = ["--out", str(run.folder)]
    if config.data is not None and not (header is not None and header.origin):
        return ["nas", "train", str(run.config_file), *out]
    space = config.space
    words = ["nas", "import-ofa", "WEIGHTS", "--space", space.name]
    for resolution in space.resolutions:
        words += ["--resolution", str(resolution)]
    for name, value in space.options.items():
        words += ["--option", f"{name}={json.dumps(value)}"]
    if config.data is not None:
        words += ["--data", config.data.path]
    return [*words, *out]


def _measured(config: Config, told: Told) -> list[str]:
    """The table of the device that is searched for, the first of several."""
    first = None if told.device is None else told.device.split(",")[0]
    words = _device(config, first, told.threads)
    return words if told.table is None else [*words, "-o", told.table]


def _named(config: Config, one: FleetDevice) -> list[str]:
    """The table of a device of a fleet."""
    words = _device(config, one.device, one.threads)
    if one.name == table_name(one.device, one.threads):
        return words
    return [*words, "--name", one.name]


def _device(config: Config, device: str | None, threads: int | None) -> list[str]:
    words = [] if device in (None, "cpu") else ["--device", str(device)]
    if threads not in (None, config.latency.threads):
        words += ["--threads", str(threads)]
    return words


def _options(config: Config, told: Told) -> list[str]:
    """What the configuration does not say by itself."""
    words = []
    if told.predictor:
        words += ["--predictor", told.predictor]
    elif told.proxy or config.data is None:
        words += ["--proxy", told.proxy or "macs"]
    evaluations, seed = told.evaluations, told.seed
    if evaluations == config.search.population * config.search.generations:
        evaluations = None
    for name, value in (
        ("--searcher", told.searcher),
        ("--budget", evaluations),
        ("--minutes", told.minutes),
        ("--stagnation", told.stagnation),
        ("--confidence", told.confidence),
        ("--seed", None if seed == config.search.seed else seed),
        *(("--limit", f"{name}={_number(limit)}") for name, limit in told.limits.items()),
        *(("--objective", name) for name in told.objectives),
        *(("--dimension", _dimension(*one)) for one in told.dimensions),
    ):
        if value is not None:
            words += [name, value if isinstance(value, str) else _number(value)]
    words += _device(config, told.device, told.threads)
    if told.table is not None:
        words += ["--table", told.table]
    return [*words, "--exact"] if told.exact else words


def _dimension(name: str, edges: Sequence[float]) -> str:
    return "=".join([name, *([",".join(map(_number, edges))] if edges else [])])


def _number(value: float) -> str:
    """In few digits where they say it all."""
    short = f"{value:g}"
    return short if isinstance(value, float) and float(short) == value else repr(value)
