"""What mixed precision (bfloat16) brings to training on this CPU.

    python experiments/speed/mixed_precision.py [--threads 2] [--rounds 30] [--out FILE]

Claim: where the CPU multiplies bfloat16 (AMX), a training step of `small-images`' largest network
(batch 128, forward, backward and update, as `training_step.py` has them) is at least 1.4 times as
fast in mixed precision as in float32. And why convolutions of groups stay in float32: the
gradients of a depthwise 5x5 in both.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from timing import Pair, interleaved, machine, save
from torch import Tensor
from torch.nn import functional
from training_step import Network, images, plain, step

import search_spaces
from nas.processor import multiplies_bfloat16

LEAST = 1.4
# Channels, stride and size of maps: as the last stage of the space has them.
DEPTHWISE = ((200, 2, 8), (280, 1, 4))


def mixed(network: Network) -> Network:
    """The network in mixed precision, as a training runs it."""

    def run(x: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            scores = network(x)
        return scores.float()

    return run


def gradients(channels: int, stride: int, side: int, dtype: torch.dtype) -> Callable[[], object]:
    """Both gradients of a depthwise 5x5 on 128 maps."""
    x = torch.randn(128, channels, side, side).to(dtype, memory_format=torch.channels_last)
    weight = torch.randn(channels, 1, 5, 5).to(dtype)
    x.requires_grad_()
    weight.requires_grad_()
    y = functional.conv2d(x, weight, None, stride, 2, groups=channels)
    upstream = torch.randn_like(y)
    return lambda: torch.autograd.grad(y, (x, weight), upstream, retain_graph=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".json"))
    options = parser.parse_args()

    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    space = search_spaces.get("small-images")
    supernet = space.supernet().to(memory_format=torch.channels_last).train()
    rows = {"smallest": space.smallest, "largest": space.largest}
    random = space.sample(3, np.random.default_rng(0))
    rows |= {f"random {i}": row for i, row in enumerate(random)}
    steps: dict[str, Pair] = {}
    for name, row in rows.items():
        architecture = space.decode(row)
        x, labels = images(architecture, options.batch)
        network = plain(space, supernet, architecture)
        full = step(network, network, x, labels)
        half = step(mixed(network), network, x, labels)
        steps[name] = interleaved(full, half, options.rounds)
        print(
            f"{name:9} float32 {steps[name].first_ms:6.1f} ms, mixed {steps[name].second_ms:6.1f} "
            f"ms, {steps[name].ratio:.2f} times as fast"
        )
    depthwise: dict[str, Pair] = {}
    for channels, stride, side in DEPTHWISE:
        name = f"{channels} channels of {side}x{side}, stride {stride}"
        pair = [gradients(channels, stride, side, t) for t in (torch.bfloat16, torch.float32)]
        depthwise[name] = interleaved(pair[0], pair[1], options.rounds)
        print(
            f"gradients of a depthwise 5x5, {name}: bfloat16 {depthwise[name].first_ms:.1f} ms, "
            f"float32 {depthwise[name].second_ms:.1f} ms, {depthwise[name].ratio:.1f} times"
        )
    fast = multiplies_bfloat16()
    if fast:
        holds = steps["largest"].ratio >= LEAST
        print(f"the largest network, at least {LEAST}: {'HOLDS' if holds else 'FALLS SHORT'}")
    else:
        print("this CPU does not multiply bfloat16; nothing is claimed")
    save(
        options.out,
        {
            "machine": machine() | {"torch": torch.__version__, "threads": options.threads},
            "multiplies_bfloat16": fast,
            "batch": options.batch,
            "float32_against_mixed": steps,
            "depthwise_bfloat16_against_float32": depthwise,
        },
    )


if __name__ == "__main__":
    main()
