"""The processor of this machine: its name, cores and what it can do, as Linux tells them."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from pathlib import Path

__all__ = ["multiplies_bfloat16", "processor_name", "usable_cores"]

CPUINFO = Path("/proc/cpuinfo")


def processor_name() -> str:
    """As Linux names it, else as Python does."""
    return next(_values("model name", CPUINFO), platform.processor() or platform.machine())


def usable_cores() -> int:
    """Those that this process may use, where the system tells."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def multiplies_bfloat16(cpuinfo: Path = CPUINFO) -> bool:
    """Whether it has units for products of bfloat16 matrices (AMX); false where nothing tells."""
    flags = list(_values("flags", cpuinfo))
    return bool(flags) and all("amx_bf16" in several.split() for several in flags)


def _values(key: str, cpuinfo: Path) -> Iterator[str]:
    """What is said under ``key``, core by core."""
    try:
        text = cpuinfo.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return
    for line in text.splitlines():
        name, _, value = line.partition(":")
        if name.strip() == key:
            yield value.strip()
