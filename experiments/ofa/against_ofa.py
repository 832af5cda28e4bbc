"""Outputs and counts of subnets against OFA's own package, at the widths that it publishes.

    pip install --no-deps ofa==0.1.0.post202307202001
    python experiments/ofa/against_ofa.py [--subnets 10] [--out experiments/ofa/against_ofa.json]

Each supernet is made by OFA's code with random weights and kernel transforms and saved as a
checkpoint of its training, which `nas import-ofa` takes. Its norms have the statistics of the
largest network on random images, as a training leaves them: with others a signal dies out on its
way, and outputs would say nothing of most layers. Subnets that OFA's code draws are then run by
both, with 1000 classes and at random resolutions. Claims: every output within 1e-5 of the largest,
active and extracted, where outputs for two images differ by 1e-3 at least; parameters and MACs
equal. Exits with 1 if one falls short. What PyTorch's exporter makes of OFA's subnets is recorded
too: hard-swish and hard-sigmoid in Add, Clip, Div and Mul, as `experiments/speed/activations.py`
writes them out. The package asks for modules that its networks do not use; they may be absent.
"""

from __future__ import annotations

import argparse
import io
import json
import math
import random
import subprocess
import sys
import tempfile
import types
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.machinery import ModuleSpec
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import onnx
import torch
from torch.utils.flop_counter import FlopCounterMode

from nas.jobs.trained import TrainedRun
from nas.run import Run
from nas.weights import load_supernet
from search_spaces import ofa
from search_spaces.files import write_atomic

MOST_OFF, LEAST_SIGNAL = 1e-5, 1e-3
CALIBRATED_ON = (16, 3, 96, 96)
CASES = (
    ("ofa-mobilenetv3", 1.0),
    ("ofa-mobilenetv3", 1.2),
    ("ofa-proxyless", 1.3),
    ("ofa-resnet50", None),
)
UNUSED = ("torchvision", "torchvision.transforms", "torchvision.transforms.functional",
          "torchvision.datasets", "gdown", "tqdm")  # fmt: skip


class Absent(types.ModuleType):
    """Stands for a module that the package imports and its networks do not use."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.__path__: list[str] = []
        self.__spec__ = ModuleSpec(name, loader=None)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})


def without_the_unused() -> None:
    """Let the package be imported where modules are absent that it does not use here."""
    lacking = [name for name in UNUSED if find_spec(name.partition(".")[0]) is None]
    for name in ("torch._six", *lacking):
        parent, _, own = name.rpartition(".")
        sys.modules[name] = Absent(name)
        if parent:
            setattr(sys.modules[parent], own, sys.modules[name])


def their_supernet(space: str, width: float | None) -> Any:
    """OFA's supernet as its `ofa_net` makes it, with random tensors of every kind."""
    from ofa.imagenet_classification.elastic_nn import networks

    elastic = {"ks_list": [3, 5, 7], "expand_ratio_list": [3, 4, 6], "depth_list": [2, 3, 4]}
    if space == "ofa-mobilenetv3":
        net = networks.OFAMobileNetV3(dropout_rate=0, width_mult=width, **elastic)
    elif space == "ofa-proxyless":
        net = networks.OFAProxylessNASNets(dropout_rate=0, width_mult=width, **elastic)
    else:
        net = networks.OFAResNets(
            dropout_rate=0,
            depth_list=[0, 1, 2],
            expand_ratio_list=[0.2, 0.25, 0.35],
            width_mult_list=[0.65, 0.8, 1.0],
        )
    with torch.no_grad():
        for name, tensor in net.state_dict().items():
            if ".bn.weight" in name:
                tensor.uniform_(0.5, 1.5)
            elif name.endswith("bias"):
                tensor.normal_(0, 0.1)
            elif name.endswith("_matrix"):
                tensor.add_(torch.randn_like(tensor) * 0.1)
    return calibrated(net, CALIBRATED_ON)


def calibrated(net: Any, shape: Sequence[int]) -> Any:
    """The network with norms' statistics of random images [N, 3, H, W], in evaluation mode."""
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 1.0
    with torch.no_grad():
        net.train()(torch.randn(*shape))
    return net.eval()


def compared(space: str, width: float | None, subnets: int, folder: Path) -> dict[str, Any]:
    """The worst of ``subnets`` random ones."""
    theirs = their_supernet(space, width)
    checkpoint, out = folder / "checkpoint.pth.tar", folder / "run"
    torch.save({"epoch": 0, "state_dict": theirs.state_dict()}, checkpoint)
    command = [sys.executable, "-m", "nas.cli", "import-ofa", checkpoint, "--space", space]
    subprocess.run([*map(str, command), "--out", str(out)], check=True)
    run = TrainedRun(Run.open(out))
    ours = load_supernet(run.run.supernet, run.space).supernet.eval()
    worst, unequal, signal = 0.0, 0, math.inf
    for number in range(subnets):
        config = {k: v for k, v in theirs.sample_active_subnet().items() if v is not None}
        if space == "ofa-resnet50" and number < len(config["d"]):
            config["d"][0] = number % 3  # Of the stem; drawn are its two ends alone.
            theirs.set_active_subnet(**config)
        side = random.choice(ofa.RESOLUTIONS)
        architecture = ofa.from_config(ours.space, {**config, "r": [side]})
        extracted = ours.extract(architecture)
        image = torch.randn(2, 3, side, side)
        alone = theirs.get_active_subnet().eval()
        with torch.no_grad():
            expected = theirs(image)
            largest = float(expected.abs().max())
            signal = min(signal, float((expected[0] - expected[1]).abs().max()) / largest)
            with FlopCounterMode(display=False) as counter:
                alone(image[:1])
            for found in (ours(image, architecture), extracted(image)):
                off = float((found - expected).abs().max()) / largest
                worst = off if not off <= worst else worst  # NaN is the worst of all
        row = ours.space.encode(architecture)
        parameters = sum(parameter.numel() for parameter in alone.parameters())
        unequal += int(2 * ours.space.macs(row)[0]) != counter.get_total_flops()
        unequal += int(ours.space.parameters(row)[0]) != parameters
    return {
        "space": space,
        "width": width,
        "subnets": subnets,
        "off": worst,
        "signal": signal,
        "unequal": unequal,
        "exported": exported(theirs.get_active_subnet().eval()),
    }


def exported(subnet: torch.nn.Module) -> dict[str, int]:
    """The operators of OFA's subnet as PyTorch's exporter, which its users have, writes it."""
    file = io.BytesIO()
    torch.onnx.export(subnet, torch.randn(1, 3, 128, 128), file, dynamo=False)
    graph = onnx.load_model_from_string(file.getvalue()).graph
    return dict(Counter(node.op_type for node in graph.node if node.op_type != "Constant"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--subnets", type=int, default=10)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("against_ofa.json"))
    options = parser.parse_args()
    without_the_unused()
    torch.manual_seed(0)
    random.seed(0)
    rows = []
    for space, width in CASES:
        with tempfile.TemporaryDirectory() as folder:
            row = compared(space, width, options.subnets, Path(folder))
        rows.append(row)
        print(
            f"{space}{f' at width {width}' if width else ''}: {row['subnets']} subnets, outputs "
            f"within {row['off']:.1e} of OFA's, those of two images {row['signal']:.1e} apart or "
            f"more, {row['unequal']} counts differ"
        )
    document = {
        "rows": rows,
        "ofa": version("ofa"),
        "torch": torch.__version__,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    write_atomic(options.out, json.dumps(document, indent=1) + "\n")
    fine = [row["off"] < MOST_OFF and row["signal"] > LEAST_SIGNAL for row in rows]
    sys.exit(not all(fine) or any(row["unequal"] for row in rows))


if __name__ == "__main__":
    main()
