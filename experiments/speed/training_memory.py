"""What a training step takes of memory: the supernet's against the largest network's own.

    python experiments/speed/training_memory.py [--config FILE] [--rounds 3] [--out FILE]

Claim: a step of the supernet, by any strategy with its own number of subnets, holds at most 1.15
times the ``tensors`` of a step of the largest network, built plain, on the same batch of 128 images
with the same optimizer and precision (those of a configuration, else AdamW and float32).

Every figure is of a fresh process. ``tensors``: the most that PyTorch's allocator holds at once
during a step, above what it held before (activations, gradients), the most of a few steps.
``resident``: the most memory of the process during steps, less what it had once PyTorch was loaded
and the images were there; weights, the optimiser's moments, a teacher and fragments are in it, and
what oneDNN compiles: it keeps the code of up to 1,024 convolutions, and a supernet has that many.
``resident, nothing compiled kept`` is without that. Medians of ``--rounds`` processes.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from recipe import named, recipe
from resident import resident
from supernet_step import steps
from timing import machine, save
from torch import Tensor
from torch.profiler import ProfilerActivity, profile
from training_step import images, plain, step

from nas.config import TrainConfig
from nas.config_training import STRATEGIES
from search_spaces import Space

BATCH, STEPS, WARM_UP = 128, 5, 2
BOUND = 1.15
KEPT: dict[str, str] = {}
NOTHING = {"ONEDNN_PRIMITIVE_CACHE_CAPACITY": "0"}
PLAIN = "largest network, plain"


def forget() -> None:
    """Let VmHWM count from now."""
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")


def alone(space: Space, train: TrainConfig, x: Tensor, labels: Tensor) -> Callable[[], object]:
    """Steps of the largest network, built plain."""
    network = plain(space, space.supernet(), space.decode(space.largest))
    return step(network, network, x, labels, train)


def held(once: Callable[[], object]) -> int:
    """The most bytes that PyTorch's allocator holds for a step above what it held before."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as seen:
        once()
    events = seen.profiler.kineto_results.events()  # type: ignore[union-attr]
    moves = sorted((e.start_ns(), e.nbytes()) for e in events if e.name() == "[memory]")
    return int(np.cumsum([size for _, size in moves]).max())


def taken(name: str, config: Path | None) -> dict[str, int]:
    """Bytes that steps of ``name`` take in this process, which has done nothing yet."""
    torch.set_num_threads(2)
    torch.manual_seed(0)
    space, train = recipe(config)
    x, labels = images(space.decode(space.largest), BATCH)
    before = resident("VmRSS")
    if name == PLAIN:
        once = alone(space, train, x, labels)
    else:
        train = dataclasses.replace(train, strategy=name, phases=None, subnets=None)  # type: ignore[arg-type]
        _, once = steps(space, train, x, labels)
    for _ in range(WARM_UP):
        once()
    forget()
    for _ in range(STEPS):
        once()
    found = {"resident": resident("VmHWM") - before}
    return found | {"tensors": max(held(once) for _ in range(STEPS))}


def main() -> int:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".json"))
    options = parser.parse_args()
    if options.one:
        print(json.dumps(taken(options.one, options.config)))
        return 0
    found: dict[str, dict[str, float]] = {}
    ratios: dict[str, dict[str, float]] = {}
    for name in (PLAIN, *STRATEGIES):
        usual, bare = (
            [_measured(name, options.config, kept) for _ in range(options.rounds)]
            for kept in (KEPT, NOTHING)
        )
        found[name] = {
            "tensors": _megabytes(usual, "tensors"),
            "resident": _megabytes(usual, "resident"),
            "resident, nothing compiled kept": _megabytes(bare, "resident"),
        }
        ratios[name] = {
            what: round(found[name][what] / found[PLAIN][what], 3) for what in found[name]
        }
        told = ", ".join(
            f"{w} {mb:.0f} MB ({ratios[name][w]:.3f})" for w, mb in found[name].items()
        )
        print(f"{name:24} {told}", flush=True)
    save(
        options.out,
        {
            "machine": machine() | {"torch": torch.__version__},
            "recipe": named(*recipe(options.config)),
            "batch": BATCH,
            "megabytes": found,
            "ratios": ratios,
        },
    )
    within = all(one["tensors"] <= BOUND for one in ratios.values())
    print(f"{'holds' if within else 'FALLS SHORT'}: tensors at most {BOUND} times")
    return 0 if within else 1


def _measured(name: str, config: Path | None, kept: dict[str, str]) -> dict[str, int]:
    command = [sys.executable, __file__, "--one", name]
    command += ["--config", str(config)] if config else []
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, env={**os.environ, **kept}
    )
    return dict(json.loads(done.stdout.splitlines()[-1]))


def _megabytes(runs: list[dict[str, int]], what: str) -> float:
    return round(statistics.median(run[what] for run in runs) / 1e6, 1)


if __name__ == "__main__":
    sys.exit(main())
