"""How two spaces are told apart in errors."""

from __future__ import annotations

__all__ = ["apart"]


def apart(name: str, identity: str, other_name: str, other_identity: str) -> str:
    """The space that something is of, and the other one that it is not of, as text.

    Two of one name differ by their options, which says more than their digests do.
    """
    same = ": the same space with other options (resolutions, num_classes, width and the like)"
    return (
        f"{name!r} ({identity[:12]}), not of {other_name!r} ({other_identity[:12]})"
        f"{same if name == other_name else ''}"
    )
