"""What a Ray worker does: keeps the work that it was sent, and does pieces of it."""

from __future__ import annotations

import pickle
import traceback
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import ray

from nas.engine.seam import EngineError, Work

# Functions that a worker keeps: those of a search with as many objectives.
KEPT = 8

# This process's own, where state has to live: Ray gives a task nothing that outlives it.
_works: OrderedDict[str, Work] = OrderedDict()


@dataclass(frozen=True)
class Shipped:
    """Work in the object store: ``key`` is its name in every worker, ``at`` holds its reference.

    In a tuple, because a reference that is an argument by itself would be fetched for every piece.
    """

    key: str
    at: tuple[Any]


@dataclass(frozen=True)
class Raised:
    """An exception of a piece, which is no failure of whoever did it."""

    error: Exception


def perform(shipped: Shipped, item: Any) -> Any:
    """What the work returns for one item, or ``Raised``."""
    try:
        return _work(shipped)(item)
    except ray.exceptions.RayError:
        raise
    except Exception as error:
        return Raised(_portable(error))


class Holder:
    """Has a device: does the pieces that need it, one at a time, whoever sends them."""

    def perform(self, shipped: Shipped, item: Any) -> Any:
        """As the function ``perform``."""
        return perform(shipped, item)


def _work(shipped: Shipped) -> Work:
    work = _works.get(shipped.key)
    if work is None:
        fetched: Work = ray.get(shipped.at[0])
        work = _works[shipped.key] = fetched
        if len(_works) > KEPT:
            _works.popitem(last=False)
    _works.move_to_end(shipped.key)
    return work


def _portable(error: Exception) -> Exception:
    """An exception that another process can read, with the place where it was raised as a note."""
    error.add_note("".join(traceback.format_exception(error)).rstrip())
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return EngineError(f"{type(error).__name__}: {error}")
    return error
