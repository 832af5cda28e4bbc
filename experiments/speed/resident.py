"""What Linux says of this process's memory."""

from __future__ import annotations

from pathlib import Path


def resident(line: str) -> int:
    """Bytes: ``VmRSS`` (now), ``VmHWM`` (the most so far) or ``RssAnon`` (of its own)."""
    for entry in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if entry.startswith(line):
            return int(entry.split()[1]) * 1024
    raise OSError(f"/proc/self/status has no {line}: run this on Linux")
