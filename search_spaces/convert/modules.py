"""Which of PyTorch's modules become which layer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import torch
from torch import Tensor, nn

from search_spaces.convert.refusal import RefusedError

Shape = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Found:
    """What a module or a function is: the kind of a layer, or "identity"."""

    kind: str
    attributes: Mapping[str, Any] = field(default_factory=dict)
    tensors: Mapping[str, Tensor] = field(default_factory=dict)


IDENTITY: Final = Found("identity")


def single(value: Any, what: str) -> int:
    """The number that a pair of equal ones is."""
    pair = tuple(value) if isinstance(value, tuple | list) else (value, value)
    if len(set(pair)) != 1:
        raise RefusedError(f"its {what} is {pair}, and only square ones are known")
    return int(pair[0])


def _conv(module: nn.Conv2d, shape: Shape) -> Found:
    if module.padding_mode != "zeros":
        raise RefusedError(f"it pads with {module.padding_mode!r}, and only zeros are known")
    kernel = single(module.kernel_size, "kernel")
    stride, dilation = single(module.stride, "stride"), single(module.dilation, "dilation")
    around = dilation * (kernel - 1)
    if module.padding == "same" and around % 2:
        raise RefusedError("it pads the two sides of a map unequally")
    named = {"same": around // 2, "valid": 0}
    padding = (
        named[module.padding]
        if isinstance(module.padding, str)
        else single(module.padding, "padding")
    )
    group = module.in_channels // module.groups if module.groups > 1 else 0
    tensors = {"main.conv.weight": module.weight}
    if module.bias is not None:
        tensors["main.conv.bias"] = module.bias
    same = group and module.in_channels == module.out_channels
    attributes = {
        # Groups hand their channels on: as many go out as come in, whatever the width.
        "out": None if same else module.out_channels,
        "kernel": kernel,
        "stride": stride,
        "padding": padding,
        "dilation": dilation,
        "group": group,
        "bias": module.bias is not None,
        "norm": False,
    }
    return Found("conv", attributes, tensors)


def _norm(module: nn.BatchNorm1d | nn.BatchNorm2d, shape: Shape) -> Found:
    if module.running_mean is None or module.running_var is None:
        raise RefusedError(
            "it keeps no statistics, so its output depends on the other images of a batch",
            "pass track_running_stats=True to it",
        )
    if isinstance(module, nn.BatchNorm1d) and len(shape) != 1:
        raise RefusedError(f"it takes {shape}, and features alone are known for it")
    mean, variance = module.running_mean, module.running_var
    tensors = {
        "norm.weight": torch.ones_like(mean) if module.weight is None else module.weight,
        "norm.bias": torch.zeros_like(mean) if module.bias is None else module.bias,
        "norm.running_mean": mean,
        "norm.running_var": variance,
    }
    act = getattr(module, "act", None)
    behind = {} if act is None else dict(found(act, shape).attributes)
    return Found("norm", {"epsilon": module.eps, **behind}, tensors)


def _linear(module: nn.Linear, shape: Shape) -> Found:
    if len(shape) != 1:
        raise RefusedError(f"it takes {shape}, not features alone", "flatten maps before it")
    tensors = {"linear.weight": module.weight}
    if module.bias is not None:
        tensors["linear.bias"] = module.bias
    return Found("linear", {"out": module.out_features, "bias": module.bias is not None}, tensors)


def window(
    kind: str,
    kernel: Any,
    stride: Any,
    padding: Any,
    ceil: bool,
    count_padding: bool = False,
) -> Found:
    """Pooling over a window."""
    size = single(kernel, "kernel")
    step = size if stride is None or stride == [] else single(stride, "stride")
    attributes = {"kind": kind, "kernel": size, "stride": step}
    attributes |= {"padding": single(padding, "padding"), "ceil": bool(ceil)}
    attributes["count_padding"] = bool(count_padding and attributes["padding"])
    return Found("pool", attributes)


def _max_pool(module: nn.MaxPool2d, shape: Shape) -> Found:
    if single(module.dilation, "dilation") != 1 or module.return_indices:
        raise RefusedError("pooling with dilation or with indices is not known")
    return window("max", module.kernel_size, module.stride, module.padding, module.ceil_mode)


def _average_pool(module: nn.AvgPool2d, shape: Shape) -> Found:
    if module.divisor_override is not None:
        raise RefusedError("it divides by a number of its own")
    return window(
        "average",
        module.kernel_size,
        module.stride,
        module.padding,
        module.ceil_mode,
        module.count_include_pad,
    )


def adaptive(output_size: Any, shape: Shape) -> Found:
    """Average pooling to maps of a given size."""
    size = single(output_size, "size")
    if size == 1:
        return Found("global-pool", {"keep": True})
    return Found("pool", {"kind": "average", "size": size})


def _flatten(module: nn.Flatten, shape: Shape) -> Found:
    if (module.start_dim, module.end_dim) not in ((1, -1), (1, 3)):
        raise RefusedError(f"it flattens axes {module.start_dim} to {module.end_dim}")
    return flat(shape)


def flat(shape: Shape) -> Found:
    """Maps as features; features stay as they are."""
    return Found("flatten") if len(shape) == 3 else IDENTITY


def act(name: str) -> Found:
    """An activation."""
    return Found("activation", {"act": name})


ACTIVATIONS: Final[Mapping[type[nn.Module], str]] = {
    nn.ReLU: "relu",
    nn.ReLU6: "relu6",
    nn.Hardswish: "h_swish",
    nn.Hardsigmoid: "h_sigmoid",
    nn.SiLU: "swish",
    nn.Sigmoid: "sigmoid",
}
SAME: Final = (nn.Identity, nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.AlphaDropout)
"""Modules that do nothing in evaluation."""
TYPES: Final[Mapping[type[nn.Module], Callable[[Any, Shape], Found]]] = {
    nn.Conv2d: _conv,
    nn.BatchNorm2d: _norm,
    nn.BatchNorm1d: _norm,
    nn.Linear: _linear,
    nn.MaxPool2d: _max_pool,
    nn.AvgPool2d: _average_pool,
    nn.AdaptiveAvgPool2d: lambda module, shape: adaptive(module.output_size, shape),
    nn.Flatten: _flatten,
}


def normalises_and_acts(module: nn.Module) -> bool:
    """Whether it is timm's batch norm with the activation inside."""
    return isinstance(module, nn.BatchNorm2d) and type(module).__name__ == "BatchNormAct2d"


def found(module: nn.Module, shape: Shape) -> Found:
    """What ``module`` is on an input of ``shape`` [C, H, W] or [features].

    Raises ``RefusedError`` for a module that no layer stands for.
    """
    if type(module) in SAME:
        return IDENTITY
    if type(module) in ACTIVATIONS:
        return act(ACTIVATIONS[type(module)])
    if normalises_and_acts(module):
        return _norm(module, shape)  # type: ignore[arg-type]
    if type(module) in TYPES:
        return TYPES[type(module)](module, shape)
    known = ", ".join(kind.__name__ for kind in (*TYPES, *ACTIVATIONS))
    raise RefusedError(f"{type(module).__name__} is no layer that is known; there are {known}")
