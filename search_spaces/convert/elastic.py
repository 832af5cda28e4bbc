"""From a chain of slots to a recipe: which numbers become choices, and between what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from search_spaces.convert.recipe import FORMAT
from search_spaces.convert.regions import Region
from search_spaces.errors import SpaceError


@dataclass(frozen=True)
class Elastic:
    """What becomes elastic.

    ``widths`` are fractions of a group's channels; ``depth`` is how many residual blocks at the
    end of a run may be left out; ``kernel`` is the smallest that larger ones shrink to.
    """

    widths: tuple[float, ...] = (0.5, 0.75)
    depth: int = 2
    kernel: int = 3

    def __post_init__(self) -> None:
        if not all(0 < width <= 1 for width in self.widths):
            raise SpaceError(f"widths are fractions above 0, at most 1; got {self.widths}")
        if self.depth < 0:
            raise SpaceError(f"depth is how many blocks of a run may go, 0 or more; {self.depth}")
        if self.kernel < 1 or self.kernel % 2 == 0:
            raise SpaceError(f"the smallest kernel is odd; got {self.kernel}")


@dataclass
class Choices:
    """Choices by name, and where they stand: attributes by (slot, layer), conditions by slot.

    An attribute of None is left to the layer's default.
    """

    values: dict[str, list[int]] = field(default_factory=dict)
    attributes: dict[tuple[int, int], dict[str, Any]] = field(default_factory=dict)
    whens: dict[int, dict[str, Any]] = field(default_factory=dict)

    def ask(self, name: str, values: Sequence[int]) -> dict[str, Any]:
        """A new choice, as what stands for it in a recipe."""
        self.values[name] = list(values)
        return {"choice": name}

    def options(self, slot: int) -> int:
        """How many combinations of choices a slot's own attributes have, conditions aside."""
        asked = {
            value["choice"]
            for (s, _), attributes in self.attributes.items()
            for value in attributes.values()
            if s == slot and isinstance(value, dict)
        }
        combinations = 1
        for name in asked:
            combinations *= len(self.values[name])
        return combinations


def document(
    chain: Sequence[Region], channels: int, resolutions: Sequence[int], choices: Choices
) -> dict[str, Any]:
    """The recipe of a chain with choices."""
    slots = []
    for s, region in enumerate(chain):
        position = {region.taken: -1, **{layer.name: i for i, layer in enumerate(region.layers)}}
        layers = []
        for i, layer in enumerate(region.layers):
            attributes = {**layer.attributes, **choices.attributes.get((s, i), {})}
            layers.append(
                {
                    "layer": layer.kind,
                    "name": layer.name,
                    "from": [position[name] for name in layer.sources],
                    **{name: value for name, value in attributes.items() if value is not None},
                }
            )
        when = {"when": choices.whens[s]} if s in choices.whens else {}
        slots.append({"slot": region.slot, **when, "layers": layers})
    return {
        "format": FORMAT,
        "channels": channels,
        "resolutions": list(resolutions),
        "choices": choices.values,
        "slots": slots,
    }
