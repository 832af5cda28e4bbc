"""What proxies cost beside the passes that they need.

    python experiments/predictors/cost.py [--network 01201212] [--batch 64] [--rounds 9]

Of one network of NAS-Bench-Macro:

1. Every proxy alone (`score` from start to end: copy, hooks, pass, reading) against the plain
   passes that its formula asks for, run without any of ours: at most 1.2 times.
2. All proxies together against the sum of the distinct plain passes: at most 3 times.

Both of a pair take turns within each round and the ratio is the median over rounds, so that a busy
machine slows both; on a quiet one times in milliseconds are worth reading too.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "speed"))
from timing import interleaved, machine, save

import search_spaces
from predictors import proxies
from predictors.proxies.passes import blockwise, curvature, gaussian, samples
from search_spaces.nas_bench_macro import rows_of

Work = Callable[[], object]


def plain_passes(
    model: nn.Module, double: nn.Module, images: Tensor, labels: Tensor
) -> dict[str, Work]:
    """What the formulas ask for, by the name of our pass, as anybody would write it.

    ``double`` is the same network in double precision.
    """
    parameters = list(model.parameters())
    pieces = list(model.get_submodule("blocks").children())[:-1]
    few, ones = images[: curvature.IMAGES], torch.ones_like(images[:1], dtype=torch.float64)

    def forward(x: Tensor = images) -> None:
        with torch.no_grad():
            model(x)

    def loss_gradients(x: Tensor = images, y: Tensor = labels) -> None:
        torch.autograd.grad(F.cross_entropy(model(x), y), parameters)

    def jacobian() -> None:
        x = images.clone().requires_grad_()
        torch.autograd.grad(model(x).sum(), x)

    def curved() -> None:
        loss = F.cross_entropy(model(few), labels[: len(few)])
        first = torch.autograd.grad(loss, parameters, create_graph=True)
        torch.autograd.grad(sum((g * g.detach()).sum() for g in first), parameters)  # type: ignore[arg-type]

    def positive() -> None:
        torch.autograd.grad(double(ones).sum(), list(double.parameters()))

    def blocks() -> None:
        seen = [images[: blockwise.IMAGES].clone().requires_grad_()]
        hooks = [m.register_forward_hook(lambda *said: seen.append(said[2])) for m in pieces]
        model(seen[0])
        for hook in hooks:
            hook.remove()
        for before, after in itertools.pairwise(seen):
            signs = torch.randint(0, 2, after.shape, dtype=after.dtype) * 2 - 1
            torch.autograd.grad(after, before, signs, retain_graph=True)

    def noise() -> None:
        forward(images[: gaussian.IMAGES])
        forward(images[: gaussian.IMAGES])

    def each() -> None:
        forward()
        for i in range(samples.SAMPLES):
            loss_gradients(images[i : i + 1], labels[i : i + 1])

    return {
        "forward": forward,
        "loss_gradients": loss_gradients,
        "jacobian": jacobian,
        "curvature": curved,
        "positive": positive,
        "blockwise": blocks,
        "gaussian": noise,
        "sample_losses": each,
        "sample_logits": each,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", default="01201212")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "cost.json")
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    space = search_spaces.get("nas-bench-macro")
    architecture = space.decode(rows_of([options.network])[0])
    model, images = space.build(architecture), torch.randn(options.batch, 3, 32, 32)
    batch = images, torch.randint(0, 10, (options.batch,))
    passes = plain_passes(model, space.build(architecture).double(), *batch)
    alone, needed = {}, {}
    for name in proxies.names():
        if name == "w_pca":  # Networks of this space have no tokens.
            continue
        needed[name] = proxies.get(name).needs.__name__
        pair = interleaved(
            lambda: proxies.score(model, batch, (name,)),  # noqa: B023
            passes[needed[name]],
            options.rounds,
            warm_up=1,
        )
        alone[name] = pair
        print(f"{name:18} {pair.ratio:5.2f} times its pass, {needed[name]}", flush=True)
    distinct = [passes[name] for name in dict.fromkeys(needed.values())]
    everything = interleaved(
        lambda: proxies.score(model, batch),
        lambda: [work() for work in distinct],
        options.rounds,
        warm_up=1,
    )
    print(f"{'all together':18} {everything.ratio:5.2f} times the sum of the distinct passes")
    save(
        options.out,
        {
            "machine": machine(),
            "network": options.network,
            "images": options.batch,
            "needs": needed,
            "alone": alone,
            "together": everything,
        },
    )
    sys.exit(any(pair.ratio > 1.2 for pair in alone.values()) or everything.ratio > 3)


if __name__ == "__main__":
    main()
