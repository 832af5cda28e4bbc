"""Writing a space as the network that it describes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from search_spaces.choices import (
    Choice,
    Expression,
    Layer,
    OneOf,
    Operation,
    Path,
    Read,
    Symbol,
    resolve,
)
from search_spaces.errors import SpaceError
from search_spaces.specs import SKIP, LayerSpec, Tensor

IMAGE = "image"


@dataclass(frozen=True)
class Leaf:
    """What a slot turns out to be: its spec and the key of its weights."""

    spec: LayerSpec
    weights: str


@dataclass(frozen=True)
class Slot:
    """A place in the network; what stands there is a pure function of choices and inputs."""

    name: str
    inputs: tuple[str, ...]
    layer: Layer | Path
    path: Choice | None
    when: object

    def __call__(self, inputs: tuple[Tensor, ...], read: Read) -> Leaf:
        if not resolve(self.when, read):
            return Leaf(SKIP, "")
        option: Layer | None
        if isinstance(self.layer, Path) and self.path is not None:
            name = str(self.path.values[read(self.path)])
            option, weights = self.layer.options[name], f"{self.name}.{name}"
        elif isinstance(self.layer, Layer):
            option, weights = self.layer, self.name
        if option is None:
            return Leaf(SKIP, "")
        attributes = {key: resolve(value, read) for key, value in option.attributes.items()}
        try:
            return Leaf(option.spec.resolve(inputs, **attributes), weights)  # type: ignore[attr-defined]
        except SpaceError as error:
            raise SpaceError(f"slot {self.name!r}: {error}") from error


class Net:
    """Collects slots in topological order; each follows the one before unless told otherwise."""

    def __init__(self, image: tuple[int, object]) -> None:
        """``image`` is (channels, resolution), the resolution a number or a choice."""
        channels, resolution = image
        self.channels = channels
        self.resolution = resolution
        self.slots: list[Slot] = []
        self.choices: dict[str, Choice] = {}
        self._collect(resolution)

    def image(self, read: Read) -> Tensor:
        """The tensor of one image."""
        size = resolve(self.resolution, read)
        return Tensor((self.channels, size, size))

    def __call__(
        self,
        slot: str,
        layer: type | Path,
        *,
        inputs: tuple[str, ...] | None = None,
        when: object = True,
        **attributes: Any,
    ) -> str:
        """Add a slot: a spec class with attributes, or a path. Returns the slot's name."""
        names = [known.name for known in self.slots]
        if slot in names or slot == IMAGE:
            raise SpaceError(f"slot {slot!r} stands twice in the network; names are unique")
        inputs = inputs if inputs is not None else (names[-1] if names else IMAGE,)
        for name in inputs:
            if name != IMAGE and name not in names:
                raise SpaceError(f"slot {slot!r} takes input from {name!r}, which is not before it")
        self._collect(when)
        if isinstance(layer, Path):
            if attributes:
                raise SpaceError(f"slot {slot!r}: a path's options carry the attributes")
            taken = Choice(slot, tuple(layer.options))
            self._add(taken)
            options = {
                name: option
                and Layer(option.spec, self._named(f"{slot}.{name}", option.attributes))
                for name, option in layer.options.items()
            }
            self.slots.append(Slot(slot, inputs, Path(options), taken, when))
        else:
            named = Layer(layer, self._named(slot, attributes))
            self.slots.append(Slot(slot, inputs, named, None, when))
        return slot

    def _named(self, slot: str, attributes: Mapping[str, Any]) -> dict[str, Any]:
        named = {
            key: Symbol(Choice(f"{slot}.{key}", value.values))
            if isinstance(value, OneOf)
            else value
            for key, value in attributes.items()
        }
        for value in named.values():
            self._collect(value)
        return named

    def _collect(self, value: object) -> None:
        if isinstance(value, Symbol):
            self._add(value.choice)
        elif isinstance(value, Operation):
            for operand in value.operands:
                self._collect(operand)
        elif isinstance(value, Expression):
            raise SpaceError(
                f"{type(value).__name__} cannot stand here; name it with choice(name, ...)"
            )

    def _add(self, choice: Choice) -> None:
        known = self.choices.setdefault(choice.name, choice)
        if known != choice:
            raise SpaceError(
                f"choice {choice.name!r} has values {choice.values} here and {known.values} "
                "before; one name is one decision"
            )
