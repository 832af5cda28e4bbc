"""The spec of a block that can lend its weights to many specs."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from search_spaces.errors import SpaceError
from search_spaces.specs.base import LayerSpec

SLICED = ("out", "kernel", "padding", "middle", "squeeze", "classes", "hidden")


def enclosing(specs: tuple[LayerSpec, ...]) -> LayerSpec:
    """The smallest spec whose weights hold those of all ``specs`` as slices.

    All must be of one class and differ only in what can be sliced: channels, middle, kernel,
    squeeze, classes, hidden, and the size of the maps. A kernel's padding goes with it.
    """
    first = specs[0]
    for spec in specs[1:]:
        if type(spec) is not type(first):
            raise SpaceError(
                f"{type(spec).__name__} and {type(first).__name__} share one weight key"
            )
    if not any(spec.params for spec in specs):
        return first  # Nothing is lent: windows may differ with the size of maps.
    values = {
        field.name: _largest(field.name, [getattr(spec, field.name) for spec in specs])
        for field in fields(first)
    }
    return type(first)(**values)


def _largest(name: str, values: list[Any]) -> Any:
    if name == "inputs":
        shapes = [tuple(tensor.shape for tensor in inputs) for inputs in values]
        largest = [tuple(map(max, zip(*shape, strict=True))) for shape in zip(*shapes, strict=True)]
        return tuple(
            replace(tensor, shape=shape) for tensor, shape in zip(values[0], largest, strict=True)
        )
    if name == "parts":
        return tuple(
            replace(same[0], spec=enclosing(tuple(part.spec for part in same)))
            for same in zip(*values, strict=True)
        )
    if name in SLICED:
        return max(values)
    if len(set(values)) > 1:
        raise SpaceError(f"{name} differs among specs that share one weight key: {set(values)}")
    return values[0]
