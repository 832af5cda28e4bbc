"""What a phone says of itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

PROPERTIES = (
    "ro.product.model",
    "ro.soc.model",
    "ro.board.platform",
    "ro.build.version.release",
    "ro.product.cpu.abi",
)
CPUS = "/sys/devices/system/cpu"
# Printed as name=value; what a phone does not let its shell read is left out.
FACTS = (
    f"for p in {' '.join(PROPERTIES)}; do echo $p=$(getprop $p); done; "
    f"echo present=$(cat {CPUS}/present); "
    f"for f in {CPUS}/cpu[0-9]*/cpufreq/cpuinfo_max_freq; do "
    "[ ! -r $f ] || echo $f=$(cat $f); done"
)
STATE = (
    f"for f in {CPUS}/cpu[0-9]*/cpufreq/scaling_governor /sys/class/thermal/thermal_zone*/temp; do "
    "[ ! -r $f ] || echo $f=$(cat $f 2>/dev/null); done; "
    "echo load=$(cat /proc/loadavg 2>/dev/null); "
    "echo thermal=$(dumpsys thermalservice 2>/dev/null | grep -m 1 'Thermal Status')"
)


@dataclass(frozen=True)
class Phone:
    """A phone: what it is called, its processor, cores, and their greatest clocks in kHz."""

    model: str
    processor: str
    android: str
    abi: str
    cores: int
    clocks: Mapping[int, int]

    def mask(self, threads: int) -> str:
        """The fastest cores for that many threads, for ``taskset``; empty where nobody knows.

        Cores of a kind stay together: with clocks 3.2, 2.8, 2.8, 2.8 and four times 2.0 GHz one
        thread gets the first, two threads the first four.
        """
        chosen: set[int] = set()
        for clock in sorted(set(self.clocks.values()), reverse=True):
            if len(chosen) < threads:
                chosen |= {core for core, its in self.clocks.items() if its == clock}
        return f"{sum(1 << core for core in chosen):x}" if chosen else ""


def phone(printed: str) -> Phone:
    """The phone that printed ``FACTS``."""
    told = _pairs(printed)
    clocks = {}
    for name, value in told.items():
        core = re.match(rf"{CPUS}/cpu(\d+)/", name)
        if core and value.isdecimal():
            clocks[int(core[1])] = int(value)
    return Phone(
        model=told.get("ro.product.model", "phone"),
        # Before Android 12 there was no name for the chip but that of the board's platform.
        processor=told.get("ro.soc.model") or told.get("ro.board.platform", "unknown"),
        android=told.get("ro.build.version.release", "unknown"),
        abi=told.get("ro.product.cpu.abi", "unknown"),
        cores=_count(told.get("present", "")) or max(1, len(clocks)),
        clocks=clocks,
    )


def conditions(printed: str) -> dict[str, str | float | None]:
    """Governors, the hottest zone in degrees, load and thermal status of what printed ``STATE``."""
    told = _pairs(printed)
    governors = sorted({value for name, value in told.items() if name.endswith("_governor")})
    degrees = [int(v) / 1000 for n, v in told.items() if n.endswith("/temp") and v.isdecimal()]
    load = told.get("load", "").split()
    return {
        "governor": ", ".join(governors) or None,
        "celsius": max(degrees, default=None),
        "load": float(load[0]) if load else None,
        "thermal status": told.get("thermal", "").rpartition(":")[2].strip() or None,
    }


def _pairs(printed: str) -> dict[str, str]:
    pairs = (line.strip().partition("=") for line in printed.splitlines())
    return {name: value for name, _, value in pairs if value}


def _count(present: str) -> int:
    """How many cores ``0-3,6-7`` are."""
    spans = re.findall(r"(\d+)(?:-(\d+))?", present)
    return sum(int(last or first) - int(first) + 1 for first, last in spans)
