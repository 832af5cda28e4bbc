"""How long threads spin while they wait for each other: as long as the command ``nas`` lets them.

OpenMP reads it when PyTorch is loaded, so this module is imported before. ``nas/cli.py`` says why.
"""

from __future__ import annotations

import os

VARIABLES = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "OMP_NUM_THREADS")

if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")


def waiting() -> dict[str, str]:
    """What OpenMP was told, variable by variable."""
    return {name: os.environ[name] for name in VARIABLES if name in os.environ}
