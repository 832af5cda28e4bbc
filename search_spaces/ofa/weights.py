"""Weights saved by OFA's published code, under the names of our supernets.

Its checkpoints name one tensor in several ways (``conv.conv.weight`` or ``conv.weight``,
``mobile_inverted_conv`` or ``conv``), depending on their age and on the layer's class; a name
with repeated parts drawn together is the same in all of them.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from search_spaces.errors import ArtefactError, SpaceError
from search_spaces.ofa import mobilenetv3, proxyless, resnet50

if TYPE_CHECKING:
    from torch import Tensor

    from search_spaces.space import Space
    from search_spaces.supernet import Supernet

INVERTED = {
    "inverted_bottleneck": "expand",
    "depth_conv.se.fc": "squeeze",
    "depth_conv": "depthwise",
    "point_linear": "project",
}
BOTTLENECK = {"conv1": "reduce", "conv2": "main", "conv3": "expand", "downsample": "shortcut"}
BLOCK = re.compile(r"s\d+\.\d+")
NORM = re.compile(r"^(conv\.)?bn\.")  # a residual layer's convolution and norm are one deeper
TRANSFORM = re.compile(r"conv\.(\d+to\d+)_matrix")


def load_state_dict(supernet: Supernet, state_dict: Mapping[str, Tensor]) -> None:
    """Copy ``state_dict``, as OFA's code saves it, into ``supernet``.

    Raises:
        SpaceError: the supernet's space is not of the family.
        ArtefactError: a tensor is missing, unknown, or of another shape; nothing is copied.
    """
    table = _prefixes(supernet.space)
    own = supernet.state_dict()
    found: dict[str, Tensor] = {}
    for name, tensor in state_dict.items():
        target = _target(drawn_together(name), table)
        if target is None or target not in own:
            raise ArtefactError(
                f"{name!r} is no tensor of {supernet.space.name}; are the weights of another "
                "network of the family, or trained with other options (depths, expands, kernels)?"
            )
        shape = tuple(own[target].shape)
        # OFA's 1x1 convolution of a pooled map is a linear layer here.
        if tuple(tensor.shape) not in (shape, (*shape, 1, 1)):
            raise ArtefactError(
                f"{name!r} has shape {tuple(tensor.shape)}, the space asks for "
                f"{shape}; make the space with the options that the weights were trained with "
                "(depths, expands, kernels; width, or widths of ofa-resnet50)"
            )
        if name.endswith("running_var") and bool((tensor < 0).any()):
            raise ArtefactError(f"{name!r} has variances below 0; the weights are damaged")
        found[target] = tensor.reshape(shape)
    missing = [name for name in own if name not in found and not name.endswith("batches_tracked")]
    if missing:
        raise ArtefactError(
            f"the weights lack {len(missing)} of {len(own)} tensors of {supernet.space.name}, "
            f"the first of them {_theirs(missing[0], table)}; are they whole, and of a supernet "
            "rather than of one subnet?"
        )
    supernet.load_state_dict({**own, **found})


def drawn_together(name: str) -> str:
    """``name`` with repeated parts once, and without the parts that wrap a layer."""
    parts = ["conv" if part == "mobile_inverted_conv" else part for part in name.split(".")]
    return ".".join(part for part, _ in itertools.groupby(parts) if part != "module")


def _theirs(name: str, table: Mapping[str, str]) -> str:
    """Where OFA's code has the tensor that is called ``name`` here."""
    places = {f"blocks.{ours}.": prefix for prefix, ours in table.items()}
    found = [(ours, prefix) for ours, prefix in places.items() if name.startswith(ours)]
    ours, prefix = max(found, key=lambda pair: len(pair[0]))
    return f"{name.removeprefix(ours)!r} of {prefix!r}"


def _target(name: str, table: Mapping[str, str]) -> str | None:
    """Our name of the tensor, from the longest prefix that the table knows."""
    parts = name.split(".")
    for end in range(len(parts) - 1, 0, -1):
        prefix = ".".join(parts[:end])
        if prefix in table:
            rest = TRANSFORM.sub(r"transform_\1", ".".join(parts[end:]))
            rest = NORM.sub("norm.", rest)
            return f"blocks.{table[prefix]}.{rest}"
    return None


def _prefixes(space: Space) -> dict[str, str]:
    """Prefixes of OFA's names, drawn together, to ours below ``blocks``."""
    blocks = [slot for slot in space.slots if BLOCK.fullmatch(slot)]
    if space.name == resnet50.NAME:
        table = {f"input_stem.{i}": f"stem_{i}.main" for i in range(3)}
        table["classifier.linear"] = "classifier.linear"
        parts, first, within = BOTTLENECK, 0, ""
    elif space.name in (mobilenetv3.NAME, proxyless.NAME):
        table = {"first_conv": "stem.main", "classifier.linear": "classifier.linear"}
        table |= {f"blocks.0.conv.{a}": f"first.{b}" for a, b in INVERTED.items()}
        parts, first, within = INVERTED, 1, "conv."
    else:
        raise SpaceError(f"OFA's code has no weights of {space.name!r}; use a space of its family")
    if space.name == mobilenetv3.NAME:
        table |= {"final_expand_layer": "last.main", "feature_mix_layer.conv": "classifier.hidden"}
    elif space.name == proxyless.NAME:
        table["feature_mix_layer"] = "last.main"
    for number, slot in enumerate(blocks, start=first):
        module = slot.replace(".", "_")
        table |= {f"blocks.{number}.{within}{a}": f"{module}.{b}" for a, b in parts.items()}
    return table
