"""``ofa-resnet50``: the ResNet-50 family of Once for All.

Four stages of bottlenecks (ResNet-D: He et al., "Bag of Tricks", CVPR 2019) with elastic depth,
expansion and width, behind a stem whose widths are elastic and whose middle convolution may be
left out.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence

import numpy as np

from search_spaces.choices import apply, choice, one_of
from search_spaces.net import Net
from search_spaces.ofa.options import RESOLUTIONS, ascending, whole
from search_spaces.space import Population, Space
from search_spaces.specs import Bottleneck, Classifier, Conv, MaxPool, divisible

NAME = "ofa-resnet50"
STEM = 64
STAGES = ((256, 2, 1), (512, 2, 2), (1024, 4, 2), (2048, 2, 2))
"""Channels at width 1, blocks that always stand, stride."""


def ofa_resnet50(
    widths: Sequence[float] = (0.65, 0.8, 1.0),
    resolutions: Sequence[int] = RESOLUTIONS,
    num_classes: int = 1000,
    expands: Sequence[float] = (0.2, 0.25, 0.35),
    depths: Sequence[int] = (0, 1, 2),
) -> Space:
    """The space. ``depths`` are blocks beyond those that always stand; ``expands`` are of what
    a block gives, not of what it takes; every channel count is a multiple of 8. Widths that round
    to the same channels (0.65 and 0.8 of the stem's inner ones) are one network, and one row.

    Raises ``SpaceError`` for options that do not ascend or are out of range.
    """
    whole(num_classes=num_classes)
    ascending(widths=widths, resolutions=resolutions, expands=expands)
    ascending(depths=depths, least=0)
    net = Net(image=(3, choice("resolution", *resolutions)))
    net("stem.0", Conv, out=apply(_inner, choice("stem.inner.width", *widths)), stride=2)
    # It stands where its depth is the greatest, which one depth always is.
    stands = (0, 1) if len(depths) > 1 else (1,)
    net("stem.1", Conv, residual=True, when=choice("stem.depth", *stands) > 0)
    net("stem.2", Conv, out=apply(_scaled, STEM, choice("stem.width", *widths)))
    net("stem.pool", MaxPool, kernel=3, stride=2)
    for stage, (base, always, stride) in enumerate(STAGES, start=1):
        depth = choice(f"s{stage}.depth", *depths)
        out = apply(_scaled, base, choice(f"s{stage}.width", *widths))
        for i in range(always + depths[-1]):
            net(
                f"s{stage}.{i}",
                Bottleneck,
                out=None if i else out,
                expand=one_of(*expands),
                stride=1 if i else stride,
                project=i == 0,
                when=depth > i - always,
            )
    net("classifier", Classifier, classes=num_classes)
    counts = {"stem.inner.width": [_inner(width) for width in widths]}
    counts["stem.width"] = [_scaled(STEM, width) for width in widths]
    for stage, (base, _, _) in enumerate(STAGES, start=1):
        counts[f"s{stage}.width"] = [_scaled(base, width) for width in widths]
    outs = {_scaled(base, width) for base, _, _ in STAGES for width in widths}
    told = all(len({_middle(out, e) for e in expands}) == len(expands) for out in outs)
    size = len(resolutions) * len(stands)
    size *= math.prod(len(set(channels)) for channels in counts.values())
    size *= math.prod(sum(len(expands) ** (a + d) for d in depths) for _, a, _ in STAGES)
    canonical = functools.partial(_first_of_equal_widths, counts)
    return Space(net, NAME, rows_are_exact=told, canonical=canonical, size=size)


def _first_of_equal_widths(
    counts: Mapping[str, Sequence[int]], space: Space, rows: Population
) -> Population:
    """Rows in which of widths that round to the same channels the first stands."""
    merged = rows.copy()
    for i, decision in enumerate(space.choices):
        if decision.name in counts:
            channels = counts[decision.name]
            merged[:, i] = np.array([channels.index(c) for c in channels])[rows[:, i]]
    return merged


def _scaled(channels: int, width: float) -> int:
    return divisible(channels * width)


def _inner(width: float) -> int:
    return divisible(_scaled(STEM, width) // 2)


def _middle(out: int, expand: float) -> int:
    return divisible(round(out * expand))
