"""What is evaluated before there is anything to learn from: networks of all sizes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from nas.search.searcher import Floats, Rows
from nas.search.seen import Seen, keys
from nas.search.surrogate.proposals import inner_search
from nas.search.task import Task

POOL = 1_000
# One of so many that are near in size is taken: the nearest would often be the same.
NEAR = 10
# Where free limits leave less of a random pool than this share, rows that keep them are searched.
SCARCE = 0.2
SIZE, GENERATIONS = 100, 10
# Rows that are less likely to be evaluated than this share of the likeliest are left out.
UNLIKELY = 0.7


class Start:
    """Rows whose logarithms of MACs follow van der Corput's sequence, the ends first.

    Chance proposes mostly networks of middling size, and a process is blind at the ends. What is
    free and limited is respected from the first row on.
    """

    def __init__(self, task: Task, rng: np.random.Generator) -> None:
        self._task = task
        self._rng = rng
        self._drawn = 0
        self._pool: Rows | None = None

    def __call__(
        self, n: int, seen: Seen, chance: Callable[[Rows], Floats | None] | None = None
    ) -> Rows:
        """At most ``n`` rows that are not in ``seen``, which then holds them.

        ``chance`` of rows [m, choices] is that they are evaluated and do not fail: [m], or None
        while nothing has failed.
        """
        if not n:
            return np.empty((0, len(self._task.space.choices)), dtype=np.int64)
        if self._pool is None:
            self._pool = self._possible()
        left = self._pool[[key not in seen for key in keys(self._pool)]]
        likely = chance(left) if chance is not None and len(left) else None
        if likely is not None:
            # Of few that are likely the next likeliest are as good as what comes after a start.
            least = np.sort(likely)[-min(n, len(left))]
            left = left[likely >= min(UNLIKELY * likely.max(), least)]
        chosen: list[int] = []
        sizes = np.log1p(self._task.space.macs(left)) if len(left) else np.empty(0)
        for _ in range(min(n, len(left))):
            chosen.append(self._next(sizes, chosen))
        rows = left[chosen]
        seen.add(rows)
        return rows

    def _next(self, sizes: Floats, taken: list[int]) -> int:
        number, self._drawn = self._drawn, self._drawn + 1
        low, high = sizes.min(), sizes.max()
        # 1/2, 1/4, 3/4, ... between the ends, which come first and are taken as they are.
        place = float(number) if number < 2 else van_der_corput(number - 1)
        distance = np.abs(sizes - (low + place * (high - low)))
        distance[taken] = np.inf
        near = np.argsort(distance, kind="stable")[: 1 if number < 2 else NEAR]
        near = near[np.isfinite(distance[near])]
        return int(self._rng.choice(near))

    def _possible(self) -> Rows:
        """Random rows and the two ends, without those that a free limit rules out."""
        space = self._task.space
        ends = np.stack([space.smallest, space.largest])
        rows = np.unique(np.concatenate([ends, space.sample(POOL, self._rng)]), axis=0)
        kept = rows[self._excess(rows).sum(axis=1) <= 0]
        if len(kept) >= SCARCE * len(rows):
            return kept
        found, _, excess = inner_search(
            self._task, self._spread, rows[:0], self._rng, size=SIZE, generations=GENERATIONS
        )
        kept = np.unique(np.concatenate([kept, found[excess.sum(axis=1) <= 0]]), axis=0)
        return kept if len(kept) else found[np.argsort(excess.sum(axis=1))[:NEAR]]

    def _spread(self, rows: Rows) -> tuple[Floats, Floats]:
        """Objectives that every size is best at, so that only limits and distance select."""
        sizes = np.log1p(self._task.space.macs(rows))
        return np.column_stack([sizes, -sizes]), self._excess(rows)

    def _excess(self, rows: Rows) -> Floats:
        """How far rows are above free limits, [n, limits]; 0 for what is not free."""
        excess = self._task.problem.violations(self._task.known(rows))
        return np.maximum(np.nan_to_num(excess, nan=0.0), 0)


def van_der_corput(number: int) -> float:
    """The binary digits of ``number`` mirrored at the point: 1/2, 1/4, 3/4, 1/8, ..."""
    digits = f"{number:b}"
    return int(digits[::-1], 2) / 2 ** len(digits)
