"""How the axes of a layer's tensors hang on what goes in and what comes out, layer by layer."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from search_spaces.errors import SpaceError
from search_spaces.groups import Bundle, Strand, Wiring
from search_spaces.specs import (
    Activation,
    Add,
    Bottleneck,
    Cell,
    Classifier,
    Concat,
    Conv,
    Flatten,
    FusedMBConv,
    GeneralConv,
    GlobalPool,
    LayerSpec,
    Linear,
    MaxPool,
    MBConv,
    Multiply,
    Norm,
    Pool,
    SeparableConv,
)

Wire = Callable[[Any, str, list[Bundle], Wiring], Bundle]


def wire(spec: LayerSpec, key: str, inputs: list[Bundle], wired: Wiring) -> Bundle:
    """Enter a layer whose tensors are under ``key``; returns what its output is made of."""
    if type(spec) not in WIRES:
        raise SpaceError(
            f"layer {key!r}: it is not known which channels of {type(spec).__name__} belong "
            f"together; add it to {__name__}.WIRES"
        )
    return WIRES[type(spec)](spec, key, inputs, wired)


def _conv(spec: Conv, key: str, inputs: list[Bundle], wired: Wiring) -> Bundle:
    out = wired.unit(f"{key}.main", wired.fresh(f"{key}.out", spec.out), inputs[0])
    if spec.residual:
        wired.tie(inputs[0], out)
    return out


def _separable(spec: SeparableConv, key: str, inputs: list[Bundle], wired: Wiring) -> Bundle:
    middle = wired.unit(f"{key}.depthwise", inputs[0], None)
    out = wired.unit(f"{key}.project", wired.fresh(f"{key}.out", spec.out), middle)
    if spec.residual:
        wired.tie(inputs[0], out)
    return out


def _fused(spec: FusedMBConv, key: str, inputs: list[Bundle], wired: Wiring) -> Bundle:
    middle = wired.unit(f"{key}.expand", wired.fresh(f"{key}.middle", spec.middle), inputs[0])
    out = wired.unit(f"{key}.project", wired.fresh(f"{key}.out", spec.out), middle)
    if spec.residual:
        wired.tie(inputs[0], out)
    return out


def _mbconv(spec: MBConv, key: str, inputs: list[Bundle], wired: Wiring) -> Bundle:
    middle = wired.unit(f"{key}.expand", wired.fresh(f"{key}.middle", spec.middle), inputs[0])
    wired.unit(f"{key}.depthwise", middle, None)
    if spec.squeeze:
        squeeze = wired.fresh(f"{key}.squeeze", spec.squeeze)
        wired.tensor(f"{key}.squeeze.reduce.weight", squeeze, middle)
        wired.tensor(f"{key}.squeeze.reduce.bias", squeeze)
        wired.tensor(f"{key}.squeeze.expand.weight", middle, squeeze)
        wired.tensor(f"{key}.squeeze.expand.bias", middle)
    out = wired.unit(f"{key}.project", wired.fresh(f"{key}.out", spec.out), middle)
    if spec.residual:
        wired.tie(inputs[0], out)
    return out


def _bottleneck(spec: Bottleneck, key: str, inputs: list[Bundle], wired: Wiring) -> Bundle:
    reduced = wired.unit(f"{key}.reduce", wired.fresh(f"{key}.reduced", spec.middle), inputs[0])
    main = wired.unit(f"{key}.main", wired.fresh(f"{key}.middle", spec.middle), reduced)
    out = wired.unit(f"{key}.expand", wired.fresh(f"{key}.out", spec.out), main)
    if spec.project:
        wired.unit(f"{key}.shortcut", out, inputs[0])
    else:
        wired.tie(inputs[0], out)
    return out


def _classifier(spec: Classifier, key: str, inputs: list[Bundle], wired: Wiring) -> Bundle:
    taken = inputs[0]
    if spec.hidden:
        hidden = wired.fresh(f"{key}.hidden", spec.hidden)
        wired.tensor(f"{key}.hidden.weight", hidden, taken)
        taken = hidden
    out = wired.fresh(f"{key}.classes", spec.classes)
    wired.tensor(f"{key}.linear.weight", out, taken)
    wired.tensor(f"{key}.linear.bias", out)
    return out


def _general(spec: GeneralConv, key: str, inputs: list[Bundle], wired: Wiring) -> Bundle:
    taken = inputs[0]
    same = spec.group and spec.out == spec.channels
    if spec.group:
        for strand in taken:
            wired.units[strand.group] = math.lcm(wired.units.get(strand.group, 1), spec.group)
        if not same or len(taken) > 1:
            wired.fix(taken)
    out = taken if same else wired.fresh(f"{key}.out", spec.out)
    if spec.group and not same:
        wired.fix(out)
    wired.unit(f"{key}.main", out, None if spec.group else taken, spec.norm)
    if spec.bias:
        wired.tensor(f"{key}.main.conv.bias", out)
    return out


def _linear(spec: Linear, key: str, inputs: list[Bundle], wired: Wiring) -> Bundle:
    out = wired.fresh(f"{key}.out", spec.out)
    wired.tensor(f"{key}.linear.weight", out, inputs[0])
    if spec.bias:
        wired.tensor(f"{key}.linear.bias", out)
    return out


def _norm(spec: Norm, key: str, inputs: list[Bundle], wired: Wiring) -> Bundle:
    wired.norm(f"{key}.norm", inputs[0])
    return inputs[0]


def _flatten(spec: Flatten, key: str, inputs: list[Bundle], wired: Wiring) -> Bundle:
    pixels = spec.inputs[0].elements // spec.channels
    return tuple(Strand(strand.group, strand.repeat * pixels) for strand in inputs[0])


def _tied(spec: LayerSpec, key: str, inputs: list[Bundle], wired: Wiring) -> Bundle:
    wired.tie(inputs[0], inputs[1])
    return inputs[0]


def _concat(spec: Concat, key: str, inputs: list[Bundle], wired: Wiring) -> Bundle:
    # The first channels of what is put side by side are not the first channels of each.
    wired.fix((*inputs[0], *inputs[1]))
    return (*inputs[0], *inputs[1])


def _cell(spec: Cell, key: str, inputs: list[Bundle], wired: Wiring) -> Bundle:
    values: list[Bundle] = []
    for position, part in enumerate(spec.parts):
        taken = [inputs[0] if source < 0 else values[source] for source in part.sources]
        values.append(wire(part.spec, f"{key}.{position}", taken, wired))
    return values[-1]


def _through(spec: LayerSpec, key: str, inputs: list[Bundle], wired: Wiring) -> Bundle:
    return inputs[0]


WIRES: Mapping[type[LayerSpec], Wire] = {
    Activation: _through,
    Add: _tied,
    Bottleneck: _bottleneck,
    Cell: _cell,
    Classifier: _classifier,
    Concat: _concat,
    Conv: _conv,
    Flatten: _flatten,
    FusedMBConv: _fused,
    GeneralConv: _general,
    GlobalPool: _through,
    Linear: _linear,
    MBConv: _mbconv,
    MaxPool: _through,
    Multiply: _tied,
    Norm: _norm,
    Pool: _through,
    SeparableConv: _separable,
}
