"""What mixed precision (bfloat16) brings to training on this CPU.

    python experiments/speed/mixed_precision.py [--config FILE] [--threads 2] [--rounds 30]
        [--out FILE]

Claim: where the CPU multiplies bfloat16 (AMX), a training step of the space's largest network
(`small-images`, or that of a configuration; batch 128, forward, backward and update, as
`training_step.py` has them) is at least 1.4 times as fast in mixed precision as in float32. And why
convolutions of narrow groups stay in float32: their gradients in both.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from recipe import named, recipe
from timing import Pair, interleaved, machine, save
from torch.nn import functional
from training_step import images, plain, step

from nas.processor import multiplies_bfloat16

LEAST = 1.4
# Channels, channels of a group, kernel, stride, size of maps; depthwise as the space's last stage.
GROUPED = (
    (200, 1, 5, 2, 8),
    (280, 1, 5, 1, 4),
    (280, 1, 3, 1, 4),
    (128, 4, 3, 1, 8),
    (128, 16, 3, 1, 8),
    (128, 32, 3, 1, 8),
)


def gradients(
    channels: int, group: int, kernel: int, stride: int, side: int, dtype: torch.dtype
) -> Callable[[], object]:
    """Both gradients of a convolution of groups on 128 maps."""
    x = torch.randn(128, channels, side, side).to(dtype, memory_format=torch.channels_last)
    weight = torch.randn(channels, group, kernel, kernel).to(dtype)
    x.requires_grad_()
    weight.requires_grad_()
    y = functional.conv2d(x, weight, None, stride, kernel // 2, groups=channels // group)
    upstream = torch.randn_like(y)
    return lambda: torch.autograd.grad(y, (x, weight), upstream, retain_graph=True)


def main() -> int:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".json"))
    options = parser.parse_args()

    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    space, train = recipe(options.config)
    exact, mixed = (
        dataclasses.replace(train, precision=precision) for precision in ("float32", "bfloat16")
    )
    supernet = space.supernet().to(memory_format=torch.channels_last).train()
    rows = {"smallest": space.smallest, "largest": space.largest}
    random = space.sample(3, np.random.default_rng(0))
    rows |= {f"random {i}": row for i, row in enumerate(random)}
    steps: dict[str, Pair] = {}
    for name, row in rows.items():
        architecture = space.decode(row)
        x, labels = images(architecture, options.batch)
        network = plain(space, supernet, architecture)
        full = step(network, network, x, labels, exact)
        half = step(network, network, x, labels, mixed)
        steps[name] = interleaved(full, half, options.rounds)
        print(
            f"{name:9} float32 {steps[name].first_ms:6.1f} ms, mixed {steps[name].second_ms:6.1f} "
            f"ms, {steps[name].ratio:.2f} times as fast"
        )
    grouped: dict[str, Pair] = {}
    for channels, group, kernel, stride, side in GROUPED:
        name = (
            f"{channels} channels of {side}x{side} in groups of {group}, {kernel}x{kernel}, stride "
            f"{stride}"
        )
        pair = [
            gradients(channels, group, kernel, stride, side, dtype)
            for dtype in (torch.bfloat16, torch.float32)
        ]
        grouped[name] = interleaved(pair[0], pair[1], options.rounds)
        print(
            f"gradients, {name}: bfloat16 {grouped[name].first_ms:.2f} ms, float32 "
            f"{grouped[name].second_ms:.2f} ms, {grouped[name].ratio:.1f} times"
        )
    fast, holds = multiplies_bfloat16(), steps["largest"].ratio >= LEAST
    if fast:
        print(f"the largest network, at least {LEAST}: {'HOLDS' if holds else 'FALLS SHORT'}")
    else:
        print("this CPU does not multiply bfloat16; nothing is claimed")
    save(
        options.out,
        {
            "machine": machine() | {"torch": torch.__version__, "threads": options.threads},
            "recipe": named(space, mixed),
            "multiplies_bfloat16": fast,
            "batch": options.batch,
            "float32_against_mixed": steps,
            "gradients_of_groups_bfloat16_against_float32": grouped,
        },
    )
    return 0 if holds or not fast else 1


if __name__ == "__main__":
    sys.exit(main())
