"""Choices, and the expressions over them that stand in a network where numbers would."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from search_spaces.errors import SpaceError

Value = int | float | str | bool | None
Read = Callable[["Choice"], int]


@dataclass(frozen=True)
class Choice:
    """One decision: its name and the values that it chooses between (index 0 is the default)."""

    name: str
    values: tuple[Value, ...]

    def __post_init__(self) -> None:
        if not self.values:
            raise SpaceError(f"choice {self.name!r} has no values; give at least one")
        if len(set(self.values)) != len(self.values):
            raise SpaceError(f"choice {self.name!r} lists a value twice: {self.values}")


class Expression:
    """Something that becomes a number once the choices that it reads are made."""

    def evaluate(self, read: Read) -> Any:
        """The value under ``read``, which maps a choice to the index of its chosen value."""
        raise TypeError(f"{type(self).__name__} has no value of its own")

    def __lt__(self, other: object) -> Expression:
        return Operation(operator.lt, (self, other))

    def __le__(self, other: object) -> Expression:
        return Operation(operator.le, (self, other))

    def __gt__(self, other: object) -> Expression:
        return Operation(operator.gt, (self, other))

    def __ge__(self, other: object) -> Expression:
        return Operation(operator.ge, (self, other))

    def __eq__(self, other: object) -> Expression:  # type: ignore[override]
        return Operation(operator.eq, (self, other))

    def __ne__(self, other: object) -> Expression:  # type: ignore[override]
        return Operation(operator.ne, (self, other))

    __hash__ = object.__hash__

    def __add__(self, other: object) -> Expression:
        return Operation(operator.add, (self, other))

    def __mul__(self, other: object) -> Expression:
        return Operation(operator.mul, (self, other))

    def __bool__(self) -> bool:
        raise SpaceError(
            "a choice has no truth value while the network is written; "
            "pass the condition on as when=..., or compare it inside an expression"
        )


@dataclass(frozen=True, eq=False)
class Symbol(Expression):
    """A named choice, as it stands in the text of a network; shared by all who use it."""

    choice: Choice

    def evaluate(self, read: Read) -> Value:
        return self.choice.values[read(self.choice)]


@dataclass(frozen=True, eq=False)
class Operation(Expression):
    """A function of choices and constants."""

    function: Callable[..., Any]
    operands: tuple[object, ...]

    def evaluate(self, read: Read) -> Any:
        return self.function(*(resolve(operand, read) for operand in self.operands))


@dataclass(frozen=True, eq=False)
class OneOf(Expression):
    """An anonymous choice; the network names it ``slot.attribute`` where it is used."""

    values: tuple[Value, ...]


@dataclass(frozen=True, eq=False)
class Layer:
    """A layer that a path may take: its spec's class and attributes; ``None`` skips."""

    spec: type
    attributes: Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Path(Expression):
    """A choice between layers; what an option asks is read only where that option is taken."""

    options: Mapping[str, Layer | None]


def choice(name: str, *values: Value) -> Symbol:
    """A choice with a name, to be used in as many places as share the decision."""
    return Symbol(Choice(name, values))


def one_of(*values: Value) -> OneOf:
    """A choice of this one attribute of this one slot, named after them."""
    return OneOf(values)


def layer(spec: type, **attributes: Any) -> Layer:
    """An option of a path: a layer with its attributes, choices among them allowed."""
    return Layer(spec, attributes)


def path(**options: Layer | None) -> Path:
    """A choice between layers by name; ``None`` hands the input on."""
    return Path(options)


def apply(function: Callable[..., Any], *operands: object) -> Operation:
    """Any pure function of choices and constants, for what operators cannot say."""
    return Operation(function, operands)


def resolve(value: object, read: Read) -> Any:
    """``value`` itself, or what the expression ``value`` comes to under ``read``."""
    return value.evaluate(read) if isinstance(value, Expression) else value
