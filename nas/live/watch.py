"""Looks at a search now and then, seldom enough that the search does not notice."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.live import Live
from rich.text import Text

from nas.live.picture import line, picture
from nas.live.progress import Looked, Progress
from nas.search.loop import Step
from nas.search.study import Study
from nas.terminal import QUIET_INTERVAL_S, Screen

__all__ = ["Watch", "watching"]

INTERVAL_S = 0.25
SHARE = 0.01
"""Of a search's time, about, that looking at it may take."""
USUAL_S = 0.003
"""What a look is taken to cost before there was one."""


class Watch:
    """An observer of one search that shows what it sees at most every ``interval`` seconds.

    Looks that take long are put off, so that all of them together take ``SHARE`` of the time.
    """

    def __init__(self, show: Callable[[Looked], None], interval: float = INTERVAL_S) -> None:
        self._show = show
        self._interval = interval
        self._progress = Progress()
        self._began = self._last = time.monotonic()
        self._spent, self._cost = 0.0, USUAL_S

    def __call__(self, study: Study, step: Step) -> None:
        """After each batch of a search."""
        limits = step.budget
        self.see(study, int(step.evaluations), limits.evaluations, step.seconds, limits.seconds)

    def see(
        self,
        study: Study,
        evaluations: int,
        budget: int | None,
        seconds: float,
        until_s: float | None = None,
    ) -> None:
        """Show the search if it is time to."""
        self._progress.begin(evaluations, seconds)
        now = time.monotonic()
        room = SHARE * (now - self._began) - self._spent
        if now - self._last < self._interval or room < self._cost:
            return
        self._show(self._progress.look(study, evaluations, budget, seconds, until_s))
        self._last = time.monotonic()
        self._cost = self._last - now
        self._spent += self._cost


@contextmanager
def watching(screen: Screen, title: str) -> Iterator[Watch]:
    """A live picture that is gone afterwards; no terminal gets a line now and then instead."""
    if not screen.err.is_terminal:
        yield Watch(lambda looked: screen.say(line(title, looked)), QUIET_INTERVAL_S)
        return
    plain = screen.err.options.ascii_only
    # Drawn when a search says something, by its own thread: none is left waiting beside it.
    with Live(console=screen.err, auto_refresh=False, transient=True) as live:

        def show(looked: Looked) -> None:
            text = picture(title, looked, screen.err.width, plain=plain)
            live.update(Text(text, no_wrap=True, overflow="crop"), refresh=True)

        yield Watch(show)
