"""One network that holds the weights of all networks of a space (once-for-all)."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from search_spaces.architecture import Architecture
from search_spaces.blocks import lender
from search_spaces.plan import Plan
from search_spaces.subnet import Subnet, module_name, run

if TYPE_CHECKING:
    from search_spaces.space import Space


class Supernet(nn.Module):
    """For every key of weights one block, large enough for every spec that shares it.

    After "Once for All" (Cai et al. 2020): kernel, expansion, depth and width are slices.
    """

    def __init__(self, space: Space) -> None:
        super().__init__()
        self.space = space
        self.blocks = nn.ModuleDict(
            {module_name(key): lender(specs) for key, specs in space.weight_specs().items()}
        )
        self._remember()

    def _remember(self) -> None:
        self._lower = functools.lru_cache(maxsize=4096)(self.space.lower)

    def __getstate__(self) -> dict[str, Any]:
        # What is remembered cannot be pickled, and is soon remembered again.
        return {name: value for name, value in self.__dict__.items() if name != "_lower"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)  # type: ignore[no-untyped-call]
        self._remember()

    def forward(self, x: Tensor, architecture: Architecture) -> Tensor:
        """Images [N, C, R, R] to logits [N, classes], by the subnet of ``architecture``.

        The images are expected at the architecture's resolution; no layer asks for it.
        """
        return run(self.plan(architecture), self.blocks, x)

    def plan(self, architecture: Architecture) -> Plan:
        """The architecture's plan, remembered."""
        return self._lower(architecture)

    def extract(self, architecture: Architecture) -> Subnet:
        """The subnet as a network of its own, with a copy of its weights and statistics."""
        subnet = Subnet(self.plan(architecture))
        for node in subnet.plan.nodes:
            name = module_name(node.weights)
            subnet.blocks[name].load_state_dict(self.blocks[name].weights(node.spec))  # type: ignore[operator]
        parameter = next(self.parameters())
        return subnet.to(parameter.device, parameter.dtype).train(self.training)
