"""Names of devices become devices here, and nowhere else."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import Any

from latency_lut.cpu import CpuDevice
from latency_lut.errors import DeviceError
from latency_lut.seam import Device
from latency_lut.ssh import ssh_device

DEVICES: dict[str, Callable[..., Device]] = {"cpu": CpuDevice}
HERE = ("cpu",)
# Devices with an address: what makes one of the whole name, by what stands before ``://``.
ADDRESSED: dict[str, Callable[..., Device]] = {"ssh": ssh_device}


def device(name: str, threads: int = 1, **options: Any) -> Device:
    """The device of that name, set to ``threads`` threads; ``options`` are the device's own.

    Nothing is reached yet: a device elsewhere is heard of when it is asked for its fingerprint.

    Raises ``DeviceError`` for a name or a number of threads that is not to be had.
    """
    scheme, addressed, _ = name.partition("://")
    if addressed and scheme in ADDRESSED:
        return ADDRESSED[scheme](name, threads=threads, **options)
    if name not in DEVICES:
        known = [*DEVICES, *(f"{one}://..." for one in ADDRESSED)]
        raise DeviceError(f"no device {name!r}; there are {', '.join(known)}")
    if name == "cpu" and not 1 <= threads <= (os.cpu_count() or 1):
        raise DeviceError(
            f"threads is from 1 to the {os.cpu_count()} cores of this machine; got {threads}"
        )
    return DEVICES[name](threads=threads, **options)


def is_here(name: str) -> bool:
    """Whether the device of that name is in this machine."""
    return name in HERE


def table_name(device: str, threads: int = 1) -> str:
    """The name of a table, for a file: ``cpu`` for one thread, else ``cpu-2threads`` and so on.

    Options in an address (``?python=...``) are no part of it.
    """
    plain = re.sub(r"[^A-Za-z0-9.]+", "-", device.partition("?")[0]).strip("-.")
    return plain if threads == 1 else f"{plain}-{threads}threads"
