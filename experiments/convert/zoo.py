"""Which of torchvision's classifiers become a space, and whether the largest subnet is the network.

    python experiments/convert/zoo.py [--only NAME ...] [--side 64] [--out FILE]

Every classifier that torchvision lists, with random weights and batch-norm statistics that are not
at their start: converted at ``--side`` pixels (at its least size where that is larger), with
channels left in their order. Told are how many networks the space has, MACs of the smallest
relative to the network, whether the largest subnet's logits equal the network's bit for bit on 4
images, and their largest difference relative to the largest logit; or, refused, the layer and the
reason.

``pip install --no-deps torchvision==0.28.0``. Wheels of torchvision on PyPI are built for CUDA, and
their compiled part does not load beside PyTorch for CPUs; classifiers are Python alone, so the
operators that the import asks for are declared here without being made.

Claim: every network that is converted is itself, bit for bit.
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import sys
from importlib import metadata
from pathlib import Path

import torch
from torch import nn

from search_spaces.convert import from_module
from search_spaces.errors import SpaceError
from search_spaces.files import write_atomic

LEAST = {"inception": 96, "alexnet": 224, "maxvit": 224, "vgg": 224}
"""Sides below which a family's last maps are not what its pooling divides."""
IMAGES = 4


def classifiers() -> dict[str, object]:
    """torchvision's, by name."""
    library = torch.library.Library("torchvision", "FRAGMENT")
    if not hasattr(torch.ops.torchvision, "nms"):
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    import torchvision

    models = torchvision.models
    return {name: models.get_model_builder(name) for name in models.list_models(module=models)}


def made(name: str, builder: object, side: int) -> nn.Module:
    """The network with random weights, its norms shaken, in evaluation."""
    options: dict[str, object] = {"weights": None}
    if name in ("inception_v3", "googlenet"):
        options |= {"aux_logits": False, "init_weights": False}
    if name.startswith("vit_"):
        options |= {"image_size": side}
    torch.manual_seed(0)
    network: nn.Module = builder(**options)  # type: ignore[operator]
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.8, 1.2)
            nn.init.normal_(module.bias, std=0.1)
            nn.init.normal_(module.running_mean, std=0.1)  # type: ignore[arg-type]
            nn.init.uniform_(module.running_var, 0.8, 1.2)  # type: ignore[arg-type]
    return network.eval()


def judged(name: str, builder: object, side: int) -> dict[str, object]:
    """What became of one network."""
    side = max([side, *(least for family, least in LEAST.items() if name.startswith(family))])
    patch = int(name.rsplit("_", 1)[1]) if name.startswith("vit_") else 1
    side = math.ceil(side / patch) * patch
    network = made(name, builder, side)
    try:
        space, supernet = from_module(network, (side,), sort=False)
    except SpaceError as error:
        return {"refused": str(error)}
    largest = space.decode(space.largest)
    x = torch.randn(IMAGES, 3, side, side, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        wanted, got = network(x), supernet.extract(largest).eval()(x)
    macs = space.macs([space.smallest, space.largest])
    return {
        "side": side,
        "choices": len(space.choices),
        "networks": float(space.size),
        "smallest_macs": round(float(macs[0] / macs[1]), 3),
        "equal": bool(torch.equal(got, wanted)),
        "apart": float((got - wanted).abs().max() / wanted.abs().max()),
    }


def main() -> int:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="*")
    parser.add_argument("--side", type=int, default=64)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".json"))
    options = parser.parse_args()
    torch.set_num_threads(2)
    known = classifiers()
    if unknown := set(options.only or ()) - set(known):
        parser.error(f"torchvision has no {', '.join(sorted(unknown))}")
    versions = {
        "torch": torch.__version__,
        "torchvision": metadata.version("torchvision"),
        "python": platform.python_version(),
    }
    found: dict[str, dict[str, object]] = {}
    for name in options.only or known:
        found[name] = judged(name, known[name], options.side)
        print(f"{name:24} {found[name]}", flush=True)
        document = {"versions": versions, "networks": found}
        write_atomic(options.out, json.dumps(document, indent=2) + "\n")
    converted = [one for one in found.values() if "refused" not in one]
    holds = bool(converted) and all(one["equal"] for one in converted)
    print(
        f"{'holds' if holds else 'FALLS SHORT'}: {len(converted)} of {len(found)} converted, each "
        "itself bit for bit"
    )
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
