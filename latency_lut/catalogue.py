"""Names of devices become devices here, and nowhere else."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Callable
from typing import Any

from latency_lut.cpu import CpuDevice
from latency_lut.errors import DeviceError
from latency_lut.seam import Device


def _browser(**options: Any) -> Device:
    # Here and not above: a web server is half of what a command that needs none would import.
    from latency_lut.browser import BrowserDevice

    return BrowserDevice(**options)


DEVICES: dict[str, Callable[..., Device]] = {
    "cpu": CpuDevice,
    "browser": _browser,
    "browser-webgpu": functools.partial(_browser, provider="webgpu"),
}


def device(name: str, threads: int = 1, **options: Any) -> Device:
    """The device of that name, set to ``threads`` threads; ``options`` are the device's own.

    Raises ``DeviceError`` for a name or a number of threads that is not to be had.
    """
    if name not in DEVICES:
        raise DeviceError(f"no device {name!r}; there are {', '.join(DEVICES)}")
    if name == "cpu" and not 1 <= threads <= (os.cpu_count() or 1):
        raise DeviceError(
            f"threads is from 1 to the {os.cpu_count()} cores of this machine; got {threads}"
        )
    return DEVICES[name](threads=threads, **options)


def table_name(device: str, threads: int = 1) -> str:
    """The name of a table, for a file: ``cpu`` for one thread, else ``cpu-2threads`` and so on."""
    plain = re.sub(r"[^A-Za-z0-9.]+", "-", device).strip("-.")
    return plain if threads == 1 else f"{plain}-{threads}threads"
