"""What fused activations are worth: hard-swish as one operator against elementary ones.

    python experiments/speed/activations.py [--weights FILE.npz --width 0.35] [--rounds 60]

Claim (medians of interleaved pairs, ONNX Runtime, one thread, batch 1, 224x224): an
``ofa-mobilenetv3`` network as written here runs at least 1.15 times as fast as the same file with
hard-swish and hard-sigmoid written out as add, clip, multiply and divide, the form in which
OFA's own networks reach ONNX. Both compute the same logits, which is checked.

``--weights`` is a state dict of OFA's code as ``.npz``; without it weights are random.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import helper, numpy_helper
from timing import Pair, interleaved, machine, save

import search_spaces
from search_spaces import Space, ofa
from search_spaces.onnx import INPUT, write
from search_spaces.supernet import Supernet

LEAST = 1.15
FUSED = ("HardSwish", "HardSigmoid")


def written_out(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with both as clip(x + 3, 0, 6) / 6, times x where it is hard-swish."""
    out = onnx.ModelProto()
    out.CopyFrom(model)
    for name, value in (("three", 3), ("zero", 0), ("six", 6)):
        constant = numpy_helper.from_array(np.array(value, np.float32), f"written_out.{name}")
        out.graph.initializer.append(constant)
    nodes = list(out.graph.node)
    del out.graph.node[:]
    for node in nodes:
        out.graph.node.extend(_elementary(node) if node.op_type in FUSED else [node])
    onnx.checker.check_model(out)
    return out


def _elementary(node: onnx.NodeProto) -> list[onnx.NodeProto]:
    three, zero, six = (f"written_out.{name}" for name in ("three", "zero", "six"))
    part, source, result = node.name, node.input[0], node.output[0]
    steps = [
        helper.make_node("Add", [source, three], [f"{part}.shifted"], f"{part}.add"),
        helper.make_node("Clip", [f"{part}.shifted", zero, six], [f"{part}.gate"], f"{part}.clip"),
    ]
    scaled = f"{part}.gate"
    if node.op_type == "HardSwish":
        scaled = f"{part}.scaled"
        steps.append(
            helper.make_node("Mul", [source, f"{part}.gate"], [scaled], f"{part}.multiply")
        )
    return [*steps, helper.make_node("Div", [scaled, six], [result], f"{part}.divide")]


def session(model: onnx.ModelProto, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def exported(space: Space, supernet: Supernet, row: np.ndarray) -> onnx.ModelProto:
    subnet = supernet.extract(space.decode(row)).eval()
    weights = {
        node.weights: {
            name: tensor.numpy()
            for name, tensor in subnet.blocks[node.weights.replace(".", "_")].state_dict().items()
        }
        for node in subnet.plan.nodes
    }
    return write(subnet.plan, weights)


def compare(model: onnx.ModelProto, threads: int, rounds: int, rng: np.random.Generator) -> Pair:
    """The written-out model against ours; raises if their logits differ."""
    ours, theirs = session(model, threads), session(written_out(model), threads)
    shape = [axis.dim_value for axis in model.graph.input[0].type.tensor_type.shape.dim]
    feed = {INPUT: rng.normal(size=shape).astype(np.float32)}
    one, other = ours.run(None, feed)[0], theirs.run(None, feed)[0]
    np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4 * float(np.abs(one).max()))
    return interleaved(lambda: theirs.run(None, feed), lambda: ours.run(None, feed), rounds, 5)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--width", type=float, default=1.0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".json"))
    options = parser.parse_args()

    torch.manual_seed(options.seed)
    rng = np.random.default_rng(options.seed)
    weights: dict[str, torch.Tensor] = {}
    if options.weights:
        with np.load(options.weights) as archive:
            weights = {name: torch.from_numpy(archive[name]) for name in archive.files}
    classes = len(weights["classifier.linear.bias"]) if weights else 1000
    space = search_spaces.get(
        "ofa-mobilenetv3", width=options.width, resolutions=(224,), num_classes=classes
    )
    supernet = space.supernet().eval()
    if weights:
        ofa.load_state_dict(supernet, weights)
    rows = {"smallest": space.smallest, "largest": space.largest}
    rows |= {f"random {i}": row for i, row in enumerate(space.sample(3, rng))}
    pairs: dict[str, Pair] = {}
    for name, row in rows.items():
        pairs[name] = compare(exported(space, supernet, row), options.threads, options.rounds, rng)
        print(
            f"{name:9} written out {pairs[name].first_ms:7.2f} ms, fused "
            f"{pairs[name].second_ms:7.2f} ms, ratio {pairs[name].ratio:.3f} (at least {LEAST})"
        )
    save(
        options.out,
        {
            "machine": machine() | {"onnxruntime": onnxruntime.__version__},
            "threads": options.threads,
            "width": options.width,
            "weights": options.weights.name if options.weights else "random",
            "written_out_against_fused": pairs,
        },
    )
    sys.exit(any(pair.ratio < LEAST for pair in pairs.values()))


if __name__ == "__main__":
    main()
