"""Which units are on: the sign of what goes into every activation function.

Modules and functions are seen alike, because a mode of PyTorch sees every call: ``nn.ReLU``,
``functional.relu`` and ``x.relu_()``. Gates (sigmoids) are no units. A rectifier that is written
as arithmetic, such as ``x.clamp(min=0)``, is not recognised.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

UNITS = {
    F.celu,
    F.elu,
    F.gelu,
    F.hardswish,
    F.hardtanh,
    F.leaky_relu,
    F.mish,
    F.prelu,
    F.relu,
    F.relu6,
    F.rrelu,
    F.selu,
    F.silu,
    F.softplus,
    F.tanh,
    torch.prelu,
    torch.relu,
    torch.relu_,
    torch.tanh,
    Tensor.relu,
    Tensor.relu_,
    Tensor.tanh,
}


class Codes(TorchFunctionMode):
    """While it is active, collects the codes of all activations.

    Attributes:
        found: bool [N, units] of each call, in order.
    """

    def __init__(self, images: int) -> None:
        """``images``: N; activations of anything else than N images are left out."""
        super().__init__()
        self.images = images
        self.found: list[Tensor] = []

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if func in UNITS:
            taken = args[0] if args else kwargs["input"]
            if taken.ndim > 1 and len(taken) == self.images:
                # Before the call, which may overwrite its input.
                self.found.append((taken.detach() > 0).flatten(1))
        return func(*args, **kwargs)
