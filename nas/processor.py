"""What the processor of this machine can do, as Linux tells it."""

from __future__ import annotations

from pathlib import Path

__all__ = ["multiplies_bfloat16"]


def multiplies_bfloat16(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether it has units for products of bfloat16 matrices (AMX); false where nothing tells."""
    try:
        text = cpuinfo.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    flags = [line for line in text.splitlines() if line.startswith("flags")]
    return bool(flags) and all("amx_bf16" in line.split() for line in flags)
