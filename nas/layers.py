"""What makes a layer, in a few words: for the terminal and for the report."""

from __future__ import annotations

from dataclasses import fields

from search_spaces import LayerSpec

__all__ = ["details"]

# Shapes say it already, or it is the same throughout a space.
ELSEWHERE = ("inputs", "out", "classes", "act", "epsilon")


def details(spec: LayerSpec) -> tuple[str, ...]:
    """The attributes of a layer that its shapes do not tell, such as ``kernel 3``, ``residual``.

    What is absent (0, False) or usual (a stride of 1) is left out.
    """
    said = []
    for name in (field.name for field in fields(spec) if field.name not in ELSEWHERE):
        value = getattr(spec, name)
        if name == "middle" and value:
            said.append(f"middle {value} (×{value / spec.channels:.2g})")
        elif value and (name, value) != ("stride", 1):
            said.append(name if value is True else f"{name} {value}")
    return tuple(said)
