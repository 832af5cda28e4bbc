"""``nas measure --verify``: whether a table still holds."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from latency_lut import Cost, LatencyTable, Verification, space_in, verify
from latency_lut import device as device_of
from nas.disk import megabytes, require_room
from nas.jobs.campaigns import STEPS, reporting
from nas.jobs.trained import TrainedRun
from nas.run import Run
from nas.terminal import Screen, duration
from search_spaces.errors import ArtefactError

__all__ = ["verify_command"]


def verify_command(
    file: Path, run: Path | None, device_name: str | None, threads: int | None, screen: Screen
) -> tuple[dict[str, Any], str]:
    """Measure a part of the table in ``file`` again, and say whether it holds.

    What was found is written into the file: after an update of the device a table that holds is
    accepted on it, and one that does not is refused wherever that was found. ``run`` tells the
    space, where the file's is none of the built-in ones.
    """
    space = TrainedRun(Run.open(run)).space if run is not None else space_in(file)
    if space is None:
        raise ArtefactError(
            f"{file}: the table is of a space that is not built in; name a run of it: "
            "nas measure RUN --verify TABLE"
        )
    table = LatencyTable.load(file, space)
    asked = device_name or table.fingerprint.device
    device = device_of(asked, threads=threads or table.fingerprint.threads)
    folder = file.with_suffix(".verify")

    def announce(cost: Cost) -> None:
        screen.say(
            f"{cost.visits:,} visits to networks on {device.name}: about {duration(cost.seconds)} "
            "on a quiet desktop core, several times that on a busy or slow device, and up to "
            f"{megabytes(cost.bytes)} in {folder}; leave the device quiet (interrupt at will, the "
            "same command goes on)"
        )
        require_room(folder, cost.bytes, "place for the table")

    with screen.progress("measure networks again", STEPS) as advance:
        found = verify(
            table,
            device,
            rng=np.random.default_rng(0),
            announce=announce,
            report=reporting(advance),
            folder=folder,
        )
    replace(table, verified=(*table.verified, found)).save(file)
    data = {"table": str(file), **asdict(found), "same_pace": found.same_pace}
    return data, _text(file, table, found)


def _text(file: Path, table: LatencyTable, found: Verification) -> str:
    lines = [
        f"{file} {'holds' if found.holds else 'no longer holds'}: {found.networks} networks moved "
        f"by {found.moved:.1%} against each other, predictions are off by {found.mape:.1%}"
    ]
    if changed := found.fingerprint.differences(table.fingerprint):
        lines.append(f"updated: {changed} (in the table)")
    if not found.same_pace:
        lines.append(
            f"networks take {1 / found.pace:.2f} times what they took, at the resolution that "
            "changed the most: other load, clock or driver. If it stays so, measure again: budgets "
            "are in milliseconds of the table"
        )
    if not found.holds:
        lines.append(f"measure it again with `nas measure` and -o {file}")
    return "\n".join(lines)
