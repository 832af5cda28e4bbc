"""How much memory this machine has."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

__all__ = ["machine_memory"]

MEMBER, MOUNT = Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")


def machine_memory(member: Path = MEMBER, mount: Path = MOUNT) -> int:
    """Bytes that processes may use: the machine's, or fewer where Linux allows this one fewer.

    ``member`` says which control groups it is in (`man 7 cgroups`), whose limits are below
    ``mount``.
    """
    if not hasattr(os, "sysconf"):  # Windows tells nobody who asks like this.
        return sys.maxsize
    physical = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return min([physical, *_limits(member, mount)])


def _limits(member: Path, mount: Path) -> Iterator[int]:
    """Of the groups that the process is in, and of all above them; of both versions."""
    try:
        lines = member.read_text(encoding="utf-8").splitlines()
    except OSError:  # Not Linux.
        return
    for line in lines:
        number, controllers, path = line.split(":", 2)
        if number == "0":
            folder, name = mount, "memory.max"
        elif "memory" in controllers.split(","):
            folder, name = mount / "memory", "memory.limit_in_bytes"
        else:
            continue
        group = PurePosixPath(path.lstrip("/"))
        for one in (group, *group.parents):
            # Not to be seen in this container, or no limit ("max").
            with contextlib.suppress(OSError, ValueError):
                yield int((folder / one / name).read_text(encoding="utf-8"))
