"""Names of devices become devices here, and nowhere else."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import Any

from latency_lut.android import AdbDevice
from latency_lut.cpu import CpuDevice
from latency_lut.errors import DeviceError
from latency_lut.interpreter import VARIABLE, WORKER, Installed, installed, worker_command
from latency_lut.providers import NUMBERED, PROVIDERS, find, short_name
from latency_lut.seam import Device
from latency_lut.ssh import ssh_device


def _local(name: str, threads: int, **options: Any) -> Device:
    """This machine, with the execution provider that the name says."""
    command = options.setdefault("command", worker_command())
    if name == "cpu":
        return CpuDevice(threads=threads, **options)
    there = installed(command)
    provider = find(name, threads, there.providers)
    if provider is None:
        raise DeviceError(_not_there(name, there, command[0]))
    if name in NUMBERED:
        name = f"{name}:0"
    return CpuDevice(threads, name, provider.name, provider.options, provider.memory, **options)


def _not_there(name: str, there: Installed, python: str) -> str:
    others = [kind for kind, make in DEVICES.items() if make is not _local]
    return (
        f"no device {name!r}: {there.machine['runtime']} of {python} has "
        f"{', '.join(map(short_name, there.providers))}, others are {', '.join(others)}. Providers "
        f"come with packages like onnxruntime-gpu; {VARIABLE} names the Python where one is"
    )


def _browser(name: str, threads: int, **options: Any) -> Device:
    # Here and not above: a web server is half of what a command that needs none would import.
    from latency_lut.browser import BrowserDevice

    return BrowserDevice(threads, "webgpu" if name == "browser-webgpu" else "wasm", **options)


# By the first part of a name; other names are those of this machine's execution providers.
DEVICES: dict[str, Callable[..., Device]] = {
    **dict.fromkeys(PROVIDERS, _local),
    "adb": AdbDevice,
    "ssh": ssh_device,
    "browser": _browser,
    "browser-webgpu": _browser,
}


def device(name: str, threads: int = 1, **options: Any) -> Device:
    """The device of that name, set to ``threads`` threads; ``options`` are the device's own.

    ``cpu``; ``cuda:0``, ``tensorrt:0``, ``openvino`` and what else the installed onnxruntime has;
    ``adb``, ``adb://SERIAL`` and ``adb://SERIAL/xnnpack``; ``ssh://[user@]host[:port]``.

    Nothing is reached yet: a device elsewhere is heard of when it is asked for its fingerprint.

    Raises ``DeviceError`` for a name or a number of threads that is not to be had.
    """
    make = _maker(name)
    if make is _local and not 1 <= threads <= (os.cpu_count() or 1):
        raise DeviceError(
            f"threads is from 1 to the {os.cpu_count()} cores of this machine; got {threads}"
        )
    return make(name, threads=threads, **options)


def is_here(name: str) -> bool:
    """Whether the device of that name is in this machine, and this Python's runtime times it."""
    return _maker(name) is _local and worker_command() == WORKER


def _maker(name: str) -> Callable[..., Device]:
    return DEVICES.get(name.partition(":")[0], _local)


def tells_costs(name: str) -> bool:
    """Whether a device of that name can say what a network takes of memory or energy."""
    return _maker(name) is not _browser


def table_name(device: str, threads: int = 1) -> str:
    """The name of a table, for a file: ``cpu`` for one thread, else ``cpu-2threads`` and so on.

    Options in an address (``?python=...``) are no part of it.
    """
    plain = re.sub(r"[^A-Za-z0-9.]+", "-", device.partition("?")[0]).strip("-.")
    return plain if threads == 1 else f"{plain}-{threads}threads"
