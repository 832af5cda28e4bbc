"""Which calls in a forward pass become which layer."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any, Final

import torch
from torch.nn import functional as F

from search_spaces.convert.modules import IDENTITY, Found, Shape, act, adaptive, window
from search_spaces.convert.refusal import RefusedError

RESHAPES: Final = ("flatten", "view", "reshape", "squeeze")
ACTS: Final[Mapping[Any, str]] = {
    "relu": "relu",
    "relu6": "relu6",
    "hardswish": "h_swish",
    "hardsigmoid": "h_sigmoid",
    "silu": "swish",
    "sigmoid": "sigmoid",
}
SUMS: Final = (operator.add, operator.iadd, torch.add, "add")
PRODUCTS: Final = (operator.mul, operator.imul, torch.mul, "mul")
JOINS: Final = (torch.cat, torch.concat, torch.concatenate)
SAME: Final = ("contiguous", "clone", "stochastic_depth", "drop_path")
"""Calls that do nothing in evaluation; the last two are torchvision's and timm's."""
DROPOUTS: Final = (F.dropout, F.dropout1d, F.dropout2d, F.alpha_dropout)

Arguments = Mapping[str, Any]


def called(target: Any, args: Arguments, shapes: list[Shape], result: Shape) -> Found:
    """What the call of ``target`` is, on tensors of ``shapes``, with ``args`` by position or name.

    ``result`` is the shape of what comes out. Raises ``RefusedError`` for a call that no layer
    stands for.
    """
    name = (target if isinstance(target, str) else getattr(target, "__name__", str(target))).rstrip(
        "_"
    )
    key = name if isinstance(target, str) else target
    if key in SUMS or key in PRODUCTS:
        return _elementwise(key in SUMS, args, shapes)
    if target in JOINS:
        return _join(args)
    if len(shapes) == 1 and name in ACTS and _of_torch(target):
        return act(ACTS[name])
    if target in DROPOUTS:
        if args.get("training", args.get("2", True)):
            raise RefusedError(
                "it drops features in evaluation too", "pass training=self.training to it"
            )
        return IDENTITY
    if name in SAME:
        return IDENTITY
    if name in RESHAPES and _of_torch(target):
        return _reshape(shapes[0], result)
    if name == "mean" and _of_torch(target):
        return _mean(args, shapes[0], result)
    if target in WINDOWS:
        return WINDOWS[target](args, shapes[0])
    raise RefusedError(f"no layer is known for {name}()")


def _of_torch(target: Any) -> bool:
    # Methods of tensors are called by name; functions of others may be called alike.
    return isinstance(target, str) or str(getattr(target, "__module__", "torch")).startswith(
        "torch"
    )


def _elementwise(sums: bool, args: Arguments, shapes: list[Shape]) -> Found:
    if len(shapes) != 2 or args.get("alpha", 1) != 1:
        raise RefusedError("arithmetic is known between two tensors of the network alone")
    left, right = shapes
    gated = not sums and len(left) == 3 and (left[0], 1, 1) in shapes
    if left != right and not gated:
        raise RefusedError(f"shapes {left} and {right} differ")
    return Found("add" if sums else "multiply")


def _join(args: Arguments) -> Found:
    if args.get("dim", args.get("axis", args.get("1", 0))) not in (1, -3):
        raise RefusedError("tensors are put side by side along their channels alone (dim=1)")
    return Found("concat")


def _reshape(before: Shape, after: Shape) -> Found:
    if before == after:
        return IDENTITY
    if len(before) == 3 and after == (before[0] * before[1] * before[2],):
        return Found("flatten")
    raise RefusedError(f"it makes {after} of {before}; flattening whole maps is what is known")


def _mean(args: Arguments, before: Shape, after: Shape) -> Found:
    dims = args.get("dim", args.get("1"))
    spatial = isinstance(dims, list | tuple) and sorted(d % 4 for d in dims) == [2, 3]
    if len(before) != 3 or not spatial:
        raise RefusedError(f"it averages axes {dims}; means of whole maps, axes (2, 3), are known")
    return Found("global-pool", {"keep": len(after) == 3})


def _pool(kind: str) -> Callable[[Arguments, Shape], Found]:
    def read(args: Arguments, shape: Shape) -> Found:
        def value(position: int, name: str, default: Any) -> Any:
            return args.get(name, args.get(str(position), default))

        kernel = value(1, "kernel_size", None)
        if not all(isinstance(k, int) for k in (kernel if isinstance(kernel, tuple) else [kernel])):
            raise RefusedError(
                "its window depends on the size of the map",
                "write adaptive_avg_pool2d(x, 1) for the mean of a whole map",
            )
        stride, padding = value(2, "stride", None), value(3, "padding", 0)
        if kind == "max":
            if value(4, "dilation", 1) not in (1, (1, 1)) or value(6, "return_indices", False):
                raise RefusedError("pooling with dilation or with indices is not known")
            return window(kind, kernel, stride, padding, value(5, "ceil_mode", False))
        if value(6, "divisor_override", None) is not None:
            raise RefusedError("it divides by a number of its own")
        counted = value(5, "count_include_pad", True)
        return window(kind, kernel, stride, padding, value(4, "ceil_mode", False), counted)

    return read


def _adaptive(args: Arguments, shape: Shape) -> Found:
    return adaptive(args.get("output_size", args.get("1")), shape)


WINDOWS: Final[Mapping[Any, Callable[[Arguments, Shape], Found]]] = {
    F.max_pool2d: _pool("max"),
    torch.max_pool2d: _pool("max"),
    F.avg_pool2d: _pool("average"),
    F.adaptive_avg_pool2d: _adaptive,
}
