"""What a predictor sees of an architecture: its decisions, and costs that follow from them."""

from __future__ import annotations

import itertools
import math
from dataclasses import asdict, dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from predictors.method import Floats, State
from search_spaces.space import Population, Space
from search_spaces.specs import SKIP

Singles = npt.NDArray[np.float32]

OUTER, BEYOND = 0.05, 0.5
"""Without this share of a proxy's values at either end, those that are beyond the range of the rest
by more than so many ranges count by order alone."""


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
        self._ordered = [c for c, scale in enumerate(scales) if scale is not None]
        self._scale = np.concatenate(
            [np.zeros(size) if s is None else s for s, size in zip(scales, sizes, strict=True)]
        )
        self._macs = np.array([spec.macs for spec in space.specs], dtype=np.float64)
        self._params = np.array([spec.params for spec in space.specs], dtype=np.float64)
        self._present = np.array([spec != SKIP for spec in space.specs], dtype=np.float64)
        self.stages = stages(space)

    @property
    def metrics(self) -> Floats:
        """What costs are sums of: MACs, parameters, and 1 for each layer, [3, specs]."""
        return np.stack([self._macs, self._params, self._present])

    def split(self, weights: Floats) -> tuple[Floats, Floats, Floats]:
        """Weights [features] as those of decisions and those of costs.

        Of decisions, what a read option is worth by itself [options] and by its place on the
        scale of an ordered choice [options].
        """
        options, ordered = len(self._scale), len(self._ordered)
        by_scale = np.zeros(options)
        for choice, weight in zip(self._ordered, weights[options:], strict=False):
            at = slice(self._offsets[choice], self._offsets[choice + 1])
            by_scale[at] = weight * self._scale[at]
        return weights[:options], by_scale, weights[options + ordered :]

    def __call__(self, X: npt.ArrayLike) -> tuple[Singles, Floats, npt.NDArray[np.int32]]:
        """Decisions [n, options + ordered choices] in -1..1, costs [n, 3 + 3 stages], and the
        plans [n, slots] as ``space.index`` has them, of canonical rows.
        """
        rows, used, plans = self.space.resolved(X)
        return self._decisions(rows, used), self._costs(plans), plans

    def _decisions(self, rows: Population, used: npt.NDArray[np.bool_]) -> Singles:
        at = rows + self._offsets[:-1]
        width = len(self._scale) + len(self._ordered)
        flat = np.zeros(len(rows) * width, dtype=np.float32)
        flat[at + width * np.arange(len(rows))[:, None]] = used
        encoded = flat.reshape(len(rows), width)
        ordered = self._scale[at[:, self._ordered]] * used[:, self._ordered]
        encoded[:, len(self._scale) :] = ordered
        return encoded

    def _costs(self, plans: npt.NDArray[np.int32]) -> Floats:
        """Log MACs, log parameters, layers; and MACs, parameters, layers by stage."""
        per_layer = (self._macs[plans], self._params[plans], self._present[plans])
        starts = [stage.start for stage in self.stages]
        macs, params, depth = (np.add.reduceat(values, starts, axis=1) for values in per_layer)
        totals = [np.log1p(macs.sum(1)), np.log1p(params.sum(1)), depth.sum(1)]
        return np.column_stack([*totals, macs, params, depth])


@dataclass(frozen=True, eq=False)
class Standard:
    """How costs and proxies become features: less ``centre``, by ``spread``, both [numbers].

    A proxy is two numbers, so that no value of it, however wild, says more than that it is the
    last: its place among the samples' values, and itself within limits that most samples keep.
    ``known`` [samples, proxies] are those values in order.
    """

    centre: Floats
    spread: Floats
    known: Floats

    @classmethod
    def of(cls, costs: Floats, proxies: Floats) -> Self:
        """That of samples: costs [n, costs] and proxies [n, proxies]."""
        known = np.sort(proxies, axis=0)
        numbers = _numbers(known, costs, proxies)
        centre, spread = numbers.mean(0), numbers.std(0)
        varies = spread > 1e-9 * np.abs(centre)
        return cls(centre, np.where(varies, spread, 1), known)

    def features(self, decisions: Singles, costs: Floats, proxies: Floats) -> Singles:
        """All that a method regresses on: [n, features]."""
        numbers = _numbers(self.known, costs, proxies)
        standard = ((numbers - self.centre) / self.spread).astype(np.float32)
        return np.concatenate([decisions, standard], axis=1)

    def arrays(self) -> State:
        """For a file; ``from_arrays`` takes them out of all that is there."""
        return {f"features.{name}": array for name, array in asdict(self).items()}

    @classmethod
    def from_arrays(cls, state: State) -> Self:
        """The inverse of ``arrays``."""
        return cls(*(state[f"features.{name}"] for name in ("centre", "spread", "known")))


def _numbers(known: Floats, costs: Floats, proxies: Floats) -> Floats:
    """Costs, the places of proxies, and proxies within limits: [n, costs + 2 proxies]."""
    places = [place(values, of) for values, of in zip(proxies.T, known.T, strict=True)]
    cut = min(math.ceil(OUTER * (len(known) - 1)), (len(known) - 1) // 2)
    low, high = known[cut], known[len(known) - 1 - cut]
    # By the limits themselves, because squares of what is within them may be too large.
    largest = np.maximum(np.maximum(np.abs(low), np.abs(high)), np.finfo(np.float64).tiny)
    beyond = BEYOND * (high / largest - low / largest)
    with np.errstate(over="ignore"):
        low, high = (low / largest - beyond) * largest, (high / largest + beyond) * largest
    return np.column_stack([costs, *places, np.clip(proxies, low, high) / largest])


def place(values: Floats, known: Floats) -> Floats:
    """Where ``values`` [n] stand among ``known`` [samples], in order, 0 (first) to 1 (last): [n].

    The mean place of equal ones, and in between by interpolation.
    """
    ends, counts = np.unique(known, return_counts=True)
    ranks = np.cumsum(counts) - (counts + 1) / 2
    # Halved, so that no difference of two of them is too large.
    found: Floats = np.interp(values / 2, ends / 2, ranks / max(len(known) - 1, 1))
    return found


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
