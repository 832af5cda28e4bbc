"""The options of a space, read off the shapes of weights saved by OFA's code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from search_spaces.errors import ArtefactError, SpaceError
from search_spaces.ofa import mobilenetv3, proxyless, resnet50
from search_spaces.ofa.weights import drawn_together
from search_spaces.specs import divisible
from search_spaces.unknown import unknown

if TYPE_CHECKING:
    from torch import Tensor

FAMILIES = (mobilenetv3.NAME, proxyless.NAME, resnet50.NAME)
PUBLISHED = (1.0, 1.2, 1.3)
WIDTHS = (
    *PUBLISHED,
    *(hundredths / 100 for hundredths in range(5, 301)),
    *(thousandths / 1000 for thousandths in range(50, 3001)),
)
"""Tried in this order: what was published, then every hundredth, then every thousandth."""


def options_of(
    name: str, state_dict: Mapping[str, Tensor], width: float | None = None
) -> dict[str, Any]:
    """``width`` and ``num_classes`` of the space ``name`` that the weights fit.

    A ``width`` that is known is not looked for. The first of ``WIDTHS`` is named that gives the
    channels of stem, first block and head; loading then compares every tensor. The widths of
    ResNet-50 cannot be told from its weights, which show the largest only: for it ``num_classes``
    alone is returned.

    Raises:
        SpaceError: a space that is not of the family.
        ArtefactError: weights of another family, or of no width.
    """
    if name not in FAMILIES:
        raise SpaceError(unknown("space of OFA's family", name, FAMILIES))
    sizes = {drawn_together(key): tuple(tensor.shape) for key, tensor in state_dict.items()}
    classes = _channels(sizes, name, "classifier.linear.weight")
    if classes < 2:
        raise ArtefactError(f"the weights are for {classes} class; it takes two to tell apart")
    if name == resnet50.NAME or width is not None:
        return {"num_classes": classes}
    bases = _bases(name)
    found = {key: _channels(sizes, name, key) for key in bases}
    for width in WIDTHS:
        if all(found[key] == divisible(base * width) for key, base in bases.items()):
            return {"width": width, "num_classes": classes}
    raise ArtefactError(
        f"no width gives {name} the channels of these weights ({sorted(found.values())}); are "
        "they of another network of the family?"
    )


def _bases(name: str) -> dict[str, int]:
    """Channels at width 1, by the name of a tensor that has them."""
    family = mobilenetv3 if name == mobilenetv3.NAME else proxyless
    bases = {
        "first_conv.conv.weight": family.STEM,
        "blocks.0.conv.point_linear.conv.weight": family.FIRST,
    }
    if name == mobilenetv3.NAME:
        bases["final_expand_layer.conv.weight"] = mobilenetv3.LAST
        bases["feature_mix_layer.conv.weight"] = mobilenetv3.HIDDEN
    else:
        bases["feature_mix_layer.conv.weight"] = proxyless.LAST
    return bases


def _channels(sizes: Mapping[str, tuple[int, ...]], name: str, key: str) -> int:
    if not sizes.get(key):
        raise ArtefactError(
            f"the weights have no {key!r}, which every supernet of {name} has; are they of another "
            "network of the family?"
        )
    return sizes[key][0]
