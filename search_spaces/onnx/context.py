"""A block as it stands inside a network: the models from which a latency table is measured.

An isolated block is fed from a plain layout and pays for reordering its input and its output,
which inside a network nobody does. Behind a convolution and in front of a pooling it finds the
layout that a network has (`experiments/latency/accuracy.py` compares sums of both).
"""

from __future__ import annotations

import dataclasses

import numpy as np
import onnx

from search_spaces.errors import SpaceError
from search_spaces.onnx.weights import random_plan_weights
from search_spaces.onnx.writer import write
from search_spaces.plan import Node, Plan
from search_spaces.specs import Conv, Flatten, LayerSpec, Tensor

IMAGE_CHANNELS = 3
ADAPTER = "adapter"


def at_image(tensor: Tensor) -> bool:
    """Whether a layer on ``tensor`` stands at the image itself, without an adapter before it."""
    return len(tensor.shape) == 3 and tensor.shape[0] <= IMAGE_CHANNELS


def chains(spec: LayerSpec) -> bool:
    """Whether copies of the layer can follow each other: its output is like its input."""
    return spec.inputs == (spec.output,)


def in_context(
    tensor: Tensor, spec: LayerSpec | None, copies: int, rng: np.random.Generator
) -> onnx.ModelProto:
    """Adapter, ``copies`` of ``spec`` on ``tensor``, global pooling; batch 1.

    The adapter is a 1x1 convolution from 3 channels (for a layer on [features] of one pixel, made
    flat); a layer that stands at the image goes without. ``spec`` None leaves the adapter alone.
    Weights are random, each copy its own.

    Raises ``SpaceError`` if copies do not fit each other, or the layer has several inputs.
    """
    if spec is not None and spec.inputs != (tensor,):
        raise SpaceError(f"the layer takes {spec.inputs}, not one tensor {tensor}")
    if spec is not None and copies > 1 and not chains(spec):
        raise SpaceError(f"{copies} copies do not fit each other: {spec.inputs} to {spec.output}")
    nodes: list[Node] = []
    if not at_image(tensor):
        channels, *sizes = tensor.shape
        image = dataclasses.replace(tensor, shape=(IMAGE_CHANNELS, *(sizes or (1, 1))))
        adapter = Conv((image,), channels, 1, 1, "none")
        nodes.append(Node(ADAPTER, adapter, (-1,), ADAPTER))
        if not sizes:
            flat = f"{ADAPTER}.flat"
            nodes.append(Node(flat, Flatten((adapter.output,)), (0,), flat))
    for copy in range(copies if spec is not None else 0):
        assert spec is not None
        nodes.append(Node(f"block.{copy}", spec, (len(nodes) - 1,), f"block.{copy}"))
    if not nodes:
        raise SpaceError("a model of the image alone has no layer; ask for a copy of one")
    plan = Plan(tuple(nodes), (len(nodes) - 1,))
    return write(plan, random_plan_weights(plan, rng), pooled=True)
