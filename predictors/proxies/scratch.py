"""A copy to work on, so that the network is left exactly as it was found.

Parameters, buffers, gradients, modes and hooks cannot be changed through a copy; it costs some
milliseconds. What is left to protect is the state of the generators that a network's own forward
may draw from, and one switch of PyTorch's.
"""

from __future__ import annotations

import copy
import functools
import random
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from predictors.proxies.errors import ProxyError

_NUMPY_SEEDS = 2**32

Remake = Callable[[Tensor], Tensor]
"""Makes a parameter of the copy from the network's, of the same shape."""


class Remaking:
    """A pass on a copy with other parameters, which ``remake`` makes.

    To copy the network's own first would take half of the time of a copy.
    """

    def __init__(self, run: Callable[..., Any], remake: Remake) -> None:
        self.run, self.remake = run, remake
        functools.update_wrapper(self, run)

    def __call__(self, *arguments: Any) -> Any:
        """Run the pass."""
        return self.run(*arguments)


@contextmanager
def scratch(model: nn.Module, seed: int, needs: Callable[..., Any]) -> Iterator[nn.Module]:
    """A copy of ``model`` for the pass ``needs``, with autograd on.

    The global generators are set to ``seed``; when the block ends they stand where they stood. The
    copy is in evaluation mode, so that dropout is off; its parameters are of one precision and all
    require gradients.

    Raises:
        ProxyError: the network cannot be copied.
    """
    devices = {p.device for p in (*model.parameters(), *model.buffers()) if p.is_cuda}
    python, legacy = random.getstate(), np.random.get_state()  # noqa: NPY002
    fused = torch.backends.mha.get_fastpath_enabled()
    try:
        with (
            torch.random.fork_rng([device.index for device in devices]),
            torch.inference_mode(False),
            torch.enable_grad(),
            torch.autocast("cpu", enabled=False),
            torch.autocast("cuda", enabled=False),
        ):
            # Fused attention, which inference may take, shows nobody what its layers do.
            torch.backends.mha.set_fastpath_enabled(False)
            torch.manual_seed(seed)
            random.seed(seed)
            np.random.seed(seed % _NUMPY_SEEDS)  # noqa: NPY002
            yield _copied(model, needs.remake if isinstance(needs, Remaking) else torch.clone)
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)
        random.setstate(python)
        np.random.set_state(legacy)  # noqa: NPY002


def _copied(model: nn.Module, remake: Remake) -> nn.Module:
    try:
        mine = copy.deepcopy(model, _emptied(model) | _remade(model, remake))
    except Exception as error:  # Whatever a module's own state raises.
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise ProxyError(
            f"a network is scored on a copy, and {type(model).__name__} cannot be copied ({reason})"
        ) from error
    double = any(parameter.dtype == torch.float64 for parameter in mine.parameters())
    mine.to(torch.float64 if double else torch.float32).eval()
    for parameter in mine.parameters():
        parameter.grad = None
        parameter.requires_grad_(parameter.is_floating_point())
    return mine


def _emptied(model: nn.Module) -> dict[int, Any]:
    """Copies of what is empty, for ``deepcopy``: it takes most of its time over modules' hooks."""
    kinds = (dict, OrderedDict, set)
    values = [value for module in model.modules() for value in vars(module).values()]
    return {id(value): type(value)() for value in values if type(value) in kinds and not value}


def _remade(model: nn.Module, remake: Remake) -> dict[int, Any]:
    """The parameters of the copy, for ``deepcopy``."""
    plain = [p for p in model.parameters() if type(p) is nn.Parameter and p.is_floating_point()]
    return {id(p): nn.Parameter(remake(p.detach())) for p in plain}
