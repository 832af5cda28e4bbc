"""What NVIDIA's driver says of a card; nothing where there is no ``nvidia-smi``."""

from __future__ import annotations

import subprocess

from latency_lut.worker import driver_id

CONDITIONS = ("clocks.sm", "clocks.mem", "clocks.max.sm", "temperature.gpu", "power.draw", "pstate")


def card(number: int) -> tuple[str, str]:
    """Name and driver's version of the card, empty where nobody tells."""
    told = _ask(number, ("name", "driver_version"))
    return told.get("name", ""), told.get("driver_version", "")


def conditions(number: int) -> dict[str, str]:
    """Clocks, temperature and power at this moment, with their units."""
    return _ask(number, CONDITIONS)


def _ask(number: int, fields: tuple[str, ...]) -> dict[str, str]:
    command = ["nvidia-smi", f"--query-gpu={','.join(fields)}", "--format=csv,noheader"]
    try:
        done = subprocess.run(
            [*command, f"--id={driver_id(number)}"], capture_output=True, text=True, timeout=10
        )
    except (OSError, subprocess.TimeoutExpired):
        return {}
    values = [value.strip() for value in done.stdout.strip().split(",")]
    # Without `strict`, for Python 3.9: bundles carry this file.
    return dict(zip(fields, values)) if len(values) == len(fields) else {}  # noqa: B905
