"""The ONNX writer against networks written by hand in PyTorch, and PyTorch's own exporter."""

from __future__ import annotations

import re
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import search_spaces
from search_spaces.errors import SpaceError
from search_spaces.net import Net
from search_spaces.onnx import (
    EMITTERS,
    Preprocessing,
    at_image,
    chains,
    in_context,
    random_plan_weights,
    random_weights,
    write,
)
from search_spaces.onnx.weights import Reader, normal
from search_spaces.plan import Node, Plan
from search_spaces.space import Space
from search_spaces.specs import (
    ACTIVATIONS,
    Activation,
    Add,
    Bottleneck,
    Cell,
    Classifier,
    Concat,
    Conv,
    Flatten,
    FusedMBConv,
    GeneralConv,
    GlobalPool,
    LayerSpec,
    Linear,
    MaxPool,
    MBConv,
    Multiply,
    Norm,
    Part,
    Pool,
    SeparableConv,
    Tensor,
)

ROOT = Path(__file__).resolve().parents[2]
BLOCK_MS = 20.0
IMAGE = Tensor((3, 12, 12))
ODD = Tensor((3, 11, 9))
ACTS = {
    "none": lambda x: x,
    "relu": F.relu,
    "relu6": F.relu6,
    "h_swish": F.hardswish,
    "h_sigmoid": F.hardsigmoid,
    "swish": F.silu,
    "sigmoid": torch.sigmoid,
}


def run(model: onnx.ModelProto, image: np.ndarray) -> np.ndarray:
    session = session_of(model)
    (output,) = session.run(None, {"image": image})
    return output


def session_of(model: onnx.ModelProto, **options: Any) -> onnxruntime.InferenceSession:
    settings = onnxruntime.SessionOptions()
    settings.log_severity_level = 3
    settings.intra_op_num_threads = 1
    for name, value in options.items():
        setattr(settings, name, value)
    return onnxruntime.InferenceSession(
        model.SerializeToString(), settings, providers=["CPUExecutionProvider"]
    )


def optimised(model: onnx.ModelProto, tmp_path: Any) -> Counter[str]:
    path = tmp_path / "optimised.onnx"
    session_of(model, optimized_model_filepath=str(path))
    operators: Counter[str] = Counter()
    for node in onnx.load(path).graph.node:
        act = [a.s.decode() for a in node.attribute if a.name == "activation"]
        operators["+".join([node.op_type, *act])] += 1
    return operators


# The reference: what the specs mean, in PyTorch, norms unfolded.


def torch_unit(
    x: torch.Tensor,
    w: dict[str, Any],
    name: str,
    stride: int,
    groups: int,
    act: str,
    epsilon: float = 1e-5,
) -> torch.Tensor:
    array = {k: torch.from_numpy(v) for k, v in w.items()}
    kernel = array[f"{name}.conv.weight"].shape[-1]
    x = F.conv2d(x, array[f"{name}.conv.weight"], None, stride, kernel // 2, 1, groups)
    norm = [array[f"{name}.norm.{part}"] for part in ("running_mean", "running_var")]
    affine = [array[f"{name}.norm.{part}"] for part in ("weight", "bias")]
    return ACTS[act](F.batch_norm(x, *norm, *affine, training=False, eps=epsilon))


def torch_general(spec: LayerSpec, w: dict[str, Any], *x: torch.Tensor) -> torch.Tensor:
    array = {k: torch.from_numpy(v) for k, v in w.items()}
    if isinstance(spec, Cell):
        values: list[torch.Tensor] = []
        for i, part in enumerate(spec.parts):
            own = {k.removeprefix(f"{i}."): v for k, v in w.items() if k.startswith(f"{i}.")}
            taken = [x[0] if s < 0 else values[s] for s in part.sources]
            values.append(torch_general(part.spec, own, *taken))
        return values[-1]
    if isinstance(spec, GeneralConv):
        conv = (array["main.conv.weight"], array.get("main.conv.bias"), spec.stride, spec.padding)
        y = F.conv2d(x[0], *conv, spec.dilation, spec.groups)
        norm = "main.norm" if spec.norm else None
    elif isinstance(spec, Norm):
        y, norm = x[0], "norm"
    else:
        return torch_weightless(spec, array, *x)
    if norm:
        names = ("running_mean", "running_var", "weight", "bias")
        tensors = [array[f"{norm}.{name}"] for name in names]
        y = F.batch_norm(y, *tensors, training=False, eps=spec.epsilon)
    return ACTS[spec.act](y)


def torch_weightless(
    spec: LayerSpec, array: dict[str, torch.Tensor], *x: torch.Tensor
) -> torch.Tensor:
    if isinstance(spec, Linear):
        return ACTS[spec.act](F.linear(x[0], array["linear.weight"], array.get("linear.bias")))
    if isinstance(spec, Pool) and spec.kind == "max":
        return nn.MaxPool2d(spec.kernel, spec.stride, spec.padding, ceil_mode=spec.ceil)(x[0])
    if isinstance(spec, Pool):
        rest = (spec.ceil, spec.count_padding)
        return nn.AvgPool2d(spec.kernel, spec.stride, spec.padding, *rest)(x[0])
    if isinstance(spec, GlobalPool):
        y = F.adaptive_avg_pool2d(x[0], 1)
        return y if spec.keep else y.flatten(1)
    if isinstance(spec, Flatten):
        return torch.flatten(x[0], 1)
    if isinstance(spec, Concat):
        return torch.cat(x, 1)
    if isinstance(spec, Activation):
        return ACTS[spec.act](x[0])
    assert isinstance(spec, Add | Multiply)
    return ACTS[spec.act](torch.add(*x) if isinstance(spec, Add) else torch.mul(*x))


GENERAL = (Activation, Add, Cell, Concat, Flatten, GeneralConv, GlobalPool, Linear, Multiply, Norm)


def torch_layer(spec: LayerSpec, w: dict[str, Any], x: torch.Tensor) -> torch.Tensor:
    if isinstance(spec, (*GENERAL, Pool)):
        return torch_general(spec, w, *([x] * len(spec.inputs)))
    if isinstance(spec, Conv):
        y = torch_unit(x, w, "main", spec.stride, 1, spec.act, spec.epsilon)
        return x + y if spec.residual else y
    if isinstance(spec, SeparableConv):
        y = torch_unit(x, w, "depthwise", spec.stride, spec.channels, spec.act, spec.epsilon)
        y = torch_unit(y, w, "project", 1, 1, "none", spec.epsilon)
        return x + y if spec.residual else y
    if isinstance(spec, MaxPool):
        return nn.MaxPool2d(spec.kernel, spec.stride, spec.kernel // 2)(x)
    if isinstance(spec, Bottleneck):
        y = torch_unit(x, w, "reduce", 1, 1, spec.act)
        y = torch_unit(y, w, "main", spec.stride, 1, spec.act)
        y = torch_unit(y, w, "expand", 1, 1, "none")
        if spec.project:
            x = nn.AvgPool2d(spec.stride, spec.stride, 0, ceil_mode=True)(x)
            x = torch_unit(x, w, "shortcut", 1, 1, "none")
        return ACTS[spec.act](x + y)
    if isinstance(spec, FusedMBConv):
        y = torch_unit(x, w, "expand", spec.stride, 1, spec.act)
        y = torch_unit(y, w, "project", 1, 1, "none")
        return x + y if spec.residual else y
    if isinstance(spec, MBConv):
        y = torch_unit(x, w, "expand", 1, 1, spec.act)
        y = torch_unit(y, w, "depthwise", spec.stride, spec.middle, spec.act)
        if spec.squeeze:
            part = {k: torch.from_numpy(v) for k, v in w.items() if k.startswith("squeeze")}
            s = y.mean((2, 3), keepdim=True)
            s = F.conv2d(s, part["squeeze.reduce.weight"], part["squeeze.reduce.bias"]).relu()
            s = F.conv2d(s, part["squeeze.expand.weight"], part["squeeze.expand.bias"])
            y = y * F.hardsigmoid(s)
        y = torch_unit(y, w, "project", 1, 1, "none")
        return x + y if spec.residual else y
    assert isinstance(spec, Classifier)
    weight, bias = (torch.from_numpy(w[f"linear.{part}"]) for part in ("weight", "bias"))
    y = x.mean((2, 3))
    if spec.hidden:
        y = ACTS[spec.act](F.linear(y, torch.from_numpy(w["hidden.weight"])))
    return F.linear(y, weight, bias)


def torch_plan(plan: Plan, weights: dict[str, Any], image: np.ndarray) -> np.ndarray:
    values: list[torch.Tensor] = []
    for node in plan.nodes:
        x = torch.from_numpy(image) if node.inputs[0] < 0 else values[node.inputs[0]]
        values.append(torch_layer(node.spec, weights[node.weights], x))
    return values[plan.outputs[0]].numpy()


def squeezed_space() -> Space:
    """Everything that small-images does not have: other blocks, squeeze-excite, relu, relu6."""
    net = Net(image=(3, 22))
    net("first", Conv, out=16, act="relu")
    net("again", Conv, residual=True, act="relu")
    net("pool", MaxPool, kernel=3, stride=2)
    net("separable", SeparableConv, out=16, act="relu6", epsilon=1e-3)
    net("bottleneck", Bottleneck, out=24, expand=0.5, stride=2)
    net("stem", Bottleneck, expand=0.5)
    net("a", MBConv, out=24, expand=3, kernel=5, stride=2, act="relu6", se=True)
    net("b", MBConv, out=24, expand=2, kernel=3, act="h_swish", se=True)
    net("c", FusedMBConv, out=24, expand=2, act="relu")
    net("classifier", Classifier, classes=7, hidden=16, act="h_swish")
    return Space(net, "squeezed")


def gated() -> Cell:
    """A residual block with squeeze-excite, of parts."""
    conv = GeneralConv.resolve((IMAGE,), group=1, kernel=5, act="swish")
    pool = GlobalPool((IMAGE,), True)
    gate = GeneralConv.resolve((pool.output,), kernel=1, bias=True, norm=False, act="sigmoid")
    scaled = Multiply((IMAGE, gate.output))
    parts = [Part(conv, (-1,)), Part(pool, (0,)), Part(gate, (1,)), Part(scaled, (0, 2))]
    return Cell((IMAGE,), (*parts, Part(Add((IMAGE, IMAGE), act="relu"), (-1, 3))))


LAYERS: list[LayerSpec] = [
    *(Conv.resolve((IMAGE,), out=8, kernel=k, stride=s) for k in (1, 3, 5) for s in (1, 2)),
    *(Conv.resolve((IMAGE,), out=8, act=act) for act in ACTIVATIONS),
    *(FusedMBConv.resolve((IMAGE,), out=o, expand=3, stride=s) for o in (3, 8) for s in (1, 2)),
    *(
        MBConv.resolve((IMAGE,), out=o, expand=4, stride=s, se=se, act="h_swish", kernel=5)
        for o in (3, 8)
        for s in (1, 2)
        for se in (False, True)
    ),
    Conv.resolve((IMAGE,), residual=True, epsilon=0.3),
    *(SeparableConv.resolve((IMAGE,), out=o, stride=s) for o in (3, 8) for s in (1, 2)),
    SeparableConv.resolve((ODD,), out=3, residual=False, act="relu6", epsilon=0.3),
    *(MaxPool((image,), 3, s) for image in (IMAGE, ODD) for s in (1, 2)),
    *(
        Bottleneck.resolve((image,), out=o, expand=2, stride=s)
        for image in (IMAGE, ODD)
        for o in (3, 8)
        for s in (1, 2)
    ),
    Bottleneck.resolve((IMAGE,), expand=4, act="h_swish"),
    *(
        GeneralConv.resolve((IMAGE,), out=6, kernel=k, stride=2, padding=p)
        for k in (2, 3)
        for p in (0, 1)
    ),
    *(GeneralConv.resolve((ODD,), out=6, group=g, bias=True, act="swish") for g in (0, 1)),
    GeneralConv.resolve((IMAGE,), out=8, dilation=2, norm=False, bias=True, epsilon=0.3),
    GeneralConv.resolve((IMAGE,), kernel=5, group=3, norm=False, act="relu"),
    *(
        Pool((image,), kind, k, s, p, ceil=ceil, count_padding=kind == "average" and not ceil)
        for image in (IMAGE, ODD)
        for kind in ("max", "average")
        for k, s, p in ((2, 2, 0), (3, 2, 1), (3, 3, 0))
        for ceil in (False, True)
    ),
    Pool.resolve((IMAGE,), kind="average", size=4),
    *(GlobalPool((IMAGE,), keep) for keep in (False, True)),
    Flatten((ODD,)),
    *(Linear((Tensor((6,)),), 4, bias=bias, act="relu") for bias in (False, True)),
    *(Norm((tensor,), act="relu", epsilon=0.3) for tensor in (IMAGE, Tensor((6,)))),
    Activation((IMAGE,), act="sigmoid"),
    *(kind((IMAGE, IMAGE), act=act) for kind in (Add, Multiply) for act in ("none", "relu")),
    Concat((IMAGE, IMAGE)),
    gated(),
    Classifier((IMAGE,), 5),
    Classifier((IMAGE,), 5, hidden=8, act="h_swish"),
]


@pytest.mark.parametrize("spec", LAYERS, ids=str)
def test_every_layer_computes_what_its_spec_means(spec: LayerSpec) -> None:
    plan = Plan((Node("layer", spec, (-1,) * len(spec.inputs), "layer"),), (0,))
    if len(spec.inputs[0].shape) == 1:  # Features come of maps: a network begins with an image.
        pixel = Tensor((*spec.inputs[0].shape, 1, 1))
        flat = Node("flat", Flatten((pixel,)), (-1,), "flat")
        plan = Plan((flat, Node("layer", spec, (0,), "layer")), (1,))
    rng = np.random.default_rng(1)
    weights = random_plan_weights(plan, rng)
    model = write(plan, weights, batch=2)
    onnx.checker.check_model(model, full_check=True)
    image = rng.normal(size=(2, *plan.image.shape)).astype(np.float32)
    expected = torch_plan(plan, weights, image)
    assert expected.shape[1:] == spec.output.shape
    np.testing.assert_allclose(run(model, image), expected, rtol=1e-4, atol=1e-5)


def test_every_spec_class_of_the_spaces_has_an_emitter_and_every_layer_was_tried() -> None:
    assert set(EMITTERS) == {type(spec) for spec in LAYERS}


@pytest.mark.parametrize(
    "space", [search_spaces.get("small-images"), squeezed_space()], ids=lambda s: s.name
)
def test_whole_networks_agree_with_pytorch(space: Space) -> None:
    rng = np.random.default_rng(2)
    rows = [space.smallest, space.largest, *space.sample(3, rng)]
    for row in rows:
        plan = space.lower_row(row)
        weights = random_plan_weights(plan, rng)
        model = write(plan, weights, batch=None)
        image = rng.normal(size=(2, *plan.image.shape)).astype(np.float32)
        expected = torch_plan(plan, weights, image)
        np.testing.assert_allclose(run(model, image), expected, rtol=1e-3, atol=1e-4)
        assert expected.std() > 1e-3, "a network whose output is constant proves nothing"


def built(space: Space, row: np.ndarray) -> tuple[nn.Module, dict[str, Any]]:
    """The space's own PyTorch network, norms off their start, and its arrays."""
    torch.manual_seed(0)
    network = space.build(space.decode(row)).eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.running_mean, module.bias):
                nn.init.normal_(tensor, 0, 0.1)
            for tensor in (module.running_var, module.weight):
                nn.init.uniform_(tensor, 0.5, 1.5)
    plan = space.lower_row(row)
    weights = {
        node.weights: {
            name: tensor.detach().numpy()
            for name, tensor in network.blocks[node.weights.replace(".", "_")].state_dict().items()
        }
        for node in plan.nodes
    }
    return network, weights


@pytest.mark.parametrize(
    "space", [search_spaces.get("small-images"), squeezed_space()], ids=lambda s: s.name
)
def test_the_blocks_state_dicts_are_read_and_pytorchs_exporter_agrees(space: Space) -> None:
    row = space.sample(1, np.random.default_rng(3))[0]
    network, weights = built(space, row)
    plan = space.lower_row(row)
    image = torch.randn(1, *plan.image.shape)
    ours = run(write(plan, weights), image.numpy())
    with torch.no_grad():
        np.testing.assert_allclose(ours, network(image).numpy(), rtol=1e-4, atol=1e-5)
    program = torch.onnx.export(network, (image,), input_names=["image"], verbose=False)
    assert program is not None
    theirs = run(program.model_proto, image.numpy())
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


def test_random_weights_have_the_names_and_shapes_of_the_blocks() -> None:
    space = squeezed_space()
    network, weights = built(space, space.largest)
    for node in space.lower_row(space.largest).nodes:
        drawn = random_weights(node.spec, np.random.default_rng(0))
        own = {k: v.shape for k, v in weights[node.weights].items() if "num_batches" not in k}
        own = {k: shape for k, shape in own.items() if "transform" not in k}
        assert {k: v.shape for k, v in drawn.items()} == own
        trained = sum(p.numel() for p in network.blocks[node.weights].parameters())
        assert trained == node.spec.params


def test_the_runtime_fuses_everything_whether_the_batch_is_fixed_or_free(tmp_path: Any) -> None:
    space = search_spaces.get("small-images")
    plan = space.lower_row(space.largest)
    weights = random_plan_weights(plan, np.random.default_rng(0))
    fixed = optimised(write(plan, weights), tmp_path)
    assert optimised(write(plan, weights, batch=None), tmp_path) == fixed
    assert not {"HardSwish", "Add", "Mul", "BatchNormalization"} & set(fixed)
    assert fixed["ReorderOutput"] == 1


def test_nodes_are_named_after_the_slots() -> None:
    space = squeezed_space()
    plan = space.lower_row(space.largest)
    model = write(plan, random_plan_weights(plan, np.random.default_rng(0)))
    names = [node.name for node in model.graph.node]
    assert {"stem/main/Conv", "a/depthwise/Conv", "b/squeeze.reduce/Conv", "b/Add"} <= set(names)
    assert {name.split("/")[0] for name in names} == {node.slot for node in plan.nodes}


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize(("raw", "dtype"), [(True, "uint8"), (True, "float32"), (False, "float32")])
def test_preprocessing_stands_in_the_graph(layout: Any, raw: bool, dtype: Any) -> None:
    space = squeezed_space()
    plan = space.lower_row(space.largest)
    rng = np.random.default_rng(4)
    weights = random_plan_weights(plan, rng)
    mean, std = (0.49, 0.48, 0.44), (0.25, 0.24, 0.26)
    pixels = rng.integers(0, 256, (2, *plan.image.shape)).astype(np.float64)
    normalised = (pixels / 255 - np.reshape(mean, (3, 1, 1))) / np.reshape(std, (3, 1, 1))
    given = pixels if raw else pixels / 255
    given = given.transpose(0, 2, 3, 1) if layout == "NHWC" else given
    model = write(
        plan,
        weights,
        batch=None,
        preprocessing=Preprocessing(mean, std, raw, dtype, layout),
        metadata={"layout": layout},
    )
    onnx.checker.check_model(model, full_check=True)
    assert [(prop.key, prop.value) for prop in model.metadata_props] == [("layout", layout)]
    expected = run(write(plan, weights, batch=None), normalised.astype(np.float32))
    np.testing.assert_allclose(run(model, given.astype(dtype)), expected, rtol=1e-4, atol=1e-5)


def test_the_same_generator_writes_the_same_bytes() -> None:
    tensor = Tensor((16, 8, 8))
    spec = MBConv.resolve((tensor,), out=16, expand=2)
    first, second = (
        in_context(tensor, spec, 3, np.random.default_rng(7)).SerializeToString() for _ in range(2)
    )
    assert first == second


def test_models_in_context() -> None:
    tensor = Tensor((16, 8, 8))
    spec = MBConv.resolve((tensor,), out=16, expand=2)
    rng = np.random.default_rng(0)
    bare, three = in_context(tensor, None, 0, rng), in_context(tensor, spec, 3, rng)
    slots = {node.name.split("/")[0] for node in three.graph.node}
    assert slots == {"adapter", "block.0", "block.1", "block.2", "pool"}
    assert [node.op_type for node in bare.graph.node] == ["Conv", "GlobalAveragePool", "Flatten"]
    for model in (bare, three):
        onnx.checker.check_model(model, full_check=True)
        assert run(model, np.ones((1, 3, 8, 8), np.float32)).shape == (1, 16)
    stem = Conv.resolve((IMAGE,), out=8, stride=2)
    assert at_image(IMAGE) and chains(spec) and not chains(stem)
    assert "adapter" not in str(in_context(IMAGE, stem, 1, rng).graph.node)
    classifier = Classifier((tensor,), 10)
    assert run(in_context(tensor, classifier, 1, rng), np.ones((1, 3, 8, 8), "f4")).shape == (1, 10)
    with pytest.raises(SpaceError, match="2 copies do not fit"):
        in_context(IMAGE, stem, 2, rng)
    with pytest.raises(SpaceError, match="not one tensor"):
        in_context(IMAGE, spec, 1, rng)
    with pytest.raises(SpaceError, match="image alone"):
        in_context(IMAGE, None, 0, rng)


def test_what_cannot_be_written_is_named() -> None:
    space = squeezed_space()
    plan = space.lower_row(space.largest)
    rng = np.random.default_rng(0)
    weights = random_plan_weights(plan, rng)
    with pytest.raises(SpaceError, match=r"'stem'.*no weights 'stem'"):
        write(plan, {k: v for k, v in weights.items() if k != "stem"})
    with pytest.raises(SpaceError, match=r"main\.norm\.bias"):
        stem = {k: v for k, v in weights["stem"].items() if k != "main.norm.bias"}
        write(plan, {**weights, "stem": stem})
    with pytest.raises(SpaceError, match=r"shape \(1,\), the plan asks \(16,\)"):
        write(plan, {**weights, "stem": {**weights["stem"], "main.norm.bias": np.ones(1)}})
    with pytest.raises(SpaceError, match="batch is at least 1"):
        write(plan, weights, batch=0)
    with pytest.raises(SpaceError, match="one std above 0"):
        Preprocessing((0.5,), (0.0,))
    with pytest.raises(SpaceError, match="float32 or uint8"):
        Preprocessing((0.5,), (0.5,), layout="CHWN")  # type: ignore[arg-type]
    with pytest.raises(SpaceError, match="raw=True"):
        Preprocessing((0.5,), (0.5,), raw=False, dtype="uint8")
    with pytest.raises(SpaceError, match="3 channels, preprocessing has 1"):
        write(plan, weights, preprocessing=Preprocessing((0.5,), (0.5,)))
    strange = LayerSpec((IMAGE,))
    with pytest.raises(SpaceError, match="LayerSpec cannot be written"):
        write(Plan((Node("x", strange, (-1,), "x"),), (0,)), {"x": {}})
    with pytest.raises(SpaceError, match="no weights are known"):
        random_weights(strange, rng)
    half = Conv.resolve((Tensor((3, 8, 8), "float16", 16),), out=8)
    with pytest.raises(SpaceError, match="only float32"):
        write(Plan((Node("x", half, (-1,), "x"),), (0,)), {"x": random_weights(half, rng)})
    twice = Plan(tuple(Node("x", LAYERS[0], (-1,), "x") for _ in range(2)), (0, 1))
    with pytest.raises(SpaceError, match="two nodes"):
        write(twice, {"x": random_weights(LAYERS[0], rng)})


def test_tied_layers_share_their_constants_and_differing_ones_are_refused() -> None:
    tensor = Tensor((8, 8, 8))
    spec = Conv.resolve((tensor,), out=8)
    rng = np.random.default_rng(0)
    nodes = (Node("a", spec, (-1,), "w"), Node("b", spec, (0,), "w"))
    model = write(Plan(nodes, (1,)), {"w": random_weights(spec, rng)})
    assert sorted(constant.name for constant in model.graph.initializer) == [
        "w.main.bias",
        "w.main.weight",
    ]
    with pytest.raises(SpaceError, match="share a weights key"):
        from search_spaces.onnx.graph import Graph

        graph = Graph()
        graph.constant("w", np.ones(1))
        graph.constant("w", np.ones(2))


def test_denormals_never_reach_the_file() -> None:
    values = np.array([1e-40, -1e-40, 1e-30, 0.5, 0.0])
    np.testing.assert_array_equal(normal(values), np.array([0, 0, 1e-30, 0.5, 0], np.float32))
    spec = Conv.resolve((IMAGE,), out=8)
    arrays = random_weights(spec, np.random.default_rng(0))
    arrays["main.norm.weight"][:] = 1e-39
    weight, _ = Reader("x", arrays).folded("main", 1e-5, 8, 3, 3, 3)
    assert not weight.any()


def test_graphs_are_written_here_alone() -> None:
    call = re.compile(r"\bhelper\.\w+|\bonnx\.(?:helper|export)\b|\bmake_node\b|\bNodeProto\(")
    found = {
        (path.relative_to(ROOT).as_posix(), name)
        for package in ("nas", "search_spaces", "predictors", "latency_lut")
        for path in (ROOT / package).rglob("*.py")
        for name in call.findall(path.read_text(encoding="utf-8"))
    }
    assert ("search_spaces/onnx/graph.py", "helper.make_node") in found
    elsewhere = {(path, name) for path, name in found if not path.startswith("search_spaces/onnx/")}
    # The profiler of any file asks which type an input has; it writes nothing.
    assert elsewhere == {("nas/profiling/timeline.py", "helper.tensor_dtype_to_np_dtype")}


def test_a_block_is_written_within_its_time() -> None:
    space = search_spaces.get("small-images")
    specs = space.reachable(space.images[-1])
    rng = np.random.default_rng(0)
    began = time.process_time()
    for spec in specs:
        (tensor,) = spec.inputs
        in_context(tensor, spec, 1, rng).SerializeToString()
    assert 1000 * (time.process_time() - began) / len(specs) <= BLOCK_MS
