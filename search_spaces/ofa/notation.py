"""OFA's own notation of a subnet, to and from architectures.

Mobile families: ``{"ks": [...], "e": [...], "d": [...], "r": [...]}``, kernels and expansions of
all blocks whether they stand or not, depths of the stages, resolution. ResNet-50: ``e`` and ``d``
alike, ``d[0]`` for the stem, and ``w``, indices into the list of widths, two of the stem first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from search_spaces.architecture import Architecture
from search_spaces.choices import Choice, Value
from search_spaces.errors import SpaceError
from search_spaces.ofa import proxyless, resnet50
from search_spaces.ofa.sizes import FAMILIES
from search_spaces.space import Space

RESOLUTION = "resolution"
STEM_DEPTH = "stem.depth"

Config = dict[str, list[Any]]


def from_config(space: Space, config: Mapping[str, Any]) -> Architecture:
    """The architecture that OFA's code calls ``config``.

    One number stands for a list of it, as in OFA's code; without ``r`` the largest resolution is
    taken; ``wid`` may stand in a mobile configuration if it says nothing. 0 may stand for kernel
    and expansion of a block that is absent. The stem of ResNet-50 keeps its middle at the greatest
    depth alone.

    Raises:
        SpaceError: a space of another family; a key, a length or a value that the space lacks.
    """
    asked = _choices(space)
    if not isinstance(config, Mapping):
        raise SpaceError(f"a configuration maps {', '.join(asked)} to lists; got {config!r}")
    given = {key: value for key, value in config.items() if key != "wid" or value is not None}
    given.setdefault("r", asked["r"][0].values[-1])
    if set(given) != set(asked):
        odd = ", ".join(sorted(set(given) ^ set(asked)))
        raise SpaceError(
            f"a configuration of {space.name} has {', '.join(asked)}; got {', '.join(given)} "
            f"(check {odd})"
        )
    values: dict[str, Value] = {}
    absent: list[Choice] = []
    for key, choices in asked.items():
        listed = _listed(key, given[key], _length(space, key, choices))
        for choice, value in zip(choices, listed, strict=False):
            if key in ("ks", "e") and value == 0 and not isinstance(value, bool):
                absent.append(choice)
                values[choice.name] = choice.values[0]
            else:
                values[choice.name] = _value(space, key, choice, value)
        if len(listed) > len(choices) and not _counts(listed[-1]):
            raise SpaceError(f"{key}: the last stage is one block; got depth {listed[-1]!r}")
    architecture = _architecture(space, values)
    used = space.used(space.encode(architecture))[0]
    for choice in absent:
        if used[space.choices.index(choice)]:
            raise SpaceError(f"0 is for blocks that are absent, not for {choice.name!r} here")
    return architecture


def _architecture(space: Space, values: Mapping[str, Value]) -> Architecture:
    named = tuple((choice.name, values[choice.name]) for choice in space.choices)
    return Architecture(space.name, space.identity, named)


def to_config(space: Space, architecture: Architecture) -> Config:
    """``architecture`` in OFA's notation: what ``from_config`` takes back.

    Raises ``SpaceError`` for a space of another family or an architecture of another space.
    """
    space.encode(architecture)
    config: Config = {}
    for key, choices in _choices(space).items():
        config[key] = [_published(space, key, c, architecture[c.name]) for c in choices]
        config[key] += [1] * (_length(space, key, choices) - len(choices))
    return config


def _choices(space: Space) -> dict[str, list[Choice]]:
    """The choices behind each key, in OFA's order."""
    if space.name not in FAMILIES:
        raise SpaceError(
            f"OFA's notation is for {', '.join(FAMILIES)}; {space.name!r} is none of them"
        )
    ending = {"ks": ".kernel", "e": ".expand", "d": ".depth", "w": ".width", "r": RESOLUTION}
    if space.name == resnet50.NAME:
        del ending["ks"]
    else:
        del ending["w"]
    return {
        key: sorted(
            (c for c in space.choices if c.name.endswith(end)), key=lambda c: _place(c.name)
        )
        for key, end in ending.items()
    }


def _place(name: str) -> tuple[int, ...]:
    """Stem before stages, inner before outer width, stages and blocks by number."""
    if name.startswith("stem"):
        return (0, name != "stem.inner.width")
    return tuple(int(part.lstrip("s")) for part in name.split(".") if part.lstrip("s").isdigit())


def _length(space: Space, key: str, choices: Sequence[Choice]) -> int:
    # The last stage of ProxylessNAS is one block, and yet OFA lists a depth for it.
    return len(choices) + (space.name == proxyless.NAME and key == "d")


def _listed(key: str, value: Any, length: int) -> list[Any]:
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    listed = list(value) if isinstance(value, (list, tuple)) else [value] * length
    listed = [one.item() if isinstance(one, np.generic) else one for one in listed]
    if len(listed) != length:
        raise SpaceError(f"{key} lists {length} values (or is one number); got {len(listed)}")
    return listed


def _counts(depth: Any) -> bool:
    return isinstance(depth, int) and not isinstance(depth, bool) and depth > 0


def _value(space: Space, key: str, choice: Choice, value: Any) -> Value:
    """The choice's value that OFA writes as ``value``."""
    if choice.name == STEM_DEPTH and value in _depths(space) and not isinstance(value, bool):
        return choice.values[-1] if value == _depths(space)[-1] else choice.values[0]
    options = [_published(space, key, choice, option) for option in choice.values]
    if isinstance(value, bool) or value not in options:
        raise SpaceError(f"{key}: {choice.name!r} is one of {options}; got {value!r}")
    return choice.values[options.index(value)]


def _published(space: Space, key: str, choice: Choice, value: Value) -> Any:
    """The choice's ``value`` as OFA writes it."""
    if key == "w":
        return choice.values.index(value)
    if choice.name == STEM_DEPTH:
        return _depths(space)[-1] if value else _depths(space)[0]
    return value


def _depths(space: Space) -> tuple[Value, ...]:
    return next(choice for choice in space.choices if choice.name == "s1.depth").values
