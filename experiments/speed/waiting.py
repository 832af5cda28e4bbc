"""How long threads should spin while they wait for each other, on a quiet and on a busy machine.

    python experiments/speed/waiting.py [--threads 2] [--turns 4] [--steps 12]

Training steps (the largest network of ``small-images``, forward, backward, update, batch 128) in
fresh processes, since OpenMP reads its policy when it is loaded. All policies take turns, first
alone and then beside one process that is always busy. ``spin N`` is libgomp's GOMP_SPINCOUNT,
``default`` what it does when it is told nothing, ``spin 0`` passive waiting.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
from pathlib import Path

from timing import machine, milliseconds, save

POLICIES = ("spin 0", "spin 1000", "spin 10000", "spin 100000", "default")
BATCH = 128


def child(threads: int, steps: int) -> None:
    """Print the images a second of every step but the first three."""
    import torch
    from recipe import recipe
    from training_step import images, plain, step

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    space, train = recipe(None)
    architecture = space.decode(space.largest)
    network = plain(space, space.supernet(), architecture)
    x, labels = images(architecture, BATCH)
    once = step(network, network, x, labels, train)
    times = [milliseconds(once) for _ in range(steps + 3)][3:]
    print(*(1000 * BATCH / ms for ms in times))


def rate(policy: str, threads: int, steps: int) -> float:
    """Median images a second of one fresh process."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("OMP_", "GOMP_"))}
    if policy != "default":
        environment["GOMP_SPINCOUNT"] = policy.split()[1]
    command = [
        sys.executable,
        __file__,
        "--child",
        "--threads",
        str(threads),
        "--steps",
        str(steps),
    ]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True, text=True)
    return statistics.median(map(float, done.stdout.split()))


def turns(threads: int, number: int, steps: int) -> dict[str, list[float]]:
    """``number`` rates of every policy, in turns."""
    rates: dict[str, list[float]] = {policy: [] for policy in POLICIES}
    for _ in range(number):
        for policy, found in rates.items():
            found.append(round(rate(policy, threads, steps), 1))
    return rates


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--turns", type=int, default=4)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--child", action="store_true")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".json"))
    options = parser.parse_args()
    if options.child:
        child(options.threads, options.steps)
        return
    before = machine()
    alone = turns(options.threads, options.turns, options.steps)
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as busy:
        try:
            beside = turns(options.threads, options.turns, options.steps)
        finally:
            busy.kill()
    for policy in POLICIES:
        medians = [statistics.median(rates[policy]) for rates in (alone, beside)]
        print(f"{policy:12} {medians[0]:5.0f} images/s alone, {medians[1]:5.0f} beside a busy one")
    save(
        options.out,
        {
            "machine": before,
            "threads": options.threads,
            "alone": alone,
            "beside_a_busy_one": beside,
        },
    )


if __name__ == "__main__":
    main()
