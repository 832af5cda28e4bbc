"""What a training step costs: the supernet against plain networks, and formats against each other.

    python experiments/speed/training_step.py [--config FILE] [--threads 2] [--rounds 40]
        [--out FILE]

Claims (medians of interleaved pairs, batch 128, forward, backward and update; the space, the
optimizer and the precision of a configuration, else `small-images`, AdamW and float32):

1. A step of the supernet on a subnet costs at most 1.10 times the step of the same network
   built plain, for the smallest, the largest and five random subnets.
2. The plain network, channels-last with PyTorch's fused hard-swish, runs a step at least 1.4
   times as fast as the same in NCHW with hard-swish written out.
3. The largest network trains (forward and backward) at 700 images a second or faster.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from recipe import named, recipe
from timing import Pair, interleaved, machine, milliseconds, save
from torch import Tensor, nn
from torch.nn import functional

from nas.config import TrainConfig
from nas.training.optimizers import make_optimizer
from search_spaces import Architecture, Space
from search_spaces.supernet import Supernet

Network = Callable[[Tensor], Tensor]
# A comparison of short steps takes more rounds, so many milliseconds of the plain network.
ENOUGH_MS = 4000
MOST, LEAST, FASTEST = 1.10, 1.4, 700


class WrittenOut(nn.Module):
    """Hard-swish as its definition reads, five passes over the memory."""

    def forward(self, x: Tensor) -> Tensor:
        return x * functional.relu6(x + 3) / 6


def learn(network: Network, x: Tensor, labels: Tensor, train: TrainConfig) -> None:
    """Forward and backward in the training's precision."""
    with torch.autocast("cpu", torch.bfloat16, enabled=train.precision == "bfloat16"):
        scores = network(x)
    functional.cross_entropy(scores.float(), labels, label_smoothing=0.1).backward()


def step(
    network: Network, holder: nn.Module, x: Tensor, labels: Tensor, train: TrainConfig
) -> Callable[[], None]:
    """A function that does one update of ``holder``'s weights with the training's optimizer."""
    optimizer = make_optimizer(holder, train)

    def once() -> None:
        learn(network, x, labels, train)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return once


def images(architecture: Architecture, batch: int) -> tuple[Tensor, Tensor]:
    """Random images [batch, 3, R, R] at the architecture's resolution, channels-last; labels."""
    size = int(str(architecture["resolution"]))
    x = torch.randn(batch, 3, size, size).contiguous(memory_format=torch.channels_last)
    return x, torch.randint(0, 10, (batch,))


def plain(space: Space, supernet: Supernet, architecture: Architecture) -> nn.Module:
    """The network built by itself, with the supernet's weights."""
    network = space.build(architecture).to(memory_format=torch.channels_last)
    network.load_state_dict(supernet.extract(architecture).state_dict())
    return network.train()


def supernet_against_plain(
    supernet: Supernet, row: np.ndarray, train: TrainConfig, batch: int, rounds: int
) -> Pair:
    space = supernet.space
    architecture = space.decode(row)
    x, labels = images(architecture, batch)
    network = plain(space, supernet, architecture)
    shared = step(lambda x: supernet(x, architecture), supernet, x, labels, train)
    alone = step(network, network, x, labels, train)
    return interleaved(shared, alone, max(rounds, round(ENOUGH_MS / milliseconds(alone))))


def written_out(network: nn.Module) -> nn.Module:
    """The network with every fused hard-swish written out, in place."""
    for module in list(network.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.Hardswish):
                setattr(module, name, WrittenOut())
    return network


def formats(
    supernet: Supernet, row: np.ndarray, train: TrainConfig, batch: int, rounds: int
) -> Pair:
    space = supernet.space
    architecture = space.decode(row)
    x, labels = images(architecture, batch)
    fast = plain(space, supernet, architecture)
    slow = written_out(plain(space, supernet, architecture))
    slow = slow.to(memory_format=torch.contiguous_format)
    nchw = x.contiguous(memory_format=torch.contiguous_format)
    return interleaved(
        step(slow, slow, nchw, labels, train), step(fast, fast, x, labels, train), rounds
    )


def images_per_second(supernet: Supernet, train: TrainConfig, batch: int, rounds: int) -> float:
    """Forward and backward of the largest network, built plain."""
    space = supernet.space
    architecture = space.decode(space.largest)
    x, labels = images(architecture, batch)
    network = plain(space, supernet, architecture)

    def once() -> None:
        learn(network, x, labels, train)
        network.zero_grad(set_to_none=True)

    for _ in range(3):
        once()
    return 1000 * batch / statistics.median(milliseconds(once) for _ in range(rounds))


def main() -> int:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".json"))
    options = parser.parse_args()

    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    space, train = recipe(options.config)
    print(named(space, train))
    supernet = space.supernet().to(memory_format=torch.channels_last).train()
    random = space.sample(5, np.random.default_rng(options.seed))
    rows = {"smallest": space.smallest, "largest": space.largest}
    rows |= {f"random {i}": row for i, row in enumerate(random)}

    steps: dict[str, Pair] = {}
    for name, row in rows.items():
        steps[name] = supernet_against_plain(supernet, row, train, options.batch, options.rounds)
        print(
            f"{name:9} supernet {steps[name].first_ms:7.1f} ms, plain "
            f"{steps[name].second_ms:7.1f} ms, ratio {steps[name].ratio:.3f} (at most {MOST})"
        )
    against: dict[str, Pair] = {}
    for name in ("smallest", "largest"):
        against[name] = formats(supernet, rows[name], train, options.batch, options.rounds)
        print(
            f"{name:9} NCHW, written out {against[name].first_ms:7.1f} ms, channels-last, fused "
            f"{against[name].second_ms:7.1f} ms, ratio {against[name].ratio:.2f} (at least {LEAST})"
        )
    speed = images_per_second(supernet, train, options.batch, options.rounds)
    print(f"largest   {speed:.0f} images/s forward and backward (at least {FASTEST})")
    holds = {
        f"a step at most {MOST} times a plain one": all(s.ratio <= MOST for s in steps.values()),
        f"at least {LEAST} times as fast as written out": all(
            pair.ratio >= LEAST for pair in against.values()
        ),
        f"at least {FASTEST} images a second": speed >= FASTEST,
    }
    for claim, held in holds.items():
        print(f"{'holds' if held else 'FALLS SHORT'}: {claim}")
    save(
        options.out,
        {
            "machine": machine() | {"torch": torch.__version__, "threads": options.threads},
            "recipe": named(space, train),
            "batch": options.batch,
            "supernet_against_plain": steps,
            "written_out_nchw_against_fused_channels_last": against,
            "largest_images_per_second": round(speed, 1),
            "holds": holds,
        },
    )
    return 0 if all(holds.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
