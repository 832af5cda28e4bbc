"""Decision diagrams: which choices a pure function reads, found by running it.

Nobody declares reads. The function is run with a reader that stops at the first undecided
choice, the trace branches there, and a branch whose children are all equal is not a read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from search_spaces.choices import Choice, Read


@dataclass(frozen=True)
class Branch:
    """A read of ``choice``: one child for each of its values."""

    choice: Choice
    children: tuple[Any, ...]


class _UndecidedError(Exception):
    def __init__(self, choice: Choice) -> None:
        self.choice = choice


def trace(function: Callable[[Read], Any]) -> Any:
    """The reduced diagram of ``function``: a leaf (its result) or a ``Branch``.

    Results must be hashable and are compared with ``==``.
    """
    return _expand(function, {})


def _expand(function: Callable[[Read], Any], decided: Mapping[Choice, int]) -> Any:
    def read(choice: Choice) -> int:
        if choice not in decided:
            raise _UndecidedError(choice)
        return decided[choice]

    try:
        return function(read)
    except _UndecidedError as stop:
        choice = stop.choice
    children = tuple(
        _expand(function, {**decided, choice: option}) for option in range(len(choice.values))
    )
    return children[0] if len(set(children)) == 1 else Branch(choice, children)


def reads(diagram: Any) -> Iterator[Choice]:
    """The choices of a diagram, each once, in the order in which they are first met."""
    seen: dict[Choice, None] = {}
    pending = [diagram]
    while pending:
        node = pending.pop(0)
        if isinstance(node, Branch):
            seen.setdefault(node.choice)
            pending.extend(node.children)
    yield from seen


def leaves(diagram: Any, fixed: Mapping[Choice, int]) -> Iterator[tuple[Any, dict[Choice, int]]]:
    """Every leaf under the decisions ``fixed``, with the decisions that the way to it adds."""
    if not isinstance(diagram, Branch):
        yield diagram, {}
    elif diagram.choice in fixed:
        yield from leaves(diagram.children[fixed[diagram.choice]], fixed)
    else:
        for option, child in enumerate(diagram.children):
            for leaf, added in leaves(child, fixed):
                yield leaf, {diagram.choice: option, **added}


def follow(diagram: Any, read: Read) -> tuple[Any, tuple[Choice, ...]]:
    """The leaf under complete decisions, and the choices read on the way."""
    path: list[Choice] = []
    while isinstance(diagram, Branch):
        path.append(diagram.choice)
        diagram = diagram.children[read(diagram.choice)]
    return diagram, tuple(path)
