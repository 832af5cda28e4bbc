"""Which units are on: the sign of what goes into every activation function.

Modules and functions are seen alike, because a mode of PyTorch sees every call: ``nn.ReLU``,
``functional.relu`` and ``x.relu_()``. Gates (sigmoids) are no units. A rectifier that is written
as arithmetic, such as ``x.clamp(min=0)``, is not recognised.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
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
        found: of each call, in order, the codes [N, bytes], eight units to a byte, filled up with
            zeros.
        units: how many units each call has.
    """

    def __init__(self, images: int) -> None:
        """``images``: N; activations of anything else than N images are left out."""
        super().__init__()
        self.images = images
        self.found: list[npt.NDArray[np.uint8]] = []
        self.units: list[int] = []

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
                codes = _on(taken.detach().flatten(1))
                self.found.append(np.packbits(codes, axis=1))
                self.units.append(codes.shape[1])
        return func(*args, **kwargs)


def _on(taken: Tensor) -> npt.NDArray[np.bool_]:
    if taken.is_cpu and taken.dtype in (torch.float32, torch.float64):
        # In a quarter of the time that PyTorch takes.
        found: npt.NDArray[np.bool_] = taken.numpy() > 0
        return found
    return (taken > 0).cpu().numpy()
