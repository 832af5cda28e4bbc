"""Names of spaces become spaces here, and nowhere else."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from search_spaces.convert.recipe import NAME as CONVERTED
from search_spaces.convert.recipe import converted
from search_spaces.errors import SpaceError
from search_spaces.nas_bench_macro import nas_bench_macro
from search_spaces.ofa import ofa_mobilenetv3, ofa_proxyless, ofa_resnet50
from search_spaces.small_images import small_images
from search_spaces.space import Space
from search_spaces.unknown import unknown

SPACES: dict[str, Callable[..., Space]] = {
    "small-images": small_images,
    "ofa-mobilenetv3": ofa_mobilenetv3,
    "ofa-proxyless": ofa_proxyless,
    "ofa-resnet50": ofa_resnet50,
    "nas-bench-macro": nas_bench_macro,
}
MADE: dict[str, Callable[..., Space]] = {CONVERTED: converted}
"""Spaces that are made of something of the user's, and are nothing without it."""


def names() -> tuple[str, ...]:
    """The spaces that ``get`` knows by their name alone."""
    return tuple(SPACES)


def get(name: str, **options: Any) -> Space:
    """The space of that name; ``options`` are those of its function."""
    known = {**SPACES, **MADE}
    if name not in known:
        raise SpaceError(unknown("space", name, SPACES))
    there = inspect.signature(known[name]).parameters
    for option in options:
        if option not in there:
            raise SpaceError(f"options of space {name!r}: {unknown('option', option, there)}")
    try:
        space = known[name](**options)
    except TypeError as error:
        raise SpaceError(f"options of space {name!r}: {error}") from error
    space.options = options
    return space
