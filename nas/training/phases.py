"""When choices open: progressive shrinking (Cai et al., "Once for All", ICLR 2020, section 3.3).

The largest network is trained first, at all resolutions; then choices of one kind after another may
take smaller values, so that small networks share weights which already serve large ones.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from nas.config import PHASES, Phase, PhaseName
from search_spaces import Choice, Space
from search_spaces.errors import ConfigError

__all__ = ["Options", "check_kinds", "inside", "kind", "opens", "smallest_open"]

Options = npt.NDArray[np.int64]
"""For every choice an option: [choices]."""

KINDS: dict[str, PhaseName] = {
    "resolution": "largest",
    "kernel": "kernel",
    "depth": "depth",
    "expand": "expand",
    "width": "width",
}
"""The first phase in which a kind of choice is open; any other kind opens with ``all``."""


def kind(choice: Choice) -> str:
    """What a choice decides: the last part of its name."""
    return choice.name.rsplit(".", 1)[-1]


def inside(space: Space) -> npt.NDArray[np.bool_]:
    """Which choices stand at a place in the network, as the size of images does not: [choices]."""
    return np.array([kind(choice) != "resolution" for choice in space.choices])


def opens(choice: Choice) -> PhaseName:
    """The phase that opens a choice."""
    return KINDS.get(kind(choice), "all")


def check_kinds(space: Space, phases: Sequence[Phase]) -> None:
    """Raise ``ConfigError`` for a choice that none of ``phases`` opens, or a phase that opens none.

    A search chooses among all values of all choices, and weights that no small value was trained
    with are worth nothing to it. A phase of 0 epochs says that this is meant.
    """
    varying = [choice for choice in space.choices if len(choice.values) > 1]
    last = phases[-1].name
    closed = [choice for choice in varying if not _reached(opens(choice), last)]
    if closed:
        opener = max((opens(choice) for choice in closed), key=PHASES.index)
        raise ConfigError(
            f"every choice that a search may take is trained; train.phases ends with "
            f"{last}, which leaves {', '.join(c.name for c in closed)} of {space.name} "
            f"at their largest: add {{name: {opener}, epochs: N}} (0 to leave them untrained on "
            "purpose)"
        )
    there = {opens(choice) for choice in varying}
    for phase in phases:
        if phase.name not in ("largest", "all") and phase.name not in there:
            raise ConfigError(
                f"train.phases has a phase {phase.name}, and {space.name} has no choice of that "
                f"kind; its phases are {', '.join(name for name in PHASES if name in there)}"
            )


def smallest_open(space: Space, phases: Sequence[Phase], number: int) -> Options:
    """The lowest option of every choice [choices] that is open in phase ``number``.

    A phase that is named twice opens its choices in two steps, the upper half of their values
    first, as Once for All does with depth and expansion.
    """
    name = phases[number].name
    times = sum(phase.name == name for phase in phases)
    time = sum(phase.name == name for phase in phases[: number + 1])
    low = []
    for choice in space.choices:
        top = len(choice.values) - 1
        if not _reached(opens(choice), name):
            low.append(top)
        else:
            # What an earlier phase could have opened, had it been there, opens at once.
            low.append(top * (times - time) // times if opens(choice) == name else 0)
    return np.array(low, dtype=np.int64)


def largest(space: Space) -> Options:
    """The largest option of every choice [choices]."""
    return np.array([len(choice.values) - 1 for choice in space.choices], dtype=np.int64)


def _reached(opener: PhaseName, phase: PhaseName) -> bool:
    return PHASES.index(opener) <= PHASES.index(phase)
