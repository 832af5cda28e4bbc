"""The one place that slices: convolutions, norms and linear layers that lend their first part."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from search_spaces.blocks.mixed import convolved
from search_spaces.specs import EPSILON, NORM_TENSORS

ACTIVATIONS: Mapping[str, type[nn.Module]] = {
    "none": nn.Identity,
    "relu": nn.ReLU,
    "relu6": nn.ReLU6,
    "h_swish": nn.Hardswish,
    "h_sigmoid": nn.Hardsigmoid,
    "swish": nn.SiLU,
    "sigmoid": nn.Sigmoid,
}


Norm = nn.BatchNorm1d | nn.BatchNorm2d
BatchNorm = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor, bool, float, float], Tensor]
"""``functional.batch_norm``, or one that knows of other processes' images."""


def activation(name: str) -> nn.Module:
    """PyTorch's fused activation of that name."""
    return ACTIVATIONS[name]()


def prefixed(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors under ``prefix.``, as a state dict of the parent names them."""
    return {f"{prefix}.{name}": tensor for name, tensor in tensors.items()}


def joined(parts: Mapping[str, Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """The tensors of all parts, each under its part's name."""
    return {
        name: tensor
        for prefix, part in parts.items()
        for name, tensor in prefixed(prefix, part).items()
    }


def first(tensor: Tensor, *sizes: int) -> Tensor:
    """The first entries along the leading axes; a whole axis is left as it is, for slicing it costs
    about as much as a small layer does.
    """
    for axis, size in enumerate(sizes):
        if size != tensor.shape[axis]:
            tensor = tensor.narrow(axis, 0, size)
    return tensor


class Unit(nn.Module):
    """Convolution, norm, activation; the first inputs, outputs and the kernel's middle are lent.

    ``group`` is the number of input channels of a group, 1 for depthwise, 0 for all as one; of
    fewer channels there are fewer groups. ``padding`` belongs to the largest kernel; without it the
    size of maps is kept.

    ``kernels`` are the sizes below its own that a unit lends. Each is reached from the next larger
    one by a matrix that all channels share (OFA's kernel transform, Cai et al. 2020, section 3.2),
    which starts as identity: the middle of the larger kernel.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        stride: int = 1,
        act: str = "none",
        group: int = 0,
        kernels: tuple[int, ...] = (),
        epsilon: float = EPSILON,
        *,
        padding: int | None = None,
        dilation: int = 1,
        bias: bool = False,
        norm: bool = True,
    ) -> None:
        super().__init__()
        self.group = group
        groups = inputs // group if group else 1
        padding = dilation * (kernel - 1) // 2 if padding is None else padding
        self.conv = nn.Conv2d(
            inputs, outputs, kernel, stride, padding, dilation, groups=groups, bias=bias
        )
        fan_out = kernel**2 * outputs / groups
        nn.init.normal_(self.conv.weight, 0.0, (2.0 / fan_out) ** 0.5)
        if self.conv.bias is not None:
            nn.init.zeros_(self.conv.bias)
        self.norm = nn.BatchNorm2d(outputs, eps=epsilon) if norm else None
        self.act = activation(act)
        self.sizes = sorted({kernel, *kernels}, reverse=True)
        for large, small in zip(self.sizes, self.sizes[1:], strict=False):
            matrix = nn.Parameter(torch.eye(small**2))
            self.register_parameter(f"transform_{large}to{small}", matrix)

    def weights(self, inputs: int, outputs: int, kernel: int) -> dict[str, Tensor]:
        """What a unit of these sizes is made of, under the names of its state dict."""
        lent = self._lent(inputs, outputs, kernel)
        if self.norm is not None:
            lent["norm.num_batches_tracked"] = _some(self.norm.num_batches_tracked)
        return lent

    def _lent(self, inputs: int, outputs: int, kernel: int) -> dict[str, Tensor]:
        lent = {"conv.weight": self._weight(inputs, outputs, kernel)}
        if self.conv.bias is not None:
            lent["conv.bias"] = first(self.conv.bias, outputs)
        if self.norm is not None:
            lent |= prefixed("norm", lent_norm(self.norm, outputs))
        return lent

    def _weight(self, inputs: int, outputs: int, kernel: int) -> Tensor:
        weight = first(self.conv.weight, outputs, self.group or inputs)
        for large, small in zip(self.sizes, self.sizes[1:], strict=False):
            if large <= kernel:
                break
            edge = (large - small) // 2
            middle = weight[:, :, edge : large - edge, edge : large - edge]
            matrix = getattr(self, f"transform_{large}to{small}")
            weight = functional.linear(middle.reshape(-1, small**2), matrix).reshape(middle.shape)
        return weight

    def forward(self, x: Tensor, outputs: int, kernel: int) -> Tensor:
        """[N, inputs, H, W] to [N, outputs, H', W']; the input says how many inputs there are.

        At its own size the layers are called as the modules they are, so that hooks see them.
        """
        conv, norm = self.conv, self.norm
        inputs, largest = x.shape[1], conv.kernel_size[0]
        y: Tensor
        if (inputs, outputs, kernel) == (conv.in_channels, conv.out_channels, largest):
            y = convolved(conv, x, self.group)
            y = self.act(y if norm is None else whole_norm(norm, y))
            return y
        dilation = conv.dilation[0]
        padding = int(conv.padding[0]) - dilation * (largest - kernel) // 2
        groups = inputs // self.group if self.group else 1

        def convolve(x: Tensor) -> Tensor:
            weight = self._weight(inputs, outputs, kernel)
            bias = None if conv.bias is None else first(conv.bias, outputs)
            return functional.conv2d(x, weight, bias, conv.stride, padding, dilation, groups)

        y = convolved(convolve, x, self.group)
        if norm is not None:
            y = run_norm(norm, y, *lent_norm(norm, outputs).values())
        y = self.act(y)
        return y


def lent_norm(norm: Norm, channels: int) -> dict[str, Tensor]:
    """The first channels of a norm, in the order of ``NORM_TENSORS``."""
    return {name: first(getattr(norm, name), channels) for name in NORM_TENSORS}


def use_batch_norm(norm: Norm, function: BatchNorm) -> None:
    """Let ``norm`` normalise with ``function``, as training in several processes wants it."""
    norm.__dict__["batch_norm"] = function


def whole_norm(norm: Norm, x: Tensor) -> Tensor:
    """``norm`` on ``x``, which has all of its channels."""
    if "batch_norm" in norm.__dict__:
        if norm.training and norm.num_batches_tracked is not None:
            norm.num_batches_tracked.add_(1)
        return run_norm(norm, x, *(getattr(norm, name) for name in NORM_TENSORS))
    y: Tensor = norm(x)
    return y


def run_norm(
    norm: Norm, x: Tensor, scale: Tensor, shift: Tensor, mean: Tensor, variance: Tensor
) -> Tensor:
    """``norm`` on ``x`` with the part of its tensors that belongs to the channels of ``x``."""
    function: BatchNorm = norm.__dict__.get("batch_norm", functional.batch_norm)
    return function(x, mean, variance, scale, shift, norm.training, norm.momentum or 0.0, norm.eps)


class SqueezeExcite(nn.Module):
    """Channels scaled by a small network on their means (Hu et al. 2018, as in MobileNetV3)."""

    def __init__(self, channels: int, squeeze: int) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(channels, squeeze, 1)
        self.expand = nn.Conv2d(squeeze, channels, 1)
        self.relu = nn.ReLU()
        self.gate = nn.Hardsigmoid()

    def weights(self, channels: int, squeeze: int) -> dict[str, Tensor]:
        """The part for these sizes, under the names of its state dict."""
        return {
            "reduce.weight": first(self.reduce.weight, squeeze, channels),
            "reduce.bias": first(_some(self.reduce.bias), squeeze),
            "expand.weight": first(self.expand.weight, channels, squeeze),
            "expand.bias": first(_some(self.expand.bias), channels),
        }

    def forward(self, x: Tensor, squeeze: int) -> Tensor:
        """[N, channels, H, W] to the same."""
        part = self.weights(x.shape[1], squeeze)
        y = x.mean((2, 3), keepdim=True)
        y = self.relu(functional.conv2d(y, part["reduce.weight"], part["reduce.bias"]))
        y = self.gate(functional.conv2d(y, part["expand.weight"], part["expand.bias"]))
        return x * y


def _some(tensor: Tensor | None) -> Tensor:
    if tensor is None:
        raise TypeError("the layer was made without a bias")
    return tensor
