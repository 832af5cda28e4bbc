"""Devices of one kind that share what is to be timed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from latency_lut import Device, DeviceError, Fingerprint, NetworkLatency
from latency_lut import device as device_of
from nas.engine import LOCAL, Engine
from search_spaces.errors import ConfigError

__all__ = ["Shard", "further_devices", "pool_names", "timed_by"]


@dataclass(frozen=True)
class Shard:
    """What one device times: ``networks`` are positions among all, ``folder`` keeps its samples."""

    device: Device
    networks: tuple[int, ...]
    folder: Path


Timing = Callable[[Shard], Sequence[NetworkLatency]]
"""Times the networks of a shard, in their order, on its device."""


def pool_names(text: str) -> tuple[str, ...]:
    """The names in ``--device``: one, or several with commas between them.

    Raises ``ConfigError`` for an empty name, and for one that is there twice.
    """
    names = tuple(name.strip() for name in text.split(","))
    if not all(names) or len(set(names)) < len(names):
        raise ConfigError(
            f"--device is a name, or names with commas between them, each once; got {text!r}"
        )
    return names


def further_devices(first: Device, names: Sequence[str]) -> tuple[Device, ...]:
    """The devices of a pool beside its ``first``, which the latency table is of.

    Raises ``ConfigError`` where one is of another kind: times of theirs could not be compared.
    """
    threads = first.fingerprint().threads
    others = tuple(device_of(name, threads) for name in names)
    for other in others:
        if differ := _kind(other.fingerprint()).differences(_kind(first.fingerprint())):
            raise ConfigError(
                f"a pool is of one kind of device, and {other.name} (here) is not like "
                f"{first.name} (there): {differ}; leave one of them out"
            )
    return others


def timed_by(
    devices: Sequence[Device], networks: int, timing: Timing, samples: Path, engine: Engine = LOCAL
) -> list[NetworkLatency]:
    """So many networks, shared among ``devices``, as ``timing`` finds them: in their order.

    A device that fails hands its share on to the others. Samples are in the folder ``samples``,
    where there are several devices in a folder for each.

    Raises:
        DeviceError: no device is left.
    """
    folders = {
        device.name: samples.resolve() / (str(number) if len(devices) > 1 else "")
        for number, device in enumerate(devices)
    }
    # What holds a connection open, as a browser's page does, can be used from here alone.
    if not all(map(dataclasses.is_dataclass, devices)):
        engine = LOCAL
    checked = _Checked(timing, devices[0].fingerprint())
    alive, found = list(devices), dict[int, NetworkLatency]()
    while missing := [number for number in range(networks) if number not in found]:
        shards = [
            Shard(device, share, folders[device.name])
            for first, device in enumerate(alive)
            if (share := tuple(missing[first :: len(alive)]))
        ]
        needs = [shard.device.name for shard in shards]
        for number, outcome in engine.map(checked, shards, needs):
            shard = shards[number]
            if isinstance(outcome, DeviceError) and len(alive) > 1:
                alive.remove(shard.device)
            elif isinstance(outcome, Exception):
                raise outcome
            else:
                found.update(zip(shard.networks, outcome, strict=True))
    return [found[number] for number in range(networks)]


@dataclass(frozen=True, eq=False)
class _Checked:
    """Times a shard if the device is what it was taken for, seen from where it is used."""

    timing: Timing
    expected: Fingerprint

    def __call__(self, shard: Shard) -> Sequence[NetworkLatency]:
        if differ := _kind(shard.device.fingerprint()).differences(_kind(self.expected)):
            raise DeviceError(
                f"{shard.device.name} is another device where it is used from (by the engine) than "
                f"where it was named: {differ}; use it from where it is"
            )
        return self.timing(shard)


def _kind(fingerprint: Fingerprint) -> Fingerprint:
    return replace(fingerprint, device="")
