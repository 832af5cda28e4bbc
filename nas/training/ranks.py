"""Several processes that train one supernet together, as ``torchrun`` starts them.

Every rank takes the same subnets on its own part of every batch; gradients are averaged by
PyTorch's ``DistributedDataParallel``. Without ``torchrun`` there is one rank, and nothing of this
is used.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from nas.training.shared_norm import shared_batch_norm
from search_spaces.blocks.slicing import Norm, use_batch_norm
from search_spaces.errors import NasLoopError

__all__ = ["Ranks", "joined", "restarted"]


@dataclass(frozen=True)
class Ranks:
    """This process among those that train together."""

    rank: int = 0
    count: int = 1
    device: str = "cpu"

    @property
    def writes(self) -> bool:
        """Whether this is the one that writes files and says something."""
        return self.rank == 0

    def wrapped(self, supernet: nn.Module, share_norms: bool) -> nn.Module:
        """The supernet as it is called in a step, so that gradients are averaged.

        With ``share_norms`` batch norms see the images of all ranks.
        """
        if self.count == 1:
            return supernet
        if share_norms:
            for module in supernet.modules():
                if isinstance(module, Norm):
                    use_batch_norm(module, shared_batch_norm)
        # A subnet leaves weights out. Statistics are each rank's own, and nobody evaluates by them.
        return DistributedDataParallel(
            supernet, find_unused_parameters=True, broadcast_buffers=False
        )

    def alone(self, network: nn.Module, last: bool) -> AbstractContextManager[None]:
        """Within it gradients are added up; they are averaged with the ``last`` of a step."""
        if last or not isinstance(network, DistributedDataParallel):
            return contextlib.nullcontext()
        held: AbstractContextManager[None] = network.no_sync()
        return held

    def mean(self, values: Tensor) -> Tensor:
        """The mean over ranks."""
        if self.count > 1:
            distributed.all_reduce(values)
            values /= self.count
        return values

    def wait(self) -> None:
        """Until all ranks are here."""
        if self.count > 1:
            distributed.barrier()


@contextlib.contextmanager
def joined() -> Iterator[Ranks]:
    """The ranks that ``torchrun`` has started, or this process alone.

    A rank uses the GPU of its number where there is one.

    Raises:
        NasLoopError: the ranks do not find each other.
    """
    cuda = torch.cuda.is_available()
    if "RANK" not in os.environ:
        yield Ranks(device="cuda" if cuda else "cpu")
        return
    device = f"cuda:{os.environ['LOCAL_RANK']}" if cuda else "cpu"
    try:
        distributed.init_process_group("nccl" if cuda else "gloo")
    except (RuntimeError, ValueError) as error:
        raise NasLoopError(
            f"the processes that torchrun started do not find each other ({error}); start them "
            "with one torchrun command a machine, all with the same --rdzv-endpoint"
        ) from error
    try:
        yield Ranks(distributed.get_rank(), distributed.get_world_size(), device)
    finally:
        distributed.destroy_process_group()


def restarted() -> bool:
    """Whether ``torchrun`` has started the ranks again after one of them died."""
    return int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")) > 0
