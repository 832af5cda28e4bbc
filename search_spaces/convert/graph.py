"""A network as a graph of layers, between PyTorch's and the recipe's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from torch import Tensor

IMAGE: Final = "image"

ACTIVATED: Final = ("conv", "linear", "norm", "add", "multiply")
"""Layers that an activation behind them becomes a part of."""


@dataclass(frozen=True, eq=False)
class Layer:
    """One layer: its name (the module's path), its kind in a recipe, what it takes.

    ``attributes`` are those of its spec; ``tensors`` what its block holds, by the names of its
    state dict.
    """

    name: str
    kind: str
    sources: tuple[str, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    tensors: Mapping[str, Tensor] = field(default_factory=dict)


def fused(layers: Sequence[Layer], output: str) -> tuple[Layer, ...]:
    """Convolutions with the norm behind them, layers with their activation; nothing unused.

    A mean of maps that is flattened behind is one of features.
    """
    alive = _reaching(layers, output)
    for kind in ("norm", "activation", "flatten"):
        alive = _merged(alive, kind)
    return alive


def _reaching(layers: Sequence[Layer], output: str) -> tuple[Layer, ...]:
    needed = {output}
    kept: list[Layer] = []
    for layer in reversed(layers):
        if layer.name in needed:
            needed.update(layer.sources)
            kept.append(layer)
    return tuple(reversed(kept))


def _merged(layers: Sequence[Layer], kind: str) -> tuple[Layer, ...]:
    readers = Counter(source for layer in layers for source in layer.sources)
    done: dict[str, Layer] = {}
    stands: dict[str, str] = {}
    for layer in layers:
        layer = replace(layer, sources=tuple(stands.get(s, s) for s in layer.sources))
        before = done.get(layer.sources[0])
        alone = before is not None and readers[layer.sources[0]] == 1
        if before is not None and layer.kind == kind and alone and _takes(before, layer):
            done[before.name] = _joined(before, layer)
            stands[layer.name] = before.name
            # What the joined layer gives is read by those who read the second.
            readers[before.name] = readers[layer.name]
        else:
            done[layer.name] = layer
    return tuple(done.values())


def _takes(before: Layer, layer: Layer) -> bool:
    if layer.kind == "flatten":
        return before.kind == "global-pool"
    if before.attributes.get("act", "none") != "none":
        return False
    if layer.kind == "norm":
        return before.kind == "conv" and not before.attributes["norm"]
    return before.kind in ACTIVATED


def _joined(before: Layer, layer: Layer) -> Layer:
    attributes = {**before.attributes, **layer.attributes}
    tensors = dict(before.tensors)
    if layer.kind == "flatten":
        attributes["keep"] = False
    if layer.kind == "norm":
        attributes["norm"] = True
        tensors |= {f"main.{name}": tensor for name, tensor in layer.tensors.items()}
    return replace(before, attributes=attributes, tensors=tensors)
