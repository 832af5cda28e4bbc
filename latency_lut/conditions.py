"""What sways the times of a device beside all that its fingerprint names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Union

# By name: ``governor`` (of the processor's clock), ``celsius`` (of the hottest thermal zone),
# ``load`` (processes that ran or waited, on average). None: the device does not tell.
# Written so that Python 3.9 reads it too: offline campaigns run there.
Conditions = Mapping[str, Union[str, float, None]]  # noqa: UP007

STEADY = "performance"


def described(conditions: Conditions) -> str:
    """In words: ``governor performance, celsius absent, load 0.1``; empty where nothing is told."""
    return ", ".join(
        f"{name} {'absent' if value is None else value}" for name, value in conditions.items()
    )


def remarks(conditions: Conditions) -> list[str]:
    """What a person should hear before a campaign: one line each."""
    governor = conditions.get("governor")
    if governor in (None, STEADY):
        return []
    return [
        f"the governor of the device's clock is {governor}, not {STEADY}: times will move with the "
        f"load; for a steadier table run `sudo cpupower frequency-set -g {STEADY}` there first"
    ]
