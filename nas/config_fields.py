"""Sections of a configuration that check themselves: types, rules, unknown keys.

A section is a frozen dataclass whose fields are made by `option`: a default, one line of help
that ends up as a comment in the YAML, and a rule. `check` enforces them however the object was
made, `section_from` makes it from what a file holds.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from search_spaces.errors import ConfigError

__all__ = [
    "Rule",
    "above",
    "at_least",
    "check",
    "fraction",
    "not_empty",
    "option",
    "section_from",
    "share",
]

T = TypeVar("T")


@dataclass(frozen=True)
class Rule:
    """A condition on a value of the right type, and its name: `must be NAME`."""

    name: str
    holds: Callable[[Any], bool]


def at_least(low: float) -> Rule:
    """A number of `low` or more."""
    return Rule(f"at least {low:g}", lambda value: value >= low)


def above(low: float) -> Rule:
    """A number of more than `low`."""
    return Rule(f"above {low:g}", lambda value: value > low)


def fraction(zero: bool = False) -> Rule:
    """A number below 1 and above 0, or 0 itself if `zero`."""
    if zero:
        return Rule("at least 0 and below 1", lambda value: 0 <= value < 1)
    return Rule("above 0 and below 1", lambda value: 0 < value < 1)


def share() -> Rule:
    """A number from 0 to 1, both included."""
    return Rule("from 0 to 1", lambda value: 0 <= value <= 1)


def not_empty() -> Rule:
    """A text or a list that holds something."""
    return Rule("not empty", bool)


def option(default: Any = MISSING, *, help: str, rule: Rule | None = None) -> Any:  # noqa: A002
    """A field of a section; without a default the key is required."""
    metadata = {"help": help, "rule": rule}
    if isinstance(default, Mapping):
        return field(default_factory=lambda: dict(default), metadata=metadata)
    return field(default=default, metadata=metadata)


def check(section: Any, where: str = "") -> None:
    """Enforce the type and the rule of every field; `where` is the section's key in the file.

    Raises:
        ConfigError: names the key, the rule and the value received.
    """
    hints = get_type_hints(type(section))
    for entry in fields(section):
        value = getattr(section, entry.name)
        key = _join(where, entry.name)
        if not _fits(value, hints[entry.name]):
            raise ConfigError(f"{key} must be {_name(hints[entry.name])}, got {value!r}")
        rule: Rule | None = entry.metadata.get("rule")
        if rule is not None and value is not None and not rule.holds(value):
            raise ConfigError(f"{key} must be {rule.name}, got {value!r}")


def section_from(cls: type[T], values: object, where: str = "") -> T:
    """A section from the mapping that YAML gave, with its sections inside; lists become tuples.

    Raises:
        ConfigError: not a mapping, an unknown key (with the nearest known one), a missing key,
            or a value that the section refuses.
    """
    known = {entry.name: entry for entry in fields(cls)}  # type: ignore[arg-type]
    if not isinstance(values, Mapping):
        raise ConfigError(
            f"{where or 'the configuration'} must be a mapping with the keys "
            f"{', '.join(known)}, got {values!r}"
        )
    for key in values:
        if key not in known:
            raise ConfigError(_unknown(_join(where, str(key)), str(key), list(known)))
    for name, entry in known.items():
        if name not in values and _required(entry):
            raise ConfigError(f"{_join(where, name)} is missing: {entry.metadata['help']}")
    hints = get_type_hints(cls)
    return cls(**{k: _convert(v, hints[k], _join(where, k)) for k, v in values.items()})


def _convert(value: Any, hint: Any, where: str) -> Any:
    if get_origin(hint) is UnionType and value is not None:
        nested = (o for o in get_args(hint) if is_dataclass(o) or get_origin(o) is tuple)
        hint = next(nested, hint)
    if is_dataclass(hint):
        return section_from(hint, value, where)  # type: ignore[arg-type]
    if get_origin(hint) is tuple and isinstance(value, list):
        inner = get_args(hint)[0]
        return tuple(_convert(v, inner, f"{where}[{i}]") for i, v in enumerate(value))
    wants_float = float in (hint, *get_args(hint))
    if wants_float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return value


def _fits(value: Any, hint: Any) -> bool:
    origin, inner = get_origin(hint), get_args(hint)
    if origin is UnionType:
        return any(_fits(value, one) for one in inner)
    if origin is Literal:
        return isinstance(value, str) and value in inner
    if origin is tuple:
        if not isinstance(value, tuple):
            return False
        if inner[-1] is Ellipsis:
            return all(_fits(one, inner[0]) for one in value)
        return len(value) == len(inner) and all(map(_fits, value, inner))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return isinstance(value, Mapping) and all(isinstance(key, str) for key in value)
    if hint is float:
        return isinstance(value, float) and math.isfinite(value)
    # bool is an int to Python, but `batch_size: true` is a mistake.
    return isinstance(value, hint) and (hint is bool or not isinstance(value, bool))


def _name(hint: Any) -> str:
    origin, inner = get_origin(hint), get_args(hint)
    if origin is UnionType:
        return " or ".join(_name(one) for one in inner)
    if origin is Literal:
        return "one of " + ", ".join(inner)
    if origin is tuple:
        if inner[-1] is Ellipsis:
            return f"a list, each {_name(inner[0])}"
        return f"a list of {len(inner)}, each {_name(inner[0])}"
    names = {
        bool: "true or false",
        int: "an integer",
        float: "a finite number",
        str: "a text",
        NoneType: "null",
    }
    return names.get(hint, "a mapping")


def _required(entry: Field[Any]) -> bool:
    return entry.default is MISSING and entry.default_factory is MISSING


def _join(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name


def _unknown(key: str, name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else f"known keys are {', '.join(known)}"
    return f"unknown key {key}; {hint}"
