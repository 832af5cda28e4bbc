"""One network of a space as a space of its own, to be trained alone."""

from __future__ import annotations

from typing import Any

from search_spaces.choices import choice
from search_spaces.net import IMAGE, Net
from search_spaces.plan import Plan
from search_spaces.space import Space

__all__ = ["alone"]


class _Given:
    """Stands where a spec's class would: what it resolves to is known."""

    @staticmethod
    def resolve(inputs: Any, *, spec: Any) -> Any:
        return spec


def alone(plan: Plan, name: str) -> Space:
    """The space whose only network is ``plan``; its supernet is that network and nothing else.

    Slots are named after their keys of weights, so that weights of one fit the other.

    Raises:
        SpaceError: layers that share weights.
    """
    channels, side, _ = plan.image.shape
    net = Net(image=(channels, choice("resolution", side)))
    slots = [node.weights for node in plan.nodes]
    for node in plan.nodes:
        inputs = tuple(IMAGE if source < 0 else slots[source] for source in node.inputs)
        net(node.weights, _Given, inputs=inputs, spec=node.spec)
    return Space(net, name)
