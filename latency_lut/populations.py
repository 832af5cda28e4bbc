"""Populations as a table sees them: the image of each row, its entries, how often each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from latency_lut.arrays import Index
from search_spaces.errors import SpaceError
from search_spaces.space import Population, Space
from search_spaces.specs import Tensor

TRIES = 64


def resolutions_of(space: Space, index: Index) -> npt.NDArray[np.int64]:
    """The side of the image that each plan takes: [n], from plans ``index`` [n, slots].

    The first layer that a network has can stand nowhere but at the image.
    """
    sides = np.array([s.inputs[0].shape[-1] if s.inputs else 0 for s in space.specs])
    first = np.argmax(index != 0, axis=1)
    return sides[index[np.arange(len(index)), first]]


def counts(index: Index, specs: int) -> npt.NDArray[np.float64]:
    """How often each spec stands in each plan: [n, specs]; SKIP is not counted."""
    found = np.zeros((len(index), specs))
    rows = np.arange(len(index))
    for column in index.T:
        np.add.at(found, (rows, column), 1)
    found[:, 0] = 0
    return found


def images(space: Space, resolutions: Sequence[int] | None = None) -> dict[int, Tensor]:
    """What networks take, by its side; only the asked ``resolutions``, None for all.

    Raises ``SpaceError`` for a side that the space does not have.
    """
    known = {tensor.shape[-1]: tensor for tensor in space.images}
    asked = tuple(known) if resolutions is None else tuple(resolutions)
    for side in asked:
        if side not in known:
            raise SpaceError(
                f"{space.name} has no networks at resolution {side}; it has "
                f"{', '.join(map(str, known))}"
            )
    return {side: known[side] for side in asked}


def sample_at(space: Space, resolution: int, n: int, rng: np.random.Generator) -> Population:
    """``n`` distinct canonical rows at an image side, uniform over choices: [<= n, choices].

    Fewer where the space has fewer.
    """
    kept: dict[bytes, Population] = {}
    for _ in range(TRIES):
        rows = space.sample(max(256, 4 * n), rng)
        for row in rows[resolutions_of(space, space.index(rows)) == resolution]:
            kept.setdefault(row.tobytes(), row)
        if len(kept) >= n:
            break
    return np.array(list(kept.values())[:n]).reshape(-1, len(space.choices))


def network_name(resolution: int, row: Sequence[int]) -> str:
    """The name of a whole network among the models of a campaign."""
    return f"network {resolution} {'.'.join(map(str, row))}"
