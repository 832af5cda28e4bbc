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
from pathlib import Path

import torch
from torch import Tensor, distributed, nn
from torch.distributed.distributed_c10d import PrefixStore
from torch.distributed.rendezvous import rendezvous
from torch.nn.parallel import DistributedDataParallel

from nas.training.shared_norm import shared_batch_norm
from search_spaces.blocks.slicing import Norm, use_batch_norm
from search_spaces.errors import NasLoopError
from search_spaces.files import write_atomic

__all__ = ["Ranks", "by_itself", "joined", "note_launch", "restarted", "together"]

LAUNCH = ".torchrun"


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

    def wrapped(self, supernet: nn.Module, sync_batch_norm: bool) -> nn.Module:
        """The supernet as it is called in a step, so that gradients are averaged.

        With ``sync_batch_norm`` batch norms see the images of all ranks.
        """
        if self.count == 1:
            return supernet
        if sync_batch_norm:
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

    Where there are GPUs, a rank uses the one of its number on its machine.

    Raises:
        NasLoopError: the ranks do not find each other, or a machine has fewer GPUs than ranks.
    """
    if not together():
        yield by_itself()
        return
    device, cuda = "cpu", torch.cuda.is_available()
    if cuda:
        local, cards = int(os.environ["LOCAL_RANK"]), torch.cuda.device_count()
        if local >= cards:
            raise NasLoopError(
                f"process {local} of this machine has no GPU of its own, there are {cards}; start "
                f"torchrun with --nproc-per-node={cards}"
            )
        torch.cuda.set_device(local)
        device = f"cuda:{local}"
    try:
        store, rank, count = next(rendezvous("env://"))
        if int(os.environ["LOCAL_WORLD_SIZE"]) == count:
            # After a restart torchrun's store still has the addresses of the ranks before, and who
            # reads one before it is replaced waits for the dead. Machines count restarts apart.
            store = PrefixStore(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0"), store)
        distributed.init_process_group(
            "nccl" if cuda else "gloo", store=store, rank=rank, world_size=count
        )
    except (RuntimeError, ValueError) as error:
        raise NasLoopError(
            f"the processes that torchrun started do not find each other ({error}); start them "
            "with one torchrun command a machine, all with the same --rdzv-endpoint"
        ) from error
    try:
        yield Ranks(distributed.get_rank(), distributed.get_world_size(), device)
    finally:
        distributed.destroy_process_group()


def together() -> bool:
    """Whether ``torchrun`` has started this process."""
    return "RANK" in os.environ


def by_itself() -> Ranks:
    """This process alone, on the GPU if there is one."""
    return Ranks(device="cuda" if torch.cuda.is_available() else "cpu")


def note_launch(folder: Path) -> None:
    """Leave in ``folder`` which launch of ``torchrun`` made it."""
    if together():
        write_atomic(folder / LAUNCH, os.environ.get("TORCHELASTIC_RUN_ID", ""))


def restarted(folder: Path) -> bool:
    """Whether ``torchrun`` started the ranks again after one died, in the launch of ``folder``."""
    if int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")) == 0:
        return False
    launch = folder / LAUNCH
    return launch.is_file() and launch.read_text() == os.environ.get("TORCHELASTIC_RUN_ID", "")
