"""When choices open: progressive shrinking (Cai et al., "Once for All", ICLR 2020, section 3.3).

The largest network is trained first; then choices of one kind after another may take smaller
values, so that small networks share weights which already serve large ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from nas.config import PHASES, Phase, PhaseName
from search_spaces import Choice, Space
from search_spaces.errors import ConfigError
from search_spaces.space import Population

__all__ = ["OPENS", "check_kinds", "kind", "sample_open", "smallest_open"]

OPENS: Mapping[PhaseName, frozenset[str]] = {
    "largest": frozenset(),
    "kernel": frozenset({"resolution", "kernel"}),
    "depth": frozenset({"resolution", "kernel", "depth", "expand"}),
    "width": frozenset({"resolution", "kernel", "depth", "expand", "width"}),
}
"""Kinds of choices that are open in each phase."""


def kind(choice: Choice) -> str:
    """What a choice decides: the last part of its name."""
    return choice.name.rsplit(".", 1)[-1]


def check_kinds(space: Space, phases: Sequence[Phase]) -> None:
    """Raise ``ConfigError`` for a choice that no phase would ever open, or none of ``phases`` does.

    A search chooses among all values of all choices, and weights that no small value was trained
    with are worth nothing to it. A phase of 0 epochs says that this is meant.
    """
    for choice in space.choices:
        if kind(choice) not in OPENS["width"]:
            raise ConfigError(
                f"no phase opens choice {choice.name!r} of {space.name}: names of choices end with "
                f"{', '.join(sorted(OPENS['width']))}"
            )
    opened = frozenset[str]().union(*(OPENS[phase.name] for phase in phases))
    closed = [c for c in space.choices if len(c.values) > 1 and kind(c) not in opened]
    if closed:
        kinds = {kind(choice) for choice in closed}
        opener = next(name for name in PHASES if kinds <= OPENS[name])
        raise ConfigError(
            f"every choice that a search may take is trained; train.phases ends with "
            f"{phases[-1].name}, which leaves {', '.join(c.name for c in closed)} of {space.name} "
            f"at their largest: add {{name: {opener}, epochs: N}} (0 to leave them untrained on "
            "purpose)"
        )


def smallest_open(space: Space, opened: frozenset[str]) -> Population:
    """The row [choices] of the smallest network among the open ones; not made canonical."""
    return np.array([0 if kind(c) in opened else len(c.values) - 1 for c in space.choices])


def sample_open(
    space: Space, opened: frozenset[str], n: int, extremes: float, rng: np.random.Generator
) -> Population:
    """``n`` canonical rows [n, choices] among the open ones, uniform over choices.

    With probability ``extremes`` a row is the smallest or the largest instead (what the sandwich
    rule does at every step; Yu and Huang, 2019): they bound what all others can learn.
    """
    low = smallest_open(space, opened)
    high = np.array([len(choice.values) for choice in space.choices])
    rows = rng.integers(low, high, (n, len(high)))
    chance = rng.random(n)
    rows[chance < extremes / 2] = low
    rows[(chance >= extremes / 2) & (chance < extremes)] = high - 1
    return space.canonical(rows)
