"""A network with choices as JSON: what a run folder keeps of a network that was converted.

    {"format": 1, "channels": 3, "resolutions": [24, 32],
     "choices": {"layer1.depth": [0, 1, 2], "conv1.width": [8, 12, 16]},
     "slots": [{"slot": "conv1", "layers": [
         {"layer": "conv", "from": [-1], "out": {"choice": "conv1.width"}, "kernel": 3}]}, ...]}

Slots are a chain. A slot of several layers is a cell, whose layers take from earlier ones by
position, -1 being what the slot takes. ``{"choice": name}`` stands where a number would, and
``"out": "input"`` for as many channels as the slot takes. With ``"when": {"choice": name, "above":
2}`` a slot stands where the choice is above 2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from search_spaces.choices import Symbol, choice
from search_spaces.errors import SpaceError
from search_spaces.net import Net
from search_spaces.space import Space
from search_spaces.specs import (
    Activation,
    Add,
    Cell,
    Concat,
    Flatten,
    GeneralConv,
    GlobalPool,
    LayerSpec,
    Linear,
    Multiply,
    Norm,
    Pool,
    Template,
)

NAME: Final = "converted"
FORMAT: Final = 1
LAYERS: Final[Mapping[str, type[LayerSpec]]] = {
    "activation": Activation,
    "add": Add,
    "concat": Concat,
    "conv": GeneralConv,
    "flatten": Flatten,
    "global-pool": GlobalPool,
    "linear": Linear,
    "multiply": Multiply,
    "norm": Norm,
    "pool": Pool,
}

Recipe = Mapping[str, Any]


def converted(
    recipe: Recipe,
    resolutions: Sequence[int] | None = None,
    num_classes: int | None = None,
) -> Space:
    """The space of a recipe; ``resolutions`` instead of the recipe's, if they are given.

    Raises:
        SpaceError: no recipe, one of another version, or one for another number of classes.
    """
    try:
        if recipe["format"] != FORMAT:
            raise SpaceError(
                f"recipe format {recipe['format']!r} is not {FORMAT}, the one this version reads; "
                "convert the network again with this version"
            )
        space = Space(_net(recipe, resolutions), NAME)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise SpaceError(
            "not the recipe of a converted network: what search_spaces.convert.from_module leaves "
            f"in space.options is expected ({type(error).__name__}: {error})"
        ) from error
    if num_classes not in (None, space.classes):
        raise SpaceError(
            f"the converted network tells {space.classes} classes apart, not {num_classes}; put a "
            "new last layer into the network and convert it again"
        )
    return space


def _net(recipe: Recipe, resolutions: Sequence[int] | None) -> Net:
    symbols = {name: choice(name, *values) for name, values in recipe["choices"].items()}
    sides = recipe["resolutions"] if resolutions is None else resolutions
    net = Net(image=(recipe["channels"], choice("resolution", *sides)))
    for entry in recipe["slots"]:
        when = entry.get("when")
        stands = symbols[when["choice"]] > when["above"] if when else True
        layers = [_layer(document, symbols) for document in entry["layers"]]
        if len(layers) == 1:
            template, decided = layers[0]
            net(entry["slot"], template.spec, when=stands, **template.attributes, **decided)
        else:
            net(
                entry["slot"],
                Cell,
                when=stands,
                parts=tuple(template for template, _ in layers),
                **{f"{i}.{k}": v for i, (_, own) in enumerate(layers) for k, v in own.items()},
            )
    return net


def _layer(
    document: Mapping[str, Any], symbols: Mapping[str, Symbol]
) -> tuple[Template, dict[str, Any]]:
    """A layer of the recipe: what is certain of it, and what its choices decide."""
    certain: dict[str, Any] = {}
    decided: dict[str, Any] = {}
    for name, value in document.items():
        if name in ("layer", "from", "name"):
            continue
        if isinstance(value, Mapping):
            decided[name] = symbols[value["choice"]]
        else:
            certain[name] = value
    return Template(LAYERS[document["layer"]], tuple(document["from"]), certain), decided
