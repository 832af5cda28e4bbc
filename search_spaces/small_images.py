"""``small-images``: networks for 32x32 images that two CPU cores can train.

Fused-MBConv where maps are large, since a plain convolution runs near the peak of a CPU and a
depthwise one does not; MBConv at the end, where maps are 4x4 and parameters count. Channels are
multiples of 8, the natural widths of blocked layouts.
"""

from __future__ import annotations

from dataclasses import dataclass

from search_spaces.choices import choice, one_of
from search_spaces.errors import SpaceError
from search_spaces.net import Net
from search_spaces.space import Space
from search_spaces.specs import Classifier, Conv, FusedMBConv, MBConv, divisible

NAME = "small-images"


@dataclass(frozen=True)
class Stage:
    """Blocks of one kind, the first with the stride."""

    name: str
    fused: bool
    widths: tuple[int, ...]
    depths: tuple[int, ...]
    kernels: tuple[int, ...]
    expands: tuple[float, ...]


SPANS = {
    "wide": (
        Stage("s1", True, (16, 24, 32), (1, 2), (3,), (1, 1.5, 2)),
        Stage("s2", True, (32, 40, 48), (1, 2), (3,), (1, 1.5, 2)),
        Stage("s3", True, (48, 64, 80), (1, 2, 3), (3,), (0.5, 1, 1.5)),
        Stage("s4", False, (64, 80, 96, 112), (1, 2, 3), (3, 5), (1, 1.5, 2, 2.5)),
    ),
    "narrow": (
        Stage("s1", True, (32,), (1, 2), (3,), (1.5, 2)),
        Stage("s2", True, (48,), (1, 2), (3,), (1.25, 1.5, 1.75, 2)),
        Stage("s3", True, (64, 72, 80), (2, 3), (3,), (0.75, 1, 1.25, 1.5)),
        Stage("s4", False, (88, 96, 104, 112), (2, 3), (3, 5), (1, 1.25, 1.5, 1.75, 2, 2.25, 2.5)),
    ),
}
"""Stages of networks that differ much or little; the largest is the same."""
STRIDES = (2, 2, 1, 2)


def small_images(
    resolutions: tuple[int, ...] = (24, 28, 32),
    num_classes: int = 10,
    width: float = 1.0,
    strides: tuple[int, ...] = STRIDES,
    span: str = "wide",
) -> Space:
    """The space. ``resolutions`` ascend, each at least 8; ``width`` scales all channels.

    ``strides`` are those of the four stages, 1 or 2: where maps stay large for longer, as with
    (1, 2, 2, 2), networks cost and see more.

    ``span`` is how far networks are apart: with strides of (2, 1, 2, 2) the largest has 29 times as
    many MACs as the smallest with "wide", and 8 times with "narrow" (6 times with resolutions of
    (28, 30, 32)), in finer steps, so that networks which share weights are more alike.
    """
    resolutions = tuple(resolutions)
    strides = tuple(strides)
    if span not in SPANS:
        raise SpaceError(f"span is one of {', '.join(SPANS)}; got {span!r}")
    stages = SPANS[span]
    if len(strides) != len(stages) or not set(strides) <= {1, 2}:
        raise SpaceError(f"strides are 1 or 2, one for each of {len(stages)} stages; got {strides}")
    if not resolutions or list(resolutions) != sorted(set(resolutions)) or resolutions[0] < 8:
        raise SpaceError(f"resolutions ascend from 8 or more, each once; got {resolutions}")
    if num_classes < 2:
        raise SpaceError(f"num_classes is 2 or more; got {num_classes}")
    if not width > 0:
        raise SpaceError(f"width is above 0; got {width}")
    act = "h_swish"
    net = Net(image=(3, choice("resolution", *resolutions)))
    net("stem", Conv, out=divisible(16 * width), kernel=3, act=act)
    for stage, stride in zip(stages, strides, strict=True):
        depth = choice(f"{stage.name}.depth", *stage.depths)
        out = choice(
            f"{stage.name}.width", *dict.fromkeys(divisible(w * width) for w in stage.widths)
        )
        for i in range(stage.depths[-1]):
            net(
                f"{stage.name}.{i}",
                FusedMBConv if stage.fused else MBConv,
                out=out,
                kernel=one_of(*stage.kernels) if len(stage.kernels) > 1 else stage.kernels[0],
                expand=one_of(*stage.expands),
                stride=1 if i else stride,
                act=act,
                residual=i > 0,
                when=depth > i,
            )
    net("head", Conv, out=divisible(256 * width), kernel=1, act=act)
    net("classifier", Classifier, classes=num_classes)
    return Space(net, NAME, rows_are_exact=True)
