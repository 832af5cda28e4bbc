"""``ofa-proxyless``: the ProxylessNAS family of Once for All (Cai et al., ICLR 2020).

Six stages of inverted bottlenecks with ReLU6 and without squeeze-excite, at the widths of
ProxylessNAS (Cai et al., ICLR 2019); the last stage is one block. Published at width 1.3.
"""

from __future__ import annotations

from collections.abc import Sequence

from search_spaces.choices import choice, one_of
from search_spaces.net import Net
from search_spaces.ofa.options import RESOLUTIONS, ascending, positive, whole
from search_spaces.space import Space
from search_spaces.specs import Classifier, Conv, MBConv, SeparableConv, divisible

NAME = "ofa-proxyless"
ACT = "relu6"
EPSILON = 1e-3
"""Of the norms; that of the other families is PyTorch's 1e-5."""
STEM = 32
FIRST = 16
STAGES = ((24, 2), (40, 2), (80, 2), (96, 1), (192, 2), (320, 1))
"""Channels at width 1, stride."""
LAST = 1280


def ofa_proxyless(
    width: float = 1.3,
    resolutions: Sequence[int] = RESOLUTIONS,
    num_classes: int = 1000,
    kernels: Sequence[int] = (3, 5, 7),
    expands: Sequence[float] = (3, 4, 6),
    depths: Sequence[int] = (2, 3, 4),
) -> Space:
    """The space; every channel count is a multiple of 8, rounded as OFA's code rounds it.

    Raises ``SpaceError`` for options that do not ascend or are out of range.
    """
    positive(width=width)
    whole(num_classes=num_classes)
    ascending(resolutions=resolutions, kernels=kernels, expands=expands, depths=depths)
    net = Net(image=(3, choice("resolution", *resolutions)))
    net("stem", Conv, out=divisible(STEM * width), stride=2, act=ACT, epsilon=EPSILON)
    net(
        "first",
        SeparableConv,
        out=divisible(FIRST * width),
        act=ACT,
        residual=False,
        epsilon=EPSILON,
    )
    for stage, (out, stride) in enumerate(STAGES, start=1):
        last = stage == len(STAGES)
        depth = 1 if last else choice(f"s{stage}.depth", *depths)
        for i in range(1 if last else depths[-1]):
            net(
                f"s{stage}.{i}",
                MBConv,
                out=divisible(out * width),
                kernel=one_of(*kernels),
                expand=one_of(*expands),
                stride=1 if i else stride,
                act=ACT,
                epsilon=EPSILON,
                when=depth > i,
            )
    net("last", Conv, out=divisible(LAST * width), kernel=1, act=ACT, epsilon=EPSILON)
    net("classifier", Classifier, classes=num_classes)
    return Space(net, NAME, rows_are_exact=True)
