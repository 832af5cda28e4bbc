"""Which subnets a step trains, among those whose choices are open.

A sampler takes a ``Draw`` and returns canonical rows [n, choices]. Where the largest network
teaches in place it comes first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nas.training.phases import Options, inside
from search_spaces import Space
from search_spaces.space import Population

__all__ = [
    "Draw",
    "Front",
    "Losses",
    "Sampler",
    "always",
    "attentive",
    "bounded",
    "fair",
    "near_frontier",
    "sandwich",
    "uniform",
]

CANDIDATES = 3
"""Networks that an attentive sampler chooses one of (Wang et al. 2021 find 3 to 50 alike)."""
NEAR = 0.05
"""How far from the drawn MACs candidates may be, relative to the range."""
DRAWS = 64
ELSEWHERE = 0.25
"""Share of networks that are drawn from everywhere: what the frontier is judged against."""
CHANGED = 0.1
"""Chance that a choice of a network on the frontier is drawn anew."""

Losses = Callable[[Population], npt.NDArray[np.float64]]


@dataclass(frozen=True, eq=False)
class Front:
    """The frontier as it is known.

    Attributes:
        rows: its networks [n, choices] by MACs.
        settled: whether they are all that is still trained, with the two ends.
    """

    rows: Population
    settled: bool = False


@dataclass(frozen=True, eq=False)
class Draw:
    """What a sampler is given.

    Attributes:
        space: the space.
        low: the smallest open option of every choice [choices]; ``high`` is the largest.
        n: how many subnets a step trains.
        rng: what all randomness comes from.
        losses: of rows [m, choices] on this step's images, without gradients: [m].
        frontier: where it is known.
    """

    space: Space
    low: Options
    high: Options
    n: int
    rng: np.random.Generator
    losses: Losses
    frontier: Front | None = None

    def uniform(self, n: int) -> Population:
        """Rows [n, choices] uniform over choices, canonical."""
        shape = (n, len(self.low))
        return self.space.canonical(self.rng.integers(self.low, self.high + 1, shape))

    def differ(self) -> bool:
        """Whether open networks are more than one at several resolutions."""
        return bool((self.high > self.low)[inside(self.space)].any())

    def ends(self) -> tuple[Population, Population]:
        """The smallest and the largest open network, rows [1, choices] each."""
        rows = self.space.canonical(np.stack([self.low, self.high]))
        return rows[:1], rows[1:]


Sampler = Callable[[Draw], Population]


def uniform(draw: Draw) -> Population:
    """Uniform over choices: single-path one-shot (Guo et al., ECCV 2020, section 3.3)."""
    return draw.uniform(draw.n)


def always(row: Population) -> Sampler:
    """The network of ``row`` [1, choices] alone."""
    return lambda draw: np.repeat(row, draw.n, axis=0)


def bounded(extremes: float) -> Sampler:
    """Uniform; with probability ``extremes`` the smallest or the largest instead.

    They bound what all others can learn (Yu and Huang, ICCV 2019); the sandwich rule at the price
    of one subnet a step. Where all are the same network a step has one of them.
    """

    def sample(draw: Draw) -> Population:
        n = draw.n if draw.differ() else 1
        rows = draw.uniform(n)
        smallest, largest = draw.ends()
        chance = draw.rng.random(n)
        rows[chance < extremes / 2] = smallest
        rows[(chance >= extremes / 2) & (chance < extremes)] = largest
        return rows

    return sample


def sandwich(draw: Draw) -> Population:
    """The largest, random ones, the smallest (Yu et al., "BigNAS", ECCV 2020, section 3.1)."""
    smallest, largest = draw.ends()
    return np.concatenate([largest, draw.uniform(max(0, draw.n - 2)), smallest])


def fair(draw: Draw) -> Population:
    """Every open option as often as every other of its choice (Chu et al., "FairNAS", ICCV 2021).

    Their strict fairness, equation 4, for choices of unequal numbers of options: over the ``n``
    subnets of a step the options of a choice differ in number by at most one.
    """
    columns = []
    for low, high in zip(draw.low, draw.high, strict=True):
        options = high - low + 1
        rounds = [low + draw.rng.permutation(options) for _ in range(-(-draw.n // options))]
        columns.append(draw.rng.permutation(np.concatenate(rounds)[: draw.n]))
    return draw.space.canonical(np.stack(columns, axis=1))


def attentive(best: bool) -> Sampler:
    """The sandwich whose middle attends to networks on the frontier.

    Wang et al., "AttentiveNAS", CVPR 2021, section 3: MACs are drawn as they are distributed over
    the space, a few networks of about as many are compared by their loss on the step's images, and
    the ``best`` or the worst of them is trained.
    """

    def sample(draw: Draw) -> Population:
        smallest, largest = draw.ends()
        return np.concatenate(
            [largest, *(_attended(draw, best) for _ in range(max(0, draw.n - 2))), smallest]
        )

    return sample


def near_frontier(draw: Draw) -> Population:
    """The sandwich whose middle is near the frontier that is known, spread over its MACs.

    Few networks are trained often so, those that searches find, and their likes; of a settled
    frontier they themselves, each at most once a step. Where none is known it is a sandwich.
    """
    front = draw.frontier
    if front is None or not len(front.rows):
        return sandwich(draw)
    smallest, largest = draw.ends()
    n = max(0, draw.n - 2)
    if front.settled:
        middle = front.rows[draw.rng.permutation(len(front.rows))[:n]]
    else:
        middle = _likes(front.rows, n, draw)
    middle = draw.space.canonical(np.clip(middle, draw.low, draw.high))
    return np.concatenate([largest, middle, smallest])


def _likes(known: Population, n: int, draw: Draw) -> Population:
    """Rows [n, choices] near those that are known [m, choices], and some from elsewhere."""
    rng = draw.rng
    macs = np.log(draw.space.macs(known))
    wanted = rng.uniform(macs[0], macs[-1], n)
    rows = known[np.abs(macs - wanted[:, None]).argmin(axis=1)]
    anywhere = draw.uniform(n)
    # What a network does not read says nothing; it counts where a change makes another read it.
    anew = (rng.random(rows.shape) < CHANGED) | ~draw.space.used(rows)
    anew |= rng.random((n, 1)) < ELSEWHERE
    return np.where(anew, anywhere, rows)


def _attended(draw: Draw, best: bool) -> Population:
    rows = draw.uniform(DRAWS)
    macs = draw.space.macs(rows)
    # The first of a uniform sample has MACs as they are distributed.
    near = np.flatnonzero(np.abs(macs - macs[0]) <= NEAR * np.ptp(macs))[:CANDIDATES]
    losses = draw.losses(rows[near])
    chosen = near[int(losses.argmin() if best else losses.argmax())]
    return rows[chosen : chosen + 1]
