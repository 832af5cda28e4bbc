"""The networks that tell how fast the machine runs at the moment.

Three fixed ones, of different needs (dense convolutions, depthwise ones, weights that do not
fit near the core), the same for every space and every campaign, so that campaigns of different
days are compared through them. They are part of the format of a table: changing one changes
what its times mean.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping

import numpy as np

from latency_lut.seam import Model
from search_spaces.plan import Node, Plan
from search_spaces.specs import Classifier, Conv, FusedMBConv, LayerSpec, MBConv, Tensor

SEED = 20
ACT = "h_swish"


def _chain(size: int, *layers: tuple[type[LayerSpec], dict[str, object]]) -> Plan:
    tensor = Tensor((3, size, size))
    nodes: list[Node] = []
    for kind, attributes in layers:
        spec = kind.resolve((tensor,), **attributes)
        nodes.append(Node(f"{len(nodes)}", spec, (len(nodes) - 1,), f"{len(nodes)}"))
        tensor = spec.output
    return Plan(tuple(nodes), (len(nodes) - 1,))


PLANS = {
    "reference dense": _chain(
        16,
        (Conv, {"out": 32, "act": ACT}),
        *[(FusedMBConv, {"out": 32, "expand": 2, "act": ACT})] * 2,
        (Classifier, {"classes": 10}),
    ),
    "reference depthwise": _chain(
        16,
        (Conv, {"out": 32, "stride": 2, "act": ACT}),
        *[(MBConv, {"out": 32, "expand": 4, "kernel": 5, "act": ACT})] * 3,
        (Classifier, {"classes": 10}),
    ),
    "reference wide": _chain(
        8,
        (Conv, {"out": 64, "stride": 2, "act": ACT}),
        (Conv, {"out": 256, "kernel": 1, "act": ACT}),
        (Conv, {"out": 512, "kernel": 1, "act": ACT}),
        (Conv, {"out": 256, "kernel": 1, "act": ACT}),
        (Classifier, {"classes": 100}),
    ),
}
NAMES = tuple(PLANS)


@functools.cache
def _content(name: str) -> bytes:
    # Here and not above: the writer needs the `onnx` package, predicting from a table does not.
    from search_spaces.onnx import random_plan_weights, write

    weights = random_plan_weights(PLANS[name], np.random.default_rng(SEED))
    return write(PLANS[name], weights).SerializeToString()


def references() -> tuple[Model, ...]:
    """The reference networks, in the order of ``NAMES``."""
    return tuple(Model(name, functools.partial(_content, name), guess_ms=0.1) for name in NAMES)


def pace_between(there_ms: Mapping[str, float], here_ms: Mapping[str, float]) -> float:
    """What times of a campaign here are multiplied by to be those that one there would have found.

    From the usual times of the references in both, by name: the geometric mean of their ratios.
    """
    ratios = [there_ms[name] / here_ms[name] for name in NAMES]
    return float(np.exp(np.log(ratios).mean()))
