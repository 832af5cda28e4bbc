"""``nas show``: architectures side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import search_spaces
from latency_lut import LatencyTable, table_name
from nas.architectures import read_architecture
from nas.jobs.trained import TrainedRun
from nas.run import Run
from nas.show import render, to_dict
from search_spaces import Architecture, Space
from search_spaces.errors import ConfigError

__all__ = ["show_command"]


def show_command(files: list[Path], run: Path | None) -> tuple[dict[str, Any], Any]:
    """What ``nas show`` prints; with a run also its table's latencies.

    Raises:
        ConfigError: the architectures are of a space with options, and no run was named.
    """
    table = None
    if run is not None:
        trained = TrainedRun(Run.open(run))
        space = trained.space
        path = trained.run.latency(table_name("cpu", trained.config.latency.threads))
        if path.is_file():
            table = LatencyTable.load(path, space)
    else:
        space = _default_space(read_architecture(files[0]), files[0])
    architectures = [read_architecture(file, space) for file in files]
    names = [str(file) for file in files]
    return to_dict(architectures, space, table, names), render(architectures, space, table, names)


def _default_space(architecture: Architecture, file: Path) -> Space:
    space = search_spaces.get(architecture.space)
    if space.identity != architecture.identity:
        raise ConfigError(
            f"{file}: of a {architecture.space} with options of its own (resolutions, classes or "
            "width); name the run that it is of with --run"
        )
    return space
