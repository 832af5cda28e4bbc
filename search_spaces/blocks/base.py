"""The seam of a block."""

from __future__ import annotations

from typing import Generic, TypeVar

from torch import Tensor, nn

from search_spaces.specs import LayerSpec

Spec = TypeVar("Spec", bound=LayerSpec)


class Block(nn.Module, Generic[Spec]):
    """A layer that holds the weights of ``spec`` and runs any smaller spec that it is given.

    A static block is the elastic block at its own spec. Extraction is
    ``Block(small).load_state_dict(big.weights(small))``. What runs is an argument: nothing is
    left behind for the next call.
    """

    def __init__(self, spec: Spec) -> None:
        super().__init__()
        self.spec = spec

    def weights(self, spec: Spec) -> dict[str, Tensor]:
        """The state dict of a block of ``spec``: slices of this one's tensors."""
        raise NotImplementedError

    def forward(self, x: Tensor, spec: Spec | None = None) -> Tensor:
        """Run as ``spec``, by default its own."""
        raise NotImplementedError
