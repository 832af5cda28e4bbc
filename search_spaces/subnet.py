"""A plan as a PyTorch network."""

from __future__ import annotations

from torch import Tensor, nn

from search_spaces.blocks import lender
from search_spaces.errors import SpaceError
from search_spaces.plan import Plan


def module_name(weights: str) -> str:
    """The name under which the block of a weights key is registered (PyTorch forbids dots)."""
    return weights.replace(".", "_")


class Subnet(nn.Module):
    """The layers of ``plan``, one block for every key of weights, fresh."""

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self.plan = plan
        self.blocks = nn.ModuleDict(
            {module_name(node.weights): lender([node.spec]) for node in plan.nodes}
        )

    def forward(self, x: Tensor) -> Tensor:
        """Images [N, C, H, W], normalised as in training, to logits [N, classes]."""
        return run(self.plan, self.blocks, x)


def run(plan: Plan, blocks: nn.ModuleDict, x: Tensor) -> Tensor:
    """The plan on ``x`` [N, C, H, W], every layer by the block of its weights.

    Raises:
        SpaceError: images of other channels than the plan's. Blocks go by the channels that they
            get, as a supernet's have to, and would take grey images by a slice of the first layer.
    """
    if x.ndim != 4 or x.shape[1] != plan.image.shape[0]:
        raise SpaceError(
            f"images are [N, {plan.image.shape[0]}, H, W]; got shape {[*x.shape]}: convert them, "
            "or build a network for such images"
        )
    values: list[Tensor] = []
    for node in plan.nodes:
        inputs = [x if source < 0 else values[source] for source in node.inputs]
        values.append(blocks[module_name(node.weights)](*inputs, spec=node.spec))
    return values[plan.outputs[0]]
