"""A step of the supernet's training, against the plain largest network's and against itself undone.

    python experiments/speed/supernet_step.py [--config FILE] [--threads 2] [--rounds 40]
        [--out FILE]

The step is the whole of what a configuration's training does with a batch of 128 images, all
choices open: its strategy draws subnets, each is run forward and backward at its own image size,
taught as the strategy teaches, and the optimizer and the moving average follow. Without a
configuration it is the sandwich rule with AdamW in float32 on `small-images`.

Reported are images a second of three that take turns, and their ratios (medians of rounds):

- the supernet's step; every image is seen by each subnet of the step, so that its images a second
  times the number of subnets is what compares with a network alone;
- the largest network, built plain: forward, backward, the same optimizer;
- the supernet's step in NCHW, hard-swish written out, drawing the same subnets.

Claim: the last is at least 1.4 times as slow.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from recipe import named, recipe
from timing import interleaved, machine, save
from torch import Tensor
from training_step import images, plain, step, written_out

from nas.config import TrainConfig
from nas.training import learner as learning
from nas.training.learner import Learner, at
from nas.training.phases import largest
from nas.training.ranks import Ranks
from search_spaces import Architecture, Space

BATCH, LEAST = 128, 1.4


def undone(x: Tensor, architecture: Architecture) -> Tensor:
    """Images at the resolution of an architecture, in NCHW."""
    return at(x, architecture).contiguous()


def steps(
    space: Space, train: TrainConfig, x: Tensor, labels: Tensor, fast: bool = True
) -> tuple[int, Callable[[], None]]:
    """How many subnets a step has, and a function that does one; all draw alike."""
    torch.manual_seed(train.seed)
    learner = Learner(space, train, Ranks())
    if not fast:
        written_out(learner.supernet).to(memory_format=torch.contiguous_format)
    if learner.strategy.teacher == "as-it-was":
        learner.learn_from(learner.supernet.extract(learner.largest).eval())
    learner.supernet.train()
    low, high = np.zeros(len(space.choices), dtype=np.int64), largest(space)
    count = train.subnets or learner.strategy.subnets(space, low, high)
    rng = np.random.default_rng(train.seed)

    def once() -> None:
        with mock.patch.object(learning, "at", at if fast else undone):
            rows = learner.draw(low, high, rng, x, labels)
            learner.step(x, labels, [space.decode(row) for row in rows])

    return count, once


def main() -> int:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".json"))
    options = parser.parse_args()

    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    space, train = recipe(options.config)
    if options.config is None:
        train = dataclasses.replace(train, strategy="sandwich")
    x, labels = images(space.decode(space.largest), BATCH)
    subnets, shared = steps(space, train, x, labels)
    _, slow = steps(space, train, x, labels, fast=False)
    network = plain(space, space.supernet(), space.decode(space.largest))
    alone = step(network, network, x, labels, train)

    # First, so that both are at the same draws.
    against_undone = interleaved(slow, shared, options.rounds)
    against_plain = interleaved(shared, alone, options.rounds)
    rates = {
        "supernet": 1000 * BATCH / against_plain.first_ms,
        "supernet, subnets counted": 1000 * BATCH * subnets / against_plain.first_ms,
        "largest, plain": 1000 * BATCH / against_plain.second_ms,
    }
    for name, rate in rates.items():
        print(f"{name:26} {rate:6.0f} images/s")
    print(f"{subnets} subnets: {against_plain.ratio:.2f} times the plain largest network's step")
    print(f"{against_undone.ratio:.2f} times as fast as in NCHW, written out (at least {LEAST})")
    holds = against_undone.ratio >= LEAST
    print(f"{'holds' if holds else 'FALLS SHORT'}: at least {LEAST} times as fast")
    save(
        options.out,
        {
            "machine": machine() | {"torch": torch.__version__, "threads": options.threads},
            "recipe": named(space, train) | {"strategy": train.strategy, "subnets": subnets},
            "batch": BATCH,
            "supernet_against_plain_largest": against_plain,
            "undone_against_supernet": against_undone,
            "images_per_second": {name: round(rate, 1) for name, rate in rates.items()},
            "holds": holds,
        },
    )
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
