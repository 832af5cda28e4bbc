"""What a predictor sees of an architecture: its decisions, and costs that follow from them."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt

from search_spaces.space import Space
from search_spaces.specs import SKIP

Floats = npt.NDArray[np.float64]


class Encoder:
    """Rows of one space as numbers: ``decisions`` (0 where a choice is not read) and ``costs``.

    Equal networks with different rows are encoded alike, because rows are made canonical first
    and what a choice says is masked out wherever the network does not ask it.
    """

    def __init__(self, space: Space) -> None:
        self.space = space
        sizes = [len(choice.values) for choice in space.choices]
        self._offsets = np.concatenate([[0], np.cumsum(sizes)])
        scales = [_ordinal(choice.values) for choice in space.choices]
        self._ordered = {c: scale for c, scale in enumerate(scales) if scale is not None}
        self._macs = np.array([spec.macs for spec in space.specs], dtype=np.float64)
        self._params = np.array([spec.params for spec in space.specs], dtype=np.float64)
        self._present = np.array([spec != SKIP for spec in space.specs], dtype=np.float64)
        self._stages = stages(space)

    def __call__(self, X: npt.ArrayLike) -> tuple[Floats, Floats]:
        """Decisions [n, options + ordered choices] in -1..1, and costs [n, 3 + 3 stages]."""
        rows = self.space.canonical(X)
        return self._decisions(rows), self._costs(rows)

    def _decisions(self, rows: npt.NDArray[np.int64]) -> Floats:
        used = self.space.used(rows)
        options = int(self._offsets[-1])
        encoded = np.zeros((len(rows), options + len(self._ordered)))
        np.put_along_axis(encoded, rows + self._offsets[:-1], used.astype(np.float64), axis=1)
        for column, (choice, scale) in enumerate(self._ordered.items(), start=options):
            encoded[:, column] = np.where(used[:, choice], scale[rows[:, choice]], 0)
        return encoded

    def _costs(self, rows: npt.NDArray[np.int64]) -> Floats:
        index = self.space.index(rows)
        per_layer = (self._macs[index], self._params[index], self._present[index])
        starts = [stage.start for stage in self._stages]
        macs, params, depth = (np.add.reduceat(values, starts, axis=1) for values in per_layer)
        totals = [np.log1p(macs.sum(1)), np.log1p(params.sum(1)), depth.sum(1)]
        return np.column_stack([*totals, macs, params, depth])


def _ordinal(values: tuple[object, ...]) -> Floats | None:
    """The values of a choice spread over -1..1 where they are three numbers or more, else none.

    Two options are one column already; the middle of the range is where an unread choice stands.
    """
    numbers = [v for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
    if len(numbers) < max(3, len(values)):
        return None
    numeric = np.array(numbers, dtype=np.float64)
    spread: Floats = 2 * (numeric - numeric.min()) / np.ptp(numeric) - 1
    return spread


def stages(space: Space) -> tuple[range, ...]:
    """The slots as runs of neighbours: of one name before the last dot, on maps of one size.

    Sizes are those of the largest network; a slot that is absent there belongs to the one before.
    """
    sizes = {node.slot: node.spec.output.shape[1:] for node in space.lower_row(space.largest).nodes}
    keys: list[tuple[str, tuple[int, ...]]] = []
    for slot in space.slots:
        before = keys[-1][1] if keys else ()
        keys.append((slot.rpartition(".")[0], sizes.get(slot, before)))
    ends = [i + 1 for i, (a, b) in enumerate(itertools.pairwise(keys)) if a != b]
    return tuple(itertools.starmap(range, itertools.pairwise([0, *ends, len(keys)])))
