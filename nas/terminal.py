"""What a person sees: progress with time left on standard error, results on standard output."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

__all__ = ["Advance", "Lines", "Screen"]

Advance = Callable[[float, str], None]
"""Called with the number of units done so far and a short remark."""

QUIET_INTERVAL_S = 30.0


class Screen:
    """Progress and remarks go to standard error, the result alone to standard output."""

    def __init__(self, as_json: bool) -> None:
        self.as_json = as_json
        self.err = Console(stderr=True, highlight=False, soft_wrap=True)
        # No markup: a path may have [brackets].
        self.out = Console(highlight=False, soft_wrap=True, markup=False, emoji=False)

    def say(self, text: str) -> None:
        """A remark."""
        self.err.print(text, markup=False, emoji=False)

    def result(self, data: Mapping[str, Any], text: Any = None) -> None:
        """The outcome: one JSON object with ``--json``, else ``text`` (anything rich prints)."""
        if self.as_json:
            sys.stdout.write(json.dumps(data) + "\n")
        elif text is not None:
            self.out.print(text)

    @contextmanager
    def progress(self, title: str, total: float) -> Iterator[Advance]:
        """A bar with the time left; on a stream that is no terminal, a line now and then."""
        if not self.err.is_terminal:
            yield self._lines(title, total)
            return
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[remark]}"),
        )
        with Progress(*columns, console=self.err, transient=True) as bar:
            task: TaskID | None = None

            def advance(done: float, remark: str) -> None:
                nonlocal task
                if task is None:  # What an earlier call had done is not this one's speed.
                    task = bar.add_task(title, total=total, completed=done, remark=remark)  # type: ignore[arg-type]
                bar.update(task, completed=done, remark=remark)

            yield advance

    def _lines(self, title: str, total: float) -> Advance:
        began = last = time.monotonic()
        first: float | None = None

        def advance(done: float, remark: str) -> None:
            nonlocal began, first, last
            now = time.monotonic()
            if first is None:  # What an earlier call had done is not this one's speed.
                began, first = now, done
            if now - last >= QUIET_INTERVAL_S and done > first:
                last = now
                left = duration((now - began) * (total - done) / (done - first))
                self.say(f"{title}: {done:g}/{total:g}, {left} left  {remark}".rstrip())

        return advance


class Lines(Screen):
    """Progress as lines on a terminal too, where another bar might be; it has no result."""

    def __init__(self) -> None:
        super().__init__(as_json=False)

    @contextmanager
    def progress(self, title: str, total: float) -> Iterator[Advance]:
        """A line now and then."""
        yield self._lines(title, total)


def duration(seconds: float) -> str:
    """Seconds as a person says them."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
