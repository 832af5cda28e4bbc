"""What the decisions build: a topological list of layers."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from search_spaces.specs import LayerSpec, Tensor, described

if TYPE_CHECKING:
    import networkx as nx


@dataclass(frozen=True)
class Node:
    """One layer: ``inputs`` are positions of earlier nodes, -1 is the image."""

    slot: str
    spec: LayerSpec
    inputs: tuple[int, ...]
    weights: str


@dataclass(frozen=True)
class Plan:
    """``nodes`` in topological order; ``outputs`` are positions among them."""

    nodes: tuple[Node, ...]
    outputs: tuple[int, ...]

    @property
    def image(self) -> Tensor:
        """The tensor that goes in."""
        first = next(node for node in self.nodes if -1 in node.inputs)
        return first.spec.inputs[first.inputs.index(-1)]

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one image."""
        return sum(node.spec.macs for node in self.nodes)

    @property
    def params(self) -> int:
        """Trainable parameters; layers that share weights count once."""
        return sum({node.weights: node.spec.params for node in self.nodes}.values())

    def graph(self) -> nx.DiGraph:
        """The layers as a graph: nodes are positions with ``slot`` and ``spec``."""
        import networkx as nx  # Takes longer to import than a search takes to start.

        graph: nx.DiGraph = nx.DiGraph()
        for position, node in enumerate(self.nodes):
            graph.add_node(position, slot=node.slot, spec=node.spec)
            graph.add_edges_from((source, position) for source in node.inputs if source >= 0)
        return graph


def digest(plan: Plan) -> str:
    """SHA-256 of the network without slot names: equal exactly for equal networks.

    Layers are numbered in the order of a depth-first walk from the outputs through ordered
    inputs. That order depends on the network alone, so the numbered list is a canonical form;
    layers out of reach of the outputs compute nothing and are left out.
    """
    number: dict[int, int] = {-1: -1}
    weights: dict[str, int] = {}
    canonical: list[object] = []
    for output in plan.outputs:
        _visit(plan, output, number, weights, canonical)
    canonical.append([number[output] for output in plan.outputs])
    return hashlib.sha256(json.dumps(canonical).encode()).hexdigest()


def _visit(
    plan: Plan,
    start: int,
    number: dict[int, int],
    weights: dict[str, int],
    canonical: list[object],
) -> None:
    pending = [start]
    while pending:
        position = pending[-1]
        waiting = [source for source in plan.nodes[position].inputs if source not in number]
        if position in number:
            pending.pop()
        elif waiting:
            pending.append(waiting[0])
        else:
            node = plan.nodes[position]
            shared = weights.setdefault(node.weights, len(weights))
            canonical.append(
                [described(node.spec), [number[source] for source in node.inputs], shared]
            )
            number[position] = len(number) - 1
            pending.pop()
