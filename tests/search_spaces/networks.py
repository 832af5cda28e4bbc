"""Networks of the usual families, written out small: what conversion is compared with."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Basic(nn.Module):
    def __init__(self, taken: int, out: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(taken, out, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(out)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(out, out, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(out)
        self.downsample: nn.Module | None = None
        if stride != 1 or taken != out:
            short = nn.Conv2d(taken, out, 1, stride, bias=False)
            self.downsample = nn.Sequential(short, nn.BatchNorm2d(out))

    def forward(self, x: Tensor) -> Tensor:
        short = x if self.downsample is None else self.downsample(x)
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        y += short
        return self.relu(y)


class Bottleneck(nn.Module):
    """ResNeXt's with ``groups``; RegNetY's with squeeze-excite."""

    def __init__(
        self, taken: int, middle: int, out: int, stride: int = 1, groups: int = 1, se: bool = False
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(taken, middle, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(middle)
        self.conv2 = nn.Conv2d(middle, middle, 3, stride, 1, groups=groups, bias=False)
        self.bn2 = nn.BatchNorm2d(middle)
        self.se = Squeeze(middle, 8, nn.Sigmoid()) if se else None
        self.conv3 = nn.Conv2d(middle, out, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out)
        self.short: nn.Module | None = None
        if stride != 1 or taken != out:
            self.short = nn.Sequential(nn.Conv2d(taken, out, 1, stride), nn.BatchNorm2d(out))

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)))
        y = F.relu(self.bn2(self.conv2(y)))
        if self.se is not None:
            y = self.se(y)
        y = self.bn3(self.conv3(y))
        return F.relu(y + (x if self.short is None else self.short(x)))


class Squeeze(nn.Module):
    def __init__(self, channels: int, inner: int, gate: nn.Module) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc1 = nn.Conv2d(channels, inner, 1)
        self.fc2 = nn.Conv2d(inner, channels, 1)
        self.gate = gate

    def forward(self, x: Tensor) -> Tensor:
        return self.gate(self.fc2(F.relu(self.fc1(self.pool(x))))) * x


class Inverted(nn.Module):
    """MobileNetV2's and V3's."""

    def __init__(
        self,
        taken: int,
        middle: int,
        out: int,
        kernel: int,
        stride: int,
        act: type[nn.Module],
        se: bool,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        if middle != taken:
            layers += [nn.Conv2d(taken, middle, 1, bias=False), nn.BatchNorm2d(middle), act()]
        depthwise = nn.Conv2d(
            middle, middle, kernel, stride, kernel // 2, groups=middle, bias=False
        )
        layers += [depthwise, nn.BatchNorm2d(middle, eps=1e-3), act()]
        if se:
            layers += [Squeeze(middle, 8, nn.Hardsigmoid())]
        layers += [nn.Conv2d(middle, out, 1, bias=False), nn.BatchNorm2d(out)]
        self.block = nn.Sequential(*layers)
        self.residual = stride == 1 and taken == out

    def forward(self, x: Tensor) -> Tensor:
        y = self.block(x)
        return x + y if self.residual else y


class Dense(nn.Module):
    def __init__(self, taken: int, growth: int) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(taken)
        self.conv1 = nn.Conv2d(taken, 4 * growth, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(4 * growth)
        self.conv2 = nn.Conv2d(4 * growth, growth, 3, padding=1, bias=False)

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        x = torch.cat(list(features), 1)
        x = self.conv1(F.relu(self.norm1(x)))
        return self.conv2(F.relu(self.norm2(x)))


class DenseNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.layers = nn.ModuleList(Dense(16 + 8 * i, 8) for i in range(3))
        self.norm = nn.BatchNorm2d(40)
        self.conv = nn.Conv2d(40, 24, 1, bias=False)
        self.pool = nn.AvgPool2d(2)
        self.last = nn.BatchNorm2d(24)
        self.classifier = nn.Linear(24, 5)

    def forward(self, x: Tensor) -> Tensor:
        features = [self.stem(x)]
        for layer in self.layers:
            features.append(layer(features))
        x = self.pool(self.conv(F.relu(self.norm(torch.cat(features, 1)))))
        x = F.relu(self.last(x))
        return self.classifier(x.mean([2, 3]))


def resnet() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 16, 7, 2, 3, bias=False),
        nn.BatchNorm2d(16),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(3, 2, 1),
        nn.Sequential(Basic(16, 16), Basic(16, 16), Basic(16, 16)),
        nn.Sequential(Basic(16, 32, 2), Basic(32, 32)),
        nn.AdaptiveAvgPool2d((1, 1)),
        nn.Flatten(),
        nn.Linear(32, 5),
    )


def resnext() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, 2, 1),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        Bottleneck(16, 32, 48, groups=4),
        Bottleneck(48, 32, 48, groups=4),
        Bottleneck(48, 48, 64, 2, groups=3, se=True),
        Bottleneck(64, 48, 64, groups=3, se=True),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(1),
        nn.Linear(64, 5),
    )


class VGG(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 16, 3, padding=1),
            nn.ReLU(True),
            nn.MaxPool2d(2, 2),
            nn.Conv2d(16, 24, 3, padding=1),
            nn.BatchNorm2d(24),
            nn.ReLU(True),
            nn.MaxPool2d(2, 2, ceil_mode=True),
        )
        self.avgpool = nn.AdaptiveAvgPool2d((2, 2))
        self.classifier = nn.Sequential(
            nn.Linear(24 * 4, 32), nn.ReLU(True), nn.Dropout(), nn.Linear(32, 5)
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.avgpool(self.features(x))
        return self.classifier(x.view(x.size(0), -1))


def mobilenet(act: type[nn.Module], se: bool) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, 2, 1, bias=False),
        nn.BatchNorm2d(16),
        act(),
        Inverted(16, 16, 16, 3, 1, act, False),
        Inverted(16, 48, 24, 5, 2, act, se),
        Inverted(24, 72, 24, 5, 1, act, se),
        Inverted(24, 72, 24, 3, 1, act, se),
        nn.Conv2d(24, 64, 1, bias=False),
        nn.BatchNorm2d(64),
        act(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(1),
        nn.Linear(64, 32),
        act(),
        nn.Dropout(0.2),
        nn.Linear(32, 5),
    )


NETWORKS = {
    "resnet": resnet,
    "resnext": resnext,
    "vgg": VGG,
    "mobilenetv2": lambda: mobilenet(nn.ReLU6, False),
    "mobilenetv3": lambda: mobilenet(nn.Hardswish, True),
    "efficientnet": lambda: mobilenet(nn.SiLU, True),
    "densenet": DenseNet,
}


def shaken(network: nn.Module, seed: int = 0) -> nn.Module:
    """Norms as after a training, and in training mode: conversion sees to that itself."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, tensor in (*network.named_parameters(), *network.named_buffers()):
            if not tensor.is_floating_point():
                continue
            if tensor.dim() > 1:
                deviation = tensor[0].numel() ** -0.5
                tensor.copy_(deviation * torch.randn(tensor.shape, generator=generator))
            elif name.endswith(("running_var", "weight")):
                tensor.copy_(0.5 + torch.rand(tensor.shape, generator=generator))
            else:
                tensor.copy_(0.2 * torch.randn(tensor.shape, generator=generator))
    return network.train()
