"""When two networks count as one, so that the second takes the values of the first."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from nas.search.problem import SearchError
from nas.search.searcher import Rows
from search_spaces.space import Space

Identity = Callable[[Rows], list[str]]
"""From canonical rows [n, choices] to a name for each; equal names are one network."""

NAMES = ("plan", "network")


def identity(space: Space, equality: str | Identity) -> Identity | None:
    """What tells networks apart; None where rows do that by themselves.

    ``"plan"``: equal layers in equal places, which is what shares weights in a supernet.
    ``"network"``: equal graphs, which is what trains alike from scratch. Or a function of the
    user's, such as a functional hash.

    Raises:
        SearchError: another name.
    """
    if callable(equality):
        return _checked(equality)
    if equality not in NAMES:
        raise SearchError(
            f"networks are told apart by {' or '.join(map(repr, NAMES))}, or by a function of "
            f"rows; got {equality!r}"
        )
    if space.rows_are_exact:
        return None
    return _plans(space) if equality == "plan" else _networks(space)


def _checked(function: Identity) -> Identity:
    def names(rows: Rows) -> list[str]:
        found = list(function(rows.copy()))
        if len(found) != len(rows) or not all(isinstance(name, str) for name in found):
            raise SearchError(
                f"a function that tells networks apart returns a text for each of {len(rows)} "
                f"rows; got {len(found)}, {found[:2]} first"
            )
        return found

    return names


def _plans(space: Space) -> Identity:
    def plans(rows: Rows) -> list[str]:
        # Hexadecimal, so that a study's file is text.
        return [plan.tobytes().hex() for plan in space.index(rows).astype(np.int32)]

    return plans


def _networks(space: Space) -> Identity:
    def networks(rows: Rows) -> list[str]:
        return [space.digest(space.decode(row)) for row in rows]

    return networks
