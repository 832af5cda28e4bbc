"""The one place that slices: convolutions, norms and linear layers that lend their first part."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from search_spaces.specs import EPSILON

ACTIVATIONS: Mapping[str, type[nn.Module]] = {
    "none": nn.Identity,
    "relu": nn.ReLU,
    "relu6": nn.ReLU6,
    "h_swish": nn.Hardswish,
    "h_sigmoid": nn.Hardsigmoid,
}


BatchNorm = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor, bool, float, float], Tensor]
"""``functional.batch_norm``, or one that knows of other processes' images."""
NORM_TENSORS = ("weight", "bias", "running_mean", "running_var")


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

    ``kernels`` are the sizes below its own that a depthwise unit lends. Each is reached from the
    next larger one by a matrix that all channels share (OFA's kernel transform, Cai et al. 2020,
    section 3.2), which starts as identity: the middle of the larger kernel. ``batch_norm`` is what
    normalises in training; whoever trains in several processes puts in their own.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        stride: int = 1,
        act: str = "none",
        depthwise: bool = False,
        kernels: tuple[int, ...] = (),
        epsilon: float = EPSILON,
    ) -> None:
        super().__init__()
        groups = outputs if depthwise else 1
        self.conv = nn.Conv2d(
            inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False
        )
        fan_out = kernel**2 * outputs / groups
        nn.init.normal_(self.conv.weight, 0.0, (2.0 / fan_out) ** 0.5)
        self.norm = nn.BatchNorm2d(outputs, eps=epsilon)
        self.batch_norm: BatchNorm = functional.batch_norm
        self.act = activation(act)
        self.sizes = sorted({kernel, *kernels}, reverse=True)
        for large, small in zip(self.sizes, self.sizes[1:], strict=False):
            matrix = nn.Parameter(torch.eye(small**2))
            self.register_parameter(f"transform_{large}to{small}", matrix)

    def weights(self, inputs: int, outputs: int, kernel: int) -> dict[str, Tensor]:
        """What a unit of these sizes is made of, under the names of its state dict."""
        names = ("conv.weight", *(f"norm.{name}" for name in NORM_TENSORS))
        lent = dict(zip(names, self._lent(inputs, outputs, kernel), strict=True))
        return {**lent, "norm.num_batches_tracked": _some(self.norm.num_batches_tracked)}

    def _lent(self, inputs: int, outputs: int, kernel: int) -> tuple[Tensor, ...]:
        # The convolution's weight, then the norm's tensors in the order of their names.
        conv, norm = self.conv, self.norm
        weight = first(conv.weight, outputs, 1 if conv.groups > 1 else inputs)
        for large, small in zip(self.sizes, self.sizes[1:], strict=False):
            if large <= kernel:
                break
            edge = (large - small) // 2
            middle = weight[:, :, edge : large - edge, edge : large - edge]
            matrix = getattr(self, f"transform_{large}to{small}")
            weight = functional.linear(middle.reshape(-1, small**2), matrix).reshape(middle.shape)
        return weight, *(first(getattr(norm, name), outputs) for name in NORM_TENSORS)

    def forward(self, x: Tensor, outputs: int, kernel: int) -> Tensor:
        """[N, inputs, H, W] to [N, outputs, H', W']; the input says how many inputs there are.

        At its own size the layers are called as the modules they are, so that hooks see them.
        """
        conv, norm = self.conv, self.norm
        inputs, depthwise = x.shape[1], conv.groups > 1
        whole = (outputs, kernel) == (conv.out_channels, conv.kernel_size[0])
        y: Tensor
        plain = self.batch_norm is functional.batch_norm
        if whole and plain and (depthwise or inputs == conv.in_channels):
            y = self.act(norm(conv(x)))
            return y
        weight, scale, shift, mean, variance = self._lent(inputs, outputs, kernel)
        y = functional.conv2d(
            x, weight, None, conv.stride, kernel // 2, 1, outputs if depthwise else 1
        )
        momentum = norm.momentum or 0.0
        y = self.batch_norm(y, mean, variance, scale, shift, self.training, momentum, norm.eps)
        y = self.act(y)
        return y


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
