"""Layers as numbers: what a graph network sees of a node."""

from __future__ import annotations

import math
from dataclasses import fields

import numpy as np

from predictors.method import Floats
from search_spaces.space import Space
from search_spaces.specs import LayerSpec, Tensor


def node_features(space: Space) -> Floats:
    """Every spec of a space as numbers: [specs, numbers], standardised over its specs.

    The kind of layer, costs, shapes, and each attribute that is a number, a flag or a word, so
    that a new layer needs nothing of its own here. What does not vary in the space is left out.
    """
    described = [_described(spec) for spec in space.specs]
    names = sorted({name for one in described for name in one})
    values = np.array([[one.get(name, 0.0) for name in names] for one in described])
    centre, spread = values.mean(0), values.std(0)
    varies = spread > 0
    standard: Floats = (values[:, varies] - centre[varies]) / spread[varies]
    return standard


def _described(spec: LayerSpec) -> dict[str, float]:
    found = {f"is {type(spec).__name__}": 1.0}
    if not spec.inputs:
        return found
    found |= {"macs": math.log1p(spec.macs), "params": math.log1p(spec.params)}
    found |= _shape("in", spec.inputs[0]) | _shape("out", spec.output)
    for field in fields(spec):
        value = getattr(spec, field.name)
        if isinstance(value, int | float):
            found[field.name] = math.copysign(math.log1p(abs(value)), value)
        elif isinstance(value, str):
            found[f"{field.name} {value}"] = 1.0
    return found


def _shape(end: str, tensor: Tensor) -> dict[str, float]:
    channels, *sides = tensor.shape
    return {
        f"channels {end}": math.log1p(channels),
        f"side {end}": math.log1p(max(sides, default=0)),
    }
