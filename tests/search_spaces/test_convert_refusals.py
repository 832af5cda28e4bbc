"""What cannot be converted is refused with its name, the reason and the way out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from search_spaces.convert import from_module
from search_spaces.errors import SpaceError


class Around(nn.Module):
    """A convolution, what is tested, and a classifier."""

    def __init__(self, inner: nn.Module | Callable[[Tensor], Any], channels: int = 8) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.module = inner if isinstance(inner, nn.Module) else None
        self.function = inner
        self.fc = nn.Linear(channels, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        x = self.function(x) if self.module is None else self.module(x)
        return self.fc(x.mean((2, 3)))


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attend = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        tokens = x.flatten(2).transpose(1, 2)
        return self.attend(tokens, tokens, tokens)[0].transpose(1, 2).unflatten(2, (8, 8))


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cells = nn.LSTM(8, 8, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.cells(x)[0]


class Branching(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x if x.sum() > 0 else -x


class Scaled(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(8, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale


class Twice(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(8, 8, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.max_pool2d(self.conv(x), 2))


REFUSED: dict[str, tuple[nn.Module | Callable[[Tensor], Any], str]] = {
    "transposed": (nn.ConvTranspose2d(8, 8, 2), r"layer 'module'.*ConvTranspose2d is no layer"),
    "attention": (Attention(), r"layer 'module\.\w+'"),
    "recurrent": (Recurrent(), r"run images|layer 'module\.cells'"),
    "branching": (Branching(), r"module 'module': torch.fx cannot trace.*depend on"),
    "parameter": (Scaled(), r"tensor module\.scale of the module itself"),
    "twice": (Twice(), r"'module\.conv.*called a second time.*copy the module"),
    "softmax": (nn.Softmax(1), r"layer 'module'.*Softmax is no layer.*there are Conv2d"),
    "number": (lambda x: x + 1, r"layer 'add'.*two tensors of the network"),
    "roll": (lambda x: torch.roll(x, 1, 1), r"layer 'roll'.*no layer is known for roll"),
    "across the batch": (lambda x: x.view(-1, 8, 4, 8), r"layer 'view'.*mixes the images"),
    "rectangular": (nn.Conv2d(8, 8, (1, 3)), r"layer 'module'.*kernel is \(1, 3\)"),
    "reflection": (nn.Conv2d(8, 8, 3, padding_mode="reflect"), r"pads with 'reflect'"),
    "no statistics": (
        nn.BatchNorm2d(8, track_running_stats=False),
        r"keeps no statistics.*track_running_stats=True",
    ),
    "drops always": (lambda x: F.dropout(x, 0.5), r"layer 'dropout'.*training=self.training"),
    "window of the map": (
        lambda x: F.avg_pool2d(x, x.shape[2]),
        r"layer 'avg_pool2d'.*size of the map.*adaptive_avg_pool2d",
    ),
    "cat of rows": (lambda x: torch.cat((x, x), 2), r"layer 'cat'.*along their channels"),
    "broadcast": (lambda x: x + x.mean((2, 3), keepdim=True), r"layer 'add'.*differ"),
    "dilated pool": (nn.MaxPool2d(2, dilation=2), r"pooling with dilation"),
    "group norm": (nn.GroupNorm(2, 8), r"GroupNorm is no layer"),
}


@pytest.mark.parametrize("name", list(REFUSED))
def test_a_refusal_names_the_layer_the_reason_and_the_way_out(name: str) -> None:
    inner, pattern = REFUSED[name]
    with pytest.raises(SpaceError, match=pattern) as refused:
        from_module(Around(inner), (8,))
    assert ";" in str(refused.value) and "\n" not in str(refused.value)


def test_three_dimensions_sizes_and_outputs_are_refused() -> None:
    volumes = nn.Sequential(nn.Conv3d(3, 8, 3), nn.Flatten(), nn.Linear(8, 2))
    with pytest.raises(SpaceError, match=r"cannot run images of \(3, 8, 8\)|Conv3d"):
        from_module(volumes, (8,))
    with pytest.raises(SpaceError, match="ends with one tensor of logits"):
        from_module(nn.Sequential(nn.Conv2d(3, 8, 3)), (8,))
    with pytest.raises(SpaceError, match="ascend"):
        from_module(Around(nn.Identity()), (16, 8))
    with pytest.raises(SpaceError, match="cannot run images of"):
        from_module(Around(nn.Identity()), (8,), channels=4)
    with pytest.raises(SpaceError, match="fractions"):
        from_module(Around(nn.Identity()), (8,), widths=(1.5,))
    flat = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Flatten(), nn.Linear(8 * 36, 2))
    from_module(flat, (8,))
    with pytest.raises(SpaceError, match="leave 6 out of resolutions|6 pixels"):
        from_module(flat, (6, 8))


def test_hooks_that_change_what_comes_out_are_noticed() -> None:
    network = Around(nn.Identity())
    network.stem.register_forward_hook(lambda module, args, out: out * 2)
    with pytest.raises(SpaceError, match="hook"):
        from_module(network, (8,))
