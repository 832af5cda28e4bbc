"""``nas measure``: a latency table of a device."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import search_spaces
from latency_lut import (
    ASIDE,
    COST_NETWORKS,
    COSTS_S,
    Cost,
    Costs,
    Device,
    DeviceError,
    Effort,
    Journal,
    LatencyTable,
    described,
    measure,
    measure_costs,
    merged,
    remarks,
    table_name,
    tells_costs,
)
from latency_lut import device as device_of
from nas.config import Config, LatencyConfig
from nas.disk import megabytes, require_room
from nas.jobs.campaigns import STEPS, reporting
from nas.jobs.tables import table_to_extend
from nas.jobs.trained import TrainedRun
from nas.run import Run
from nas.terminal import Screen, duration
from search_spaces import Space
from search_spaces.errors import ConfigError

__all__ = [
    "measure_command",
    "measure_table",
    "save_table",
    "space_to_measure",
    "table_target",
    "told",
]

SAMPLES = ".samples"


def measure_table(
    space: Space,
    device: Device,
    out: Path,
    screen: Screen,
    *,
    resolutions: Sequence[int] | None = None,
    config: Config | None = None,
    earlier: LatencyTable | None = None,
    allow_noisy: bool = False,
    donors: Sequence[LatencyTable] = (),
    samples: int | None = None,
) -> LatencyTable:
    """Measure, save to ``out``, and throw the samples' folder away.

    Samples are kept beside ``out`` as they come; a campaign that was interrupted goes on. With
    ``earlier``, a table of the same space and device, the resolutions are added to it. With
    ``donors``, tables of other devices, only ``samples`` whole networks are measured at each
    resolution.
    """
    folder = out.with_suffix(SAMPLES)
    latency = config.latency if config else LatencyConfig()
    make: Callable[..., LatencyTable] = functools.partial(
        measure, whole_networks=latency.references
    )
    if donors:
        from latency_lut import transfer  # SciPy takes a second to import.

        make = functools.partial(
            transfer.measure_from_donors, tables=donors, samples=samples or transfer.SAMPLES
        )

    def announce(cost: Cost) -> None:
        for remark in remarks(device.conditions()):
            screen.say(f"note: {remark}")
        alone = COSTS_S if tells_costs(device.name) else 0.0
        screen.say(
            f"{cost.visits:,} visits to blocks and networks on {device.name}: about "
            f"{duration(cost.seconds + alone)} to go on a quiet desktop core, several times that "
            f"on a busy or slow device, and up to {megabytes(cost.bytes)} beside {out}; leave the "
            "device quiet (interrupt at will, the same command goes on)"
        )
        require_room(out, cost.bytes, "-o")

    with screen.progress("measure latencies", STEPS) as advance:
        table = make(
            space,
            device,
            rng=np.random.default_rng(0),
            resolutions=resolutions,
            effort=Effort(latency.rounds, latency.runs),
            announce=announce,
            report=reporting(advance),
            folder=folder,
            allow_noisy=allow_noisy,
        )
    table = save_table(table, earlier, out)
    if tells_costs(device.name):
        table = _with_costs(table, device, out, screen)
    # Not before: killed until then, the same command has nothing of the campaign to repeat.
    Journal(folder).discard()
    return table


def _with_costs(table: LatencyTable, device: Device, out: Path, screen: Screen) -> LatencyTable:
    """The table with memory and energy, saved again; as it is where that cannot be measured."""
    screen.say(
        f"running up to {COST_NETWORKS} networks alone, for memory and energy: about "
        f"{duration(COSTS_S)}"
    )
    try:
        found = measure_costs(table.space, device, np.random.default_rng(0), list(table.fits))
    except DeviceError as error:
        screen.say(f"memory and energy were not measured: {error}")
        return table
    table = replace(table, costs=found)
    table.save(out)
    return table


def save_table(table: LatencyTable, earlier: LatencyTable | None, out: Path) -> LatencyTable:
    """Save a new table, with what an ``earlier`` one has beside it; returns what was saved."""
    if earlier is not None:
        table = merged(earlier, table)
    out.parent.mkdir(parents=True, exist_ok=True)
    table.save(out)
    return table


def space_to_measure(run: Path | None, space_name: str | None) -> tuple[Space, Config | None]:
    """The space of a run, with its configuration, or that of a name."""
    if (run is None) == (space_name is None):
        raise ConfigError("say what to measure: a run folder, or --space NAME (one of them)")
    if run is None:
        return search_spaces.get(str(space_name)), None
    trained = TrainedRun(Run.open(run))
    return trained.space, trained.config


def table_target(run: Path | None, out: Path | None, known_as: str) -> Path:
    """Where the table goes: to ``out``, else by its name into the run, else into this folder."""
    target = out or (Run(run).latency(known_as) if run is not None else Path(f"{known_as}.json"))
    if target.is_dir() or target.suffix in (SAMPLES, ASIDE):
        raise ConfigError(
            f"{target}: a table is a file (and its samples lie in a folder *{SAMPLES} or *{ASIDE} "
            "beside it); choose another -o, for example cpu.json"
        )
    return target


def measure_command(
    run: Path | None,
    space_name: str | None,
    device_name: str,
    threads: int | None,
    resolutions: list[int] | None,
    name: str | None,
    out: Path | None,
    allow_noisy: bool,
    screen: Screen,
    donor_files: Sequence[Path] = (),
    samples: int | None = None,
) -> tuple[dict[str, Any], str]:
    """The command ``nas measure``."""
    if samples is not None and not donor_files:
        raise ConfigError(
            f"--samples {samples} networks are enough with tables of other devices only: name "
            "them with --donors TABLE, once for each"
        )
    space, config = space_to_measure(run, space_name)
    threads = threads or (config.latency.threads if config else 1)
    device = device_of(device_name, threads=threads)
    target = table_target(run, out, name or table_name(device.name, threads))
    donors = [LatencyTable.load(file, space) for file in donor_files]
    if any(donor.donors for donor in donors):
        raise ConfigError(
            "a donor is a table that was measured; one of these is itself from donors"
        )
    earlier = table_to_extend(target, space, device.fingerprint(), named=bool(name or out))
    if donors and earlier is not None:
        _require_donors_alone(earlier, resolutions, target)
    table = measure_table(
        space,
        device,
        target,
        screen,
        resolutions=resolutions,
        config=config,
        earlier=earlier,
        allow_noisy=allow_noisy,
        donors=donors,
        samples=samples,
    )
    return told(table, target)


def _require_donors_alone(
    earlier: LatencyTable, resolutions: Sequence[int] | None, target: Path
) -> None:
    """Raise ``ConfigError`` where a few networks would take the place of a measured resolution."""
    asked = earlier.fits if resolutions is None else resolutions
    measured = [side for side in asked if side in earlier.fits and side not in earlier.donors]
    if measured:
        sides = ", ".join(map(str, measured))
        raise ConfigError(
            f"{target} has resolution {sides} measured on this very device, which is better than "
            "donors; leave --donors out, or choose another --name"
        )


def told(table: LatencyTable, target: Path) -> tuple[dict[str, Any], str]:
    """What is said of a table that was saved: as data and as text."""
    return _data(table, target), _text(table, target)


def _data(table: LatencyTable, target: Path) -> dict[str, Any]:
    return {
        "table": str(target),
        "space": table.space.name,
        "entries": len(table.entries),
        "fingerprint": table.fingerprint.to_dict(),
        "resolutions": list(table.fits),
        "held_out_mape": {str(side): one.mape for side, one in table.accuracy.items()},
        "noisy": table.noisy,
        "donors": {
            str(side): [one.fingerprint.to_dict() for one in donors]
            for side, donors in table.donors.items()
        },
        "costs_mape": {} if table.costs is None else _costs_mape(table.costs),
        "conditions": {name: dict(c) for name, c in table.campaigns[-1].conditions.items()},
        "seconds": table.campaigns[-1].seconds,
    }


def _text(table: LatencyTable, target: Path) -> str:
    seconds = table.campaigns[-1].seconds
    lines = [
        f"wrote {target} ({len(table.entries)} entries, {seconds:.0f} s)",
        *(
            f"resolution {side}: predictions are off by {one.mape:.1%} {_unseen(table, side)}"
            for side, one in table.accuracy.items()
        ),
        *([] if table.costs is None else [_costs_text(table.costs)]),
        *(
            f"{when} the campaign: {described(conditions)}"
            for when, conditions in table.campaigns[-1].conditions.items()
            if conditions
        ),
        *(
            f"noisy: the halves of the campaign of {one.when} differ by {one.disagreement:.1%}"
            for one in table.campaigns
            if one.noisy
        ),
    ]
    return "\n".join(lines)


def _costs_mape(costs: Costs) -> dict[str, float | None]:
    """How far each figure is off on networks left out; None for what the device does not tell."""
    return {**dict.fromkeys(costs.absent), **{name: fit.mape for name, fit in costs.fits.items()}}


def _costs_text(costs: Costs) -> str:
    told = [f"{name} is off by {fit.mape:.1%}" for name, fit in costs.fits.items()]
    absent = [f"{name} is absent: {costs.why_absent(name)}" for name in costs.absent]
    return "; ".join([*told, *absent])


def _unseen(table: LatencyTable, side: int) -> str:
    """What networks the error of a resolution is on."""
    if side not in table.donors:
        return "on networks that were held out"
    donors = len(table.donors[side])
    networks = sum(network.resolution == side for network in table.networks)
    return (
        f"on each of its {networks} networks by the others; its blocks were not measured here, "
        f"they come from {donors} donor{'s' if donors > 1 else ''}"
    )
