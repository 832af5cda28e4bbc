"""``nas measure --bundle`` and ``--import``: a table of a device that no cable reaches."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from latency_lut import (
    Effort,
    bundle_bytes,
    plan_table,
    read_results,
    table_name,
    write_bundle,
)
from nas.config import LatencyConfig
from nas.disk import megabytes, require_room
from nas.jobs.measure import save_table, space_to_measure, table_target, told
from nas.jobs.tables import table_to_extend
from nas.terminal import Screen
from search_spaces.errors import ArtefactError, ConfigError

__all__ = ["bundle_command", "import_command"]

PROVIDER = "CPUExecutionProvider"
SUFFIX = ".zip"
SEED = 0


def bundle_command(
    run: Path | None,
    space_name: str | None,
    threads: int | None,
    resolutions: list[int] | None,
    out: Path,
    screen: Screen,
) -> tuple[dict[str, Any], str]:
    """Write a campaign to carry to a device."""
    if out.suffix != SUFFIX or out.is_dir():
        raise ConfigError(f"a bundle is a file {SUFFIX}; got --bundle {out}")
    space, config = space_to_measure(run, space_name)
    latency = config.latency if config else LatencyConfig()
    rng = np.random.default_rng(SEED)
    plans = plan_table(space, rng, resolutions, latency.references)
    size = bundle_bytes(plans)
    require_room(out, size, "--bundle")
    screen.say(f"writing {len(plans.models)} models, about {megabytes(size)}, to {out}")
    effort = Effort(latency.rounds, latency.runs)
    threads = threads or latency.threads
    identity = write_bundle(out, plans, effort, threads, PROVIDER, SEED)
    data: dict[str, Any] = {
        "bundle": str(out),
        "identity": identity,
        "models": len(plans.models),
        "resolutions": list(plans.networks),
        "threads": threads,
        "bytes": out.stat().st_size,
    }
    subject = run if run is not None else f"--space {space_name}"
    return data, (
        f"wrote {out} ({megabytes(data['bytes'])}); unpack it on the device, where Python 3.9 has "
        "NumPy and onnxruntime, run `python3 run.py` there, take results.json back, then: nas "
        f"measure {subject} --import results.json --name NAME"
    )


def import_command(
    run: Path | None,
    space_name: str | None,
    threads: int | None,
    resolutions: list[int] | None,
    name: str | None,
    out: Path | None,
    allow_noisy: bool,
    results: Path,
) -> tuple[dict[str, Any], str]:
    """Make the table of what a bundle brought back."""
    space, _ = space_to_measure(run, space_name)
    found = read_results(results, space)
    own = {"--threads": [found.fingerprint.threads], "--resolution": sorted(found.plans.networks)}
    asked = {"--threads": [threads] if threads else None, "--resolution": resolutions}
    for option, values in asked.items():
        if values and sorted(set(values)) != own[option]:
            raise ArtefactError(
                f"{results}: the results are of another bundle, made with {option} "
                f"{_listed(own[option])}, not {_listed(values)}; leave {option} away to take them"
            )
    fingerprint = found.fingerprint
    known_as = name or table_name(fingerprint.device, fingerprint.threads)
    target = table_target(run, out, known_as)
    earlier = table_to_extend(target, space, fingerprint, named=bool(name or out))
    table = found.table(np.random.default_rng(SEED), allow_noisy)
    return told(save_table(table, earlier, target), target)


def _listed(values: list[int]) -> str:
    return ", ".join(map(str, values))
