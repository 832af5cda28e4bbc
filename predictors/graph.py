"""A graph network over the plan: layers pass on what they have become along the network's edges.

After Thost and Chen, "Directed Acyclic Graph Neural Networks" (ICLR 2021): nodes are visited in
topological order, so that one pass is all there is and the output's state has seen every layer.
Slots of a space are fixed, so many plans are one walk over the columns of ``space.index``.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from predictors.ensemble import hold_out, mean_and_std
from predictors.method import Floats, Held, Inputs, Method, State
from predictors.nodes import node_features
from search_spaces.space import Space

if TYPE_CHECKING:
    from torch import Tensor

HIDDEN = 24
STEPS = 200
LEARNING_RATE = 0.01
# Of squared weights, against the sum of squared errors.
PENALTY = 0.3
WEIGHTS = ("node", "bias", "edge", "state", "features", "inner", "outer", "linear", "start")


def graph(space: Space) -> Method:
    """The method for plans of one space."""
    return Method(functools.partial(fit, space), functools.partial(predict, space), plans=True)


def fit(
    space: Space,
    Z: Floats,
    y: Floats,
    folds: npt.NDArray[np.int64],
    rng: np.random.Generator,
) -> tuple[State, Held]:
    """A network for every fold, fitted on the other folds, all at once; starts are from ``rng``."""
    import torch

    without = np.unique(folds)
    nodes = node_features(space)
    seen = torch.tensor(without[:, None] != folds, dtype=torch.float32)
    target = torch.tensor(y, dtype=torch.float32)
    with _one_thread():
        start = _start(len(without), nodes.shape[1], Z.shape[1] - len(space.slots), rng)
        weights = {name: torch.tensor(a, requires_grad=True) for name, a in start.items()}
        optimizer = torch.optim.Adam(weights.values(), lr=LEARNING_RATE)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
        inputs = _inputs(space, nodes, Z)
        for _ in range(STEPS):
            optimizer.zero_grad()
            error = (seen * (forward(weights, *inputs) - target) ** 2).sum(1)
            size = sum(
                (weights[name] ** 2).flatten(1).sum(1) for name in WEIGHTS if name != "start"
            )
            ((error + PENALTY * size) / seen.sum(1)).sum().backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
    state: State = {name: tensor.detach().numpy() for name, tensor in weights.items()}
    state["nodes"] = nodes
    state["noise"], held = hold_out(_each(space, state, Z), without, folds, y)
    return state, held


def predict(space: Space, state: State, Z: Inputs, std: bool) -> tuple[Floats, Floats]:
    """Mean [n] and standard deviation [n]."""
    return mean_and_std(_each(space, state, Z), state["noise"], std)


def forward(
    weights: Mapping[str, Tensor],
    nodes: Tensor,
    sources: Sequence[Sequence[int]],
    features: Tensor,
    plans: Tensor,
) -> Tensor:
    """What every network of an ensemble says of ``plans`` [n, slots]: [models, n].

    ``nodes`` [specs, numbers]; ``sources``: for each slot where its inputs come from, 0 for the
    image and else the number of a slot from 1; ``features`` [n, features] are of whole networks.
    A slot where nothing stands (number 0) passes its input on: it is no node.
    """
    import torch

    # What a spec contributes is worked out once for all who have it.
    kinds = nodes @ weights["node"] + weights["bias"]  # [models, specs, hidden]
    states = [kinds.new_zeros(len(kinds), len(plans), kinds.shape[2])]
    for slot, inputs in enumerate(sources):
        at = plans[:, slot]
        taken = functools.reduce(torch.add, (states[i] for i in inputs)) / len(inputs)
        grown = taken + torch.relu(kinds[:, at] + taken @ weights["edge"])
        states.append(torch.where((at > 0)[:, None], grown, states[inputs[0]]))
    last = states[-1] @ weights["state"] + features @ weights["features"] + weights["inner"]
    shaped = (torch.relu(last) @ weights["outer"])[..., 0]
    found: Tensor = shaped + (features @ weights["linear"])[..., 0] + weights["start"]
    return found


def _start(
    models: int, numbers: int, features: int, rng: np.random.Generator
) -> dict[str, npt.NDArray[np.float32]]:
    def drawn(*shape: int, scale: float = 1.0) -> npt.NDArray[np.float32]:
        values = rng.normal(size=(models, *shape)) * scale / math.sqrt(shape[0])
        return values.astype(np.float32)

    def zeros(*shape: int) -> npt.NDArray[np.float32]:
        return np.zeros((models, *shape), np.float32)

    return {
        "node": drawn(numbers, HIDDEN, scale=0.3),
        "bias": zeros(1, HIDDEN),
        "edge": drawn(HIDDEN, HIDDEN, scale=0.3),
        "state": drawn(HIDDEN, HIDDEN),
        "features": drawn(features, HIDDEN),
        "inner": zeros(1, HIDDEN),
        "outer": drawn(HIDDEN, 1),
        "linear": zeros(features, 1),
        "start": zeros(1),
    }


def _each(space: Space, state: State, Z: Inputs) -> Floats:
    """What every network says: [models, n]."""
    import torch

    with _one_thread(), torch.no_grad():
        weights = {name: torch.from_numpy(state[name]) for name in WEIGHTS}
        found: Floats = forward(weights, *_inputs(space, state["nodes"], Z)).numpy()
    return found.astype(np.float64)


def _inputs(space: Space, nodes: Floats, Z: Inputs) -> tuple[Any, ...]:
    import torch

    features, plans = Z[:, : -len(space.slots)], Z[:, -len(space.slots) :]
    return (
        torch.tensor(nodes, dtype=torch.float32),
        [column.sources for column in space.columns[1:]],
        torch.tensor(features, dtype=torch.float32),
        torch.tensor(plans, dtype=torch.int64),
    )


@contextmanager
def _one_thread() -> Iterator[None]:
    # As elsewhere in predictors: tensors are small, and sums keep their order.
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
