"""The seam of an engine: whoever can do independent pieces of work is one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol

from search_spaces.errors import NasLoopError

Work = Callable[[Any], Any]


class EngineError(NasLoopError):
    """An engine that is not to be had, or a piece of work that ends whoever does it."""


class Engine(Protocol):
    """Does pieces of work that do not depend on each other, each as if it were alone.

    A piece is a function and one item. The function stands for everything that pieces share
    (weights, images) and is sent to each worker once, however many pieces that worker does and in
    however many calls: what it builds when it is first called stays built there. So it must not be
    changed between calls; functions are told apart as ``==`` tells them apart, or, where they
    cannot be hashed, by identity. Random numbers come from the item (a seed) and not from who works
    on it: then every engine gives the same results.

    ``tests/conformance/test_engine.py`` is what an implementation has to pass.
    """

    def map(
        self, work: Work, items: Iterable[Any], needs: Sequence[str | None] | None = None
    ) -> Iterator[tuple[int, Any]]:
        """The number of each item, from 0, with what ``work`` returned for it, as they come.

        In place of a result stands the exception of a piece that raised one; the others go on.
        Whoever stops listening ends what was not handed out yet; what was goes on to its end.

        Args:
            work: called with one item.
            items: what it is called with.
            needs: for each item the name of the device that its piece needs to itself, or None. A
                device is given one piece at a time.

        Raises:
            EngineError: a name for more or fewer pieces than there are; work or an item that cannot
                be sent; a cluster that is lost.
        """
        ...


def pieces(
    items: Iterable[Any], needs: Sequence[str | None] | None
) -> list[tuple[Any, str | None]]:
    """Each item with the device that it needs.

    Raises ``EngineError`` where they are not as many.
    """
    listed = list(items)
    if needs is not None and len(needs) != len(listed):
        raise EngineError(
            f"needs has one device, or None, for each item; got {len(needs)} for {len(listed)}"
        )
    return list(zip(listed, needs or [None] * len(listed), strict=True))
