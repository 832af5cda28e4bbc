"""MobileNetV2 and MobileNetV3 for small images, by width and by where their strides are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from search_spaces import Net, Space, choice
from search_spaces.plan import Plan
from search_spaces.specs import Classifier, Conv, MBConv, SeparableConv, divisible

WIDTHS = (
    *(round(0.05 + 0.025 * i, 3) for i in range(18)),
    *(round(0.5 + 0.05 * i, 2) for i in range(21)),
)
# Which of the five strides (stem and the four stages that halve) stay 2.
PLACEMENTS = {
    "early": (2, 2, 2, 1, 1),
    "middle": (1, 2, 2, 2, 1),
    "late": (1, 1, 2, 2, 2),
}


def mobilenet_v2(width: float, strides: Sequence[int], classes: int) -> Net:
    """Sandler et al., CVPR 2018, table 2."""
    stem, *halving = strides
    net = Net(image=(3, choice("resolution", 32)))
    net("stem", Conv, out=divisible(32 * width), stride=stem, act="relu6")
    net("first", SeparableConv, out=divisible(16 * width), act="relu6", residual=False)
    stages = ((24, 2, 0), (32, 3, 1), (64, 4, 2), (96, 3, None), (160, 3, 3), (320, 1, None))
    for number, (out, blocks, which) in enumerate(stages):
        for i in range(blocks):
            net(
                f"s{number}.{i}",
                MBConv,
                out=divisible(out * width),
                expand=6,
                stride=halving[which] if which is not None and i == 0 else 1,
                act="relu6",
            )
    net("head", Conv, out=divisible(1280 * width), kernel=1, act="relu6")
    net("classifier", Classifier, classes=classes)
    return net


def mobilenet_v3(width: float, strides: Sequence[int], classes: int) -> Net:
    """MobileNetV3-Large; Howard et al., ICCV 2019, table 1."""
    stem, *halving = strides
    net = Net(image=(3, choice("resolution", 32)))
    net("stem", Conv, out=divisible(16 * width), stride=stem, act="h_swish")
    net("first", SeparableConv, out=divisible(16 * width), act="relu")
    # Kernel, channels inside, channels, squeeze-excite, activation, which of the strides.
    blocks = (
        (3, 64, 24, False, "relu", 0),
        (3, 72, 24, False, "relu", None),
        (5, 72, 40, True, "relu", 1),
        (5, 120, 40, True, "relu", None),
        (5, 120, 40, True, "relu", None),
        (3, 240, 80, False, "h_swish", 2),
        (3, 200, 80, False, "h_swish", None),
        (3, 184, 80, False, "h_swish", None),
        (3, 184, 80, False, "h_swish", None),
        (3, 480, 112, True, "h_swish", None),
        (3, 672, 112, True, "h_swish", None),
        (5, 672, 160, True, "h_swish", 3),
        (5, 960, 160, True, "h_swish", None),
        (5, 960, 160, True, "h_swish", None),
    )
    taken = divisible(16 * width)
    for number, (kernel, inside, out, se, act, which) in enumerate(blocks):
        net(
            f"b{number}",
            MBConv,
            out=divisible(out * width),
            kernel=kernel,
            expand=divisible(inside * width) / taken,
            stride=1 if which is None else halving[which],
            act=act,
            se=se,
        )
        taken = divisible(out * width)
    net("head", Conv, out=divisible(960 * width), kernel=1, act="h_swish")
    net("classifier", Classifier, classes=classes, hidden=divisible(1280 * width), act="h_swish")
    return net


FAMILIES: Mapping[str, Callable[[float, Sequence[int], int], Net]] = {
    "MobileNetV2": mobilenet_v2,
    "MobileNetV3": mobilenet_v3,
}


@dataclass(frozen=True)
class Candidate:
    """A family at a placement and a width."""

    family: str
    placement: str
    width: float

    @property
    def name(self) -> str:
        """For a folder and a model."""
        return f"{self.family}-{self.placement}-{self.width}"

    def plan(self, classes: int) -> Plan:
        """The network."""
        net = FAMILIES[self.family](self.width, PLACEMENTS[self.placement], classes)
        space = Space(net, self.name)
        return space.lower_row(space.largest)


CANDIDATES = tuple(
    Candidate(family, placement, width)
    for family in FAMILIES
    for placement in PLACEMENTS
    for width in WIDTHS
)
