"""Whether a network with choices may turn out to have no layer at all."""

from __future__ import annotations

from search_spaces.errors import SpaceError
from search_spaces.net import Leaf
from search_spaces.specs import SKIP
from search_spaces.tables import START, Trace, walk

__all__ = ["require_layers"]


def require_layers(trace: Trace, name: str) -> None:
    """Raise ``SpaceError`` if some row of the space ``name`` skips all of its slots.

    Such a network has no output of its own, and nothing to build, measure or export.
    """
    slots = trace.columns[1:]
    if any((column.spec != 0).all() for column in slots):  # Nearly always, and at once.
        return
    empty = {START}
    for steps in walk(trace):
        empty = {
            step.after
            for step in steps
            if step.before in empty and not (isinstance(step.leaf, Leaf) and step.leaf.spec != SKIP)
        }
    if empty:
        raise SpaceError(
            f"space {name!r}: a network has a layer at least; all of its slots "
            f"({', '.join(column.slot for column in slots) or 'none'}) may be skipped at once: "
            "add one that always stands"
        )
