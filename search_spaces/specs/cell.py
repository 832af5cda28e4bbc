"""A small graph of layers that stands in a network as one: a residual block of any make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from search_spaces.errors import SpaceError
from search_spaces.specs.base import LayerSpec, Tensor

INPUT: Final = "input"
"""As a value of ``out``: as many channels as the cell takes."""


@dataclass(frozen=True)
class Part:
    """One layer of a cell: ``sources`` are positions of earlier parts, -1 is the cell's input."""

    spec: LayerSpec
    sources: tuple[int, ...]


@dataclass(frozen=True)
class Template:
    """A part before its numbers are decided: the class of its spec and what never changes."""

    spec: type[LayerSpec]
    sources: tuple[int, ...]
    attributes: Mapping[str, Any]


@dataclass(frozen=True)
class Cell(LayerSpec):
    """Layers in topological order, the last of which gives what comes out.

    What lies between two places that every path passes is one cell, so that a latency table
    measures it as the runtime fuses it, and a network is a chain of slots.
    """

    parts: tuple[Part, ...]

    @classmethod
    def resolve(  # type: ignore[override]
        cls, inputs: tuple[Tensor, ...], *, parts: tuple[Template, ...], **decided: Any
    ) -> Self:
        """``decided`` are attributes of parts by ``position.attribute``."""
        built: list[Part] = []
        for position, template in enumerate(parts):
            prefix = f"{position}."
            own = {
                name.removeprefix(prefix): value
                for name, value in decided.items()
                if name.startswith(prefix)
            }
            attributes = {
                name: inputs[0].shape[0] if name == "out" and value == INPUT else value
                for name, value in {**template.attributes, **own}.items()
            }
            taken = tuple(
                inputs[0] if source < 0 else built[source].spec.output
                for source in template.sources
            )
            built.append(Part(template.spec.resolve(taken, **attributes), template.sources))
        return cls(inputs, tuple(built))

    def __post_init__(self) -> None:
        if not self.parts:
            raise SpaceError("a cell has a layer at least; got none")
        for position, part in enumerate(self.parts):
            if not all(-1 <= source < position for source in part.sources):
                raise SpaceError(
                    f"part {position} of a cell takes what stands before it; got {part.sources}"
                )

    @property
    def output(self) -> Tensor:
        return self.parts[-1].spec.output

    @property
    def macs(self) -> int:
        return sum(part.spec.macs for part in self.parts)

    @property
    def params(self) -> int:
        return sum(part.spec.params for part in self.parts)

    @property
    def live(self) -> int:
        """What a part needs, and what waits beside it for a later one."""
        last = {s: position for position, part in enumerate(self.parts) for s in part.sources}
        waiting = {-1: self.inputs[0].elements}
        most = 0
        for position, part in enumerate(self.parts):
            beside = sum(n for s, n in waiting.items() if s not in part.sources)
            most = max(most, part.spec.live + beside)
            waiting[position] = part.spec.output.elements
            waiting = {s: n for s, n in waiting.items() if last.get(s, -1) > position}
        return most
