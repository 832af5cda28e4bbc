"""Published latencies of whole populations on many devices, as donors and new devices.

From HW-NAS-Bench and HELP: `fbnet.npz` and `nasbench201.npz` with ``arch`` [networks, positions]
(an operator each) and one array of milliseconds [networks] a device. NAS-Bench-201 was measured
with dead edges running, so equal networks are not merged.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

SPACES = ("nasbench201", "fbnet")
PHONES = ("essential_ph_1", "samsung_a50", "pixel3")
# A device is measured at several batches: 1080ti_1, 1080ti_32. The Essential PH-1 is a phone.
WITH_BATCH = re.compile(r"(?P<device>.+)_(?P<batch>1|8|16|32|64|128|256|512)")
NO_BATCH = ("essential_ph_1",)
# Different cards, one chip.
CHIPS = {
    "1080ti": "GP102",
    "titanx": "GP102",
    "titanxp": "GP102",
    "2080ti": "TU102",
    "titan_rtx": "TU102",
}
# Where the 22 positions of FBNet stand: those of a stage have one width and resolution.
FBNET_STAGES = np.repeat(np.arange(7), (1, 4, 4, 4, 4, 4, 1))


@dataclass(frozen=True, eq=False)
class Published:
    """``ms`` [devices, networks]; ``features`` [networks, parts], one part an operator at a
    position; ``labels``, by operator and, for FBNet, by operator and stage.
    """

    space: str
    devices: tuple[str, ...]
    ms: Any
    features: Any
    labels: tuple[Any, ...]

    def groups(self, by_chip: bool = False) -> tuple[str, ...]:
        """The physical device, or chip, of each device."""
        plain = (physical(name) for name in self.devices)
        return tuple(CHIPS.get(name, name) if by_chip else name for name in plain)

    @property
    def is_phone(self) -> Any:
        """[devices]"""
        return np.isin(self.devices, PHONES)


def physical(name: str) -> str:
    """The device without its batch size."""
    found = WITH_BATCH.fullmatch(name)
    return found["device"] if found and name not in NO_BATCH else name


def load(folder: Path, space: str) -> Published:
    """The population of ``space`` from ``folder``/``space``.npz."""
    with np.load(folder / f"{space}.npz", allow_pickle=False) as archive:
        return published(space, {name: archive[name] for name in archive.files})


def published(space: str, arrays: Mapping[str, Any]) -> Published:
    """From the arrays of a file; everything but ``arch`` and ``ops`` is a device."""
    arch = np.asarray(arrays["arch"], dtype=np.int64)
    devices = tuple(sorted(set(arrays) - {"arch", "ops"}))
    operators = int(arch.max()) + 1
    positions = arch.shape[1]
    features = (arch[:, :, None] == np.arange(operators)).reshape(len(arch), -1)
    operator = np.tile(np.arange(operators), positions)
    labels = [operator]
    if space == "fbnet":
        labels.append(operator + operators * np.repeat(FBNET_STAGES, operators))
    ms = np.array([arrays[name] for name in devices], dtype=np.float64)
    return Published(space, devices, ms, features.astype(np.float64), tuple(labels))
