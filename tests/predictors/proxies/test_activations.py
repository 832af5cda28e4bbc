"""Proxies of forward passes against the formulas, written plainly or counted by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from predictors import proxies

LABELS = torch.tensor([0, 1, 0])


def one(name: str, model: nn.Module, images: Tensor, seed: int = 0) -> float:
    labels = torch.zeros(len(images), dtype=torch.int64)
    return proxies.score(model, (images, labels), (name,), seed=seed)[name]


def test_costs_by_hand() -> None:
    shared = nn.Linear(5, 5)
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1, groups=1),  # 4*3*9 + 4 numbers, 6*6*4*27 MACs
        nn.BatchNorm2d(4),  # 8 numbers
        nn.Conv2d(4, 4, 3, 2, 1, groups=4, bias=False),  # 36 numbers, 3*3*4*9 MACs
        nn.Flatten(),
        nn.Linear(36, 5, bias=False),  # 180 numbers and MACs
        shared,  # 30 numbers, 25 MACs, and again
        shared,
    )
    images = torch.randn(2, 3, 6, 6)
    assert one("parameters", net, images) == 112 + 8 + 36 + 180 + 30
    assert one("macs", net, images) == 6 * 6 * 4 * 27 + 3 * 3 * 4 * 9 + 180 + 25 + 25
    assert one("layers", net, images) == 5


def test_macs_of_attention_by_hand() -> None:
    net = nn.MultiheadAttention(8, 2, batch_first=True)

    class Attention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = net

        def forward(self, x: Tensor) -> Tensor:
            return self.inner(x, x, x, need_weights=False)[0]

    # Four projections, and two products of 5x5 with 8 numbers.
    assert one("macs", Attention(), torch.randn(3, 5, 8)) == 5 * 4 * 8 * 8 + 2 * 5 * 5 * 8


class Coded(nn.Module):
    """Two layers of units whose codes are the signs of the input's columns."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([F.relu(x[:, :3]), F.silu(x[:, 3:])], dim=1)


CODES = np.array([[1, 0, 1, 1, 0, 1], [1, 1, 1, 0, 0, 1], [0, 0, 1, 1, 0, 0]])
"""Three images, six units; five different columns."""
IMAGES = torch.from_numpy(2.0 * CODES - 1).float()


def test_naswot_is_the_determinant_of_agreements() -> None:
    agree = np.array([[6, 4, 4], [4, 6, 2], [4, 2, 6]])  # Counted by hand.
    assert one("naswot", Coded(), IMAGES) == pytest.approx(
        math.log(np.linalg.det(agree + np.eye(3)))
    )


def test_swap_counts_patterns_of_units() -> None:
    assert one("swap", Coded(), IMAGES) == 5
    # More images than bits of a word, and two units that are equal.
    rng = np.random.default_rng(0)
    many = rng.integers(0, 2, (70, 6))
    many[:, 5] = many[:, 4]
    assert one("swap", Coded(), torch.from_numpy(2.0 * many - 1)) == 5
    many[69, 5] ^= 1
    assert one("swap", Coded(), torch.from_numpy(2.0 * many - 1)) == 6


def test_linear_regions_counts_what_changes_between_images() -> None:
    # 2 units from the first image to the second, 4 to the third, 2 back to the first.
    assert one("linear_regions", Coded(), IMAGES) == pytest.approx(math.log1p(8 / 3))


def test_units_are_seen_however_they_are_written() -> None:
    x = torch.randn(5, 8, generator=torch.Generator().manual_seed(0))

    class Method(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.clone().relu_()

    ways = [nn.ReLU(), nn.ReLU(inplace=True), nn.GELU(), nn.Hardswish(), nn.PReLU(), nn.Tanh()]
    expected = one("naswot", nn.ReLU(), x)
    assert expected > 0
    assert all(
        one("naswot", way, x) == expected for way in [*ways, Method(), nn.Sequential(*ways)][:7]
    )
    assert one("naswot", nn.Sigmoid(), x) == 0


def test_meco_sums_least_eigenvalues() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 5, 3), nn.ReLU(), nn.Conv2d(5, 4, 2), nn.Flatten())
    images = torch.randn(2, 3, 8, 8)
    first = net[0](images[:1])
    second = net[2](net[1](first))
    expected = sum(
        np.linalg.eigvalsh(np.corrcoef(maps[0].flatten(1).detach().numpy())).min()
        for maps in (first, second)
    )
    assert one("meco", net, images) == pytest.approx(expected, rel=1e-5)


def test_meco_draws_eight_channels_of_a_wide_layer() -> None:
    # Twelve channels that are all one: whichever eight are drawn, the least eigenvalue is 0.
    net = nn.Conv2d(1, 12, 3, bias=False)
    with torch.no_grad():
        net.weight.copy_(net.weight[:1].clone())
    images = torch.randn(1, 1, 9, 9)
    assert one("meco", net, images) == pytest.approx(0, abs=1e-6)
    torch.nn.init.normal_(net.weight)
    assert len({one("meco", net, images, seed) for seed in range(3)}) == 3


def entropy(features: np.ndarray) -> float:
    """Of features [rows, channels], by singular values."""
    singular = np.linalg.svd(features - features.mean(0), compute_uv=False) ** 2
    shares = singular[singular > 1e-12] / singular.sum()
    return float(-(shares * np.log(shares)).sum())


def test_az_expressivity_and_progressivity() -> None:
    torch.manual_seed(0)
    blocks = nn.Conv2d(3, 6, 3), nn.ReLU(), nn.Conv2d(6, 4, 3)
    images = torch.randn(4, 3, 8, 8)
    found, y = [], images
    for block in blocks:
        y = block(y)
        found.append(entropy(y.detach().movedim(1, -1).reshape(-1, y.shape[1]).numpy()))
    net = nn.Sequential(*blocks, nn.Flatten())
    assert one("az_expressivity", net, images) == pytest.approx(sum(found), rel=1e-4)
    expected = min(np.diff(found))
    assert one("az_progressivity", net, images) == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize(("weight", "score"), [(1.0, 0.0), (2.0, -0.5), (-0.5, -0.5)])
def test_az_trainability_of_scaling_blocks(weight: float, score: float) -> None:
    # One channel: signs times signs are one, so that the norm is the weight's size.
    net = nn.Sequential(*[nn.Conv2d(1, 1, 1, bias=False) for _ in range(3)])
    nn.init.constant_(net[0].weight, 7.0)  # type: ignore[arg-type]
    for block in net[1:]:
        nn.init.constant_(block.weight, weight)  # type: ignore[arg-type]
    assert one("az_trainability", net, torch.randn(4, 1, 5, 5)) == pytest.approx(score, abs=1e-5)


def test_az_trainability_with_a_stride() -> None:
    torch.manual_seed(0)
    first, second = nn.Conv2d(2, 3, 1, bias=False), nn.Conv2d(3, 5, 2, 2, bias=False)
    images = torch.randn(4, 2, 6, 6)
    signs = torch.randint(0, 2, (4, 5, 3, 3), generator=torch.Generator().manual_seed(0)) * 2.0 - 1
    # Every position of the output hands back a window of 2x2: 12 numbers for its 5 signs.
    back = torch.einsum("nohw,ocij->nhwcij", signs, second.weight).detach().reshape(-1, 12)
    relation = back.T @ signs.movedim(1, -1).reshape(-1, 5) / len(back)
    s = np.linalg.svd(relation.numpy(), compute_uv=False)[0]
    expected = 2 - s - 1 / (s + 1e-6)
    net = nn.Sequential(first, second)
    assert one("az_trainability", net, images) == pytest.approx(expected, rel=1e-4)


def test_zen_score() -> None:
    first, second = nn.Conv2d(3, 4, 3, bias=False), nn.Conv2d(4, 2, 3, bias=False)
    last = nn.Linear(32, 2, bias=False)
    net = nn.Sequential(first, nn.BatchNorm2d(4), nn.ReLU(), second, nn.Flatten(), last)
    rng = torch.Generator().manual_seed(5)
    W1, W2 = (torch.randn(*shape, generator=rng) for shape in ((4, 3, 3, 3), (2, 4, 3, 3)))
    torch.randn(2, 32, generator=rng)
    x = torch.randn(6, 3, 8, 8, generator=rng)
    moved = x + 0.01 * torch.randn(6, 3, 8, 8, generator=rng)

    def features(images: Tensor) -> tuple[Tensor, Tensor]:
        first = F.conv2d(images, W1)
        variance = first.var((0, 2, 3))
        return F.conv2d(F.batch_norm(first, None, None, training=True).relu(), W2), variance

    (near, variance), (far, _) = features(x), features(moved)
    change = (near - far).flatten(1).norm(dim=1).mean()
    expected = math.log(change) + 0.5 * math.log(variance.mean())
    assert one("zen", net, torch.zeros(6, 3, 8, 8), seed=5) == pytest.approx(expected, rel=1e-4)


def test_w_pca_counts_dimensions() -> None:
    torch.manual_seed(0)
    up, down = nn.Linear(4, 9), nn.Linear(9, 4)

    class FeedForward(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.up, self.down = up, down

        def forward(self, x: Tensor) -> Tensor:
            return self.down(F.gelu(self.up(x)))

    tokens = torch.randn(3, 7, 4) * torch.tensor([5.0, 3.0, 1.0, 0.001])
    hidden = up(tokens).detach().reshape(-1, 9).numpy()
    variance = np.linalg.svd(hidden - hidden.mean(0), compute_uv=False) ** 2
    dimensions = int(np.searchsorted(np.cumsum(variance) / variance.sum(), 0.99)) + 1
    assert dimensions in (2, 3)
    numbers = 4 * 9 + 9 + 9 * 4 + 4
    assert one("w_pca", FeedForward(), tokens) == pytest.approx(math.log(numbers * dimensions))
