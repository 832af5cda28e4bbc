"""Which channels are the same channels: what has to be reordered, or narrowed, together.

A convolution's outputs are its norm's channels and the next convolution's inputs; a sum makes one
group of two; a depthwise convolution hands its inputs on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from search_spaces.groups import Bundle, Wiring
from search_spaces.specs import SKIP
from search_spaces.wires import wire

if TYPE_CHECKING:
    from search_spaces.space import Population, Space
    from search_spaces.tables import Column


def wiring(space: Space, rows: Population | None = None) -> Wiring:
    """All groups of channels of a space, or of the networks of ``rows`` [n, choices] alone.

    Names of tensors begin with their key of weights. The image and what comes out are fixed.
    """
    wired = Wiring()
    values = wired.values
    among = None if rows is None else space.index(rows)
    for position, column in enumerate(space.columns):
        if not column.sources:
            image = wired.fresh(column.slot, column.outputs[0].shape[0])
            wired.fix(image)
            values.append(image)
            continue
        inputs = [values[source] for source in column.sources]
        numbers = column.spec if among is None else among[:, position - 1]
        outputs = [
            _output(space, column, number, inputs, wired)
            for number in sorted(set(numbers.tolist()))
        ]
        for other in outputs[1:]:
            wired.tie(outputs[0], other)
        values.append(outputs[0])
    wired.fix(values[-1])
    wired.settle()
    return wired


def _output(
    space: Space, column: Column, number: int, inputs: list[Bundle], wired: Wiring
) -> Bundle:
    spec = space.specs[number]
    return inputs[0] if spec == SKIP else wire(spec, column.weights[number], inputs, wired)
