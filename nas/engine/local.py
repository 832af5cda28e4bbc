"""Pieces of work in this process, one after another, in their order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from nas.engine.seam import Work, pieces


class LocalEngine:
    """See ``Engine``. No device has two pieces at a time, because nothing has."""

    def map(
        self, work: Work, items: Iterable[Any], needs: Sequence[str | None] | None = None
    ) -> Iterator[tuple[int, Any]]:
        return _each(work, pieces(items, needs))


LOCAL = LocalEngine()


def _each(work: Work, listed: list[tuple[Any, str | None]]) -> Iterator[tuple[int, Any]]:
    for number, (item, _) in enumerate(listed):
        try:
            outcome = work(item)
        except Exception as error:
            outcome = error
        yield number, outcome
