"""How long the page has been out of reach, and what the terminal says of it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from latency_lut.errors import DeviceError


@dataclass
class Silence:
    """``hear`` at every word from the page, ``check`` while one is due.

    After ``limit_s`` seconds the terminal hears of it, then each time that the silence has
    doubled; after ``patience_s`` the campaign ends.
    """

    say: Callable[[str], None]
    clock: Callable[[], float]
    limit_s: float
    patience_s: float = math.inf
    where: str = ""

    def __post_init__(self) -> None:
        self.heard = self.clock()
        self._next = self.limit_s

    def hear(self) -> bool:
        """A word from the page; True if the terminal had been told that it was gone."""
        now = self.clock()
        gone, self.heard = now - self.heard, now
        told = self._next > self.limit_s
        self._next = self.limit_s
        if told:
            self.say(f"the page is back after {spoken(gone)}; the campaign goes on")
        return told

    def check(self) -> None:
        """Say so if the page is silent. Raises ``DeviceError`` when patience ends."""
        silent = self.clock() - self.heard
        if silent >= self.patience_s:
            raise DeviceError(
                f"no word from the page for {spoken(silent)}; open {self.where} and run the same "
                "command again, a table's samples are kept"
            )
        if silent >= self._next:
            self._next = 2 * silent
            self.say(
                f"no word from the page for {spoken(silent)} (closed, locked or out of reach?): "
                f"the campaign waits, and goes on when {self.where} is open again"
            )


def spoken(seconds: float) -> str:
    """Seconds as a person says them."""
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
