"""``ofa-mobilenetv3``: the MobileNetV3 family of Once for All (Cai et al., ICLR 2020).

Five stages of inverted bottlenecks after MobileNetV3-Large (Howard et al., ICCV 2019), each with
elastic depth, kernel and expansion. Published at widths 1.0 and 1.2.
"""

from __future__ import annotations

from collections.abc import Sequence

from search_spaces.choices import choice, one_of
from search_spaces.net import Net
from search_spaces.ofa.options import RESOLUTIONS, ascending, positive, whole
from search_spaces.space import Space
from search_spaces.specs import Classifier, Conv, MBConv, SeparableConv, divisible

NAME = "ofa-mobilenetv3"
STEM = 16
FIRST = 16
STAGES = (
    (24, 2, "relu", False),
    (40, 2, "relu", True),
    (80, 2, "h_swish", False),
    (112, 1, "h_swish", True),
    (160, 2, "h_swish", True),
)
"""Channels at width 1, stride, activation, squeeze-excite."""
LAST = 960
HIDDEN = 1280


def ofa_mobilenetv3(
    width: float = 1.0,
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
    net("stem", Conv, out=divisible(STEM * width), stride=2, act="h_swish")
    net("first", SeparableConv, out=divisible(FIRST * width), act="relu")
    for stage, (out, stride, act, se) in enumerate(STAGES, start=1):
        depth = choice(f"s{stage}.depth", *depths)
        for i in range(depths[-1]):
            net(
                f"s{stage}.{i}",
                MBConv,
                out=divisible(out * width),
                kernel=one_of(*kernels),
                expand=one_of(*expands),
                stride=1 if i else stride,
                act=act,
                se=se,
                when=depth > i,
            )
    net("last", Conv, out=divisible(LAST * width), kernel=1, act="h_swish")
    hidden = divisible(HIDDEN * width)
    net("classifier", Classifier, classes=num_classes, hidden=hidden, act="h_swish")
    return Space(net, NAME, rows_are_exact=True)
