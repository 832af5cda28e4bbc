"""How much memory this machine has."""

from __future__ import annotations

import os
import sys
from pathlib import Path

__all__ = ["machine_memory"]

LIMIT = Path("/sys/fs/cgroup/memory.max")


def machine_memory(limit: Path = LIMIT) -> int:
    """Bytes that processes may use: the machine's, or fewer where a container is given fewer."""
    if not hasattr(os, "sysconf"):  # Windows tells nobody who asks like this.
        return sys.maxsize
    physical = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    try:
        return min(physical, int(limit.read_text(encoding="utf-8")))
    except (OSError, ValueError):  # Not Linux, or no limit ("max").
        return physical
