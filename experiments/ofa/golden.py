"""What OFA's own package computes of the golden weights once their norms are calibrated.

    pip install --no-deps ofa==0.1.0.post202307202001
    python experiments/ofa/golden.py DATA

The golden weights in DATA (``ofa_golden`` and its siblings) have norms' statistics of their own,
under which a signal dies out: their outputs hardly depend on the images, nor on early layers. Here
OFA's supernet takes them, its norms get the statistics of random images, and it is run on the
golden subnets and images again. Statistics and outputs are written for the tests, to
``tests/search_spaces/ofa_calibrated``.
"""

from __future__ import annotations

import argparse
import io
import json
from pathlib import Path

import numpy as np
import torch
from against_ofa import calibrated, without_the_unused

from search_spaces.files import write_atomic

OUT = Path(__file__).parents[2] / "tests" / "search_spaces" / "ofa_calibrated"
CALIBRATED_ON = (16, 3, 64, 64)


def written(folder: Path) -> bytes:
    """Statistics by name, and ``outputs`` [subnets, images, classes], as an ``.npz``."""
    from ofa.imagenet_classification.elastic_nn import networks

    said = json.loads((folder / "configs.json").read_text(encoding="utf-8"))
    elastic = {"ks_list": [3, 5, 7], "expand_ratio_list": [3, 4, 6], "depth_list": [2, 3, 4]}
    if "width_mult_list" in said:
        net = networks.OFAResNets(
            n_classes=said["num_classes"],
            dropout_rate=0,
            **{name: said[name] for name in ("depth_list", "expand_ratio_list", "width_mult_list")},
        )
    else:
        kind = "OFAProxylessNASNets" if "proxyless" in folder.name else "OFAMobileNetV3"
        net = getattr(networks, kind)(
            n_classes=said["num_classes"], dropout_rate=0, width_mult=said["width"], **elastic
        )
    with np.load(folder / "weights.npz") as archive:
        net.load_state_dict({key: torch.from_numpy(archive[key]) for key in archive.files})
    image = torch.from_numpy(np.load(folder / "cases.npz")["input"])
    calibrated(net, CALIBRATED_ON)
    outputs = []
    for config in said["configs"]:
        net.set_active_subnet(**{key: value for key, value in config.items() if key != "r"})
        with torch.no_grad():
            outputs.append(net(image).numpy())
    statistics = {
        name: tensor.numpy()
        for name, tensor in net.state_dict().items()
        if name.endswith(("running_mean", "running_var"))
    }
    content = io.BytesIO()
    np.savez_compressed(content, outputs=np.stack(outputs), **statistics)
    return content.getvalue()


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    options = parser.parse_args()
    without_the_unused()
    torch.manual_seed(0)
    for folder in sorted(options.data.glob("ofa_golden*")):
        content = written(folder)
        OUT.mkdir(exist_ok=True)
        write_atomic(OUT / f"{folder.name}.npz", content)
        print(f"{folder.name}: {len(content) / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
