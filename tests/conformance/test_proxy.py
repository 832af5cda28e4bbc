"""What every proxy promises. A new one is tested by being in the catalogue."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import search_spaces
from predictors import proxies
from predictors.proxies import NotApplicableError, ProxyError
from tests.search_spaces.networks import resnet

CLASSES = 5
TOKENS_ONLY = {"w_pca"}
"""Proxies that refuse networks without tokens."""


class Functional(nn.Module):
    """Activations are functions, one of them in place, and one layer runs twice."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, padding=1)
        self.shared = nn.Conv2d(8, 8, 3, padding=1)
        self.head = nn.Linear(8, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.first(x), inplace=True)
        y = y + F.gelu(self.shared(torch.relu(self.shared(y))))
        y += x.mean(1, keepdim=True)
        return self.head(y.mean((2, 3)))


class Transformer(nn.Module):
    """Four patches as tokens, one layer of attention; drops out while it is trained."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 8, 4, 4)
        self.encoder = nn.TransformerEncoderLayer(8, 2, 16, 0.3, batch_first=True)
        self.head = nn.Linear(8, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.encoder(self.patches(x).flatten(2).mT).mean(1))


class Noisy(nn.Module):
    """Draws from all three global generators, whatever its mode."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(192, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        scale = 1 + random.random() + float(np.random.rand())  # noqa: NPY002
        return self.head(F.relu(x.flatten(1) * scale + torch.randn(1)))


class Writing(nn.Module):
    """Changes its own weights, buffers and state in place whenever it runs."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(192, CLASSES)
        self.register_buffer("calls", torch.zeros(()))
        self.seen: dict[str, list[int]] = {}

    def forward(self, x: Tensor) -> Tensor:
        self.head.weight.data.clamp_(-0.05, 0.05)
        self.calls += 1
        self.seen.setdefault("images", []).append(len(x))
        return self.head(F.relu(x.flatten(1)))


def plain() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(288, CLASSES)
    )


def vectors() -> nn.Module:
    """No convolutions, and norms of vectors, which cannot normalise by one image."""
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(192, 16),
        nn.BatchNorm1d(16),
        nn.Tanh(),
        nn.BatchNorm1d(16, track_running_stats=False),
        nn.Dropout(0.5),
        nn.Linear(16, CLASSES),
    )


def of_a_space() -> nn.Module:
    space = search_spaces.get("small-images", num_classes=CLASSES)
    return space.build(space.decode(space.smallest))


def deep() -> nn.Module:
    """Nothing normalises and every layer multiplies: single precision overflows."""
    layers: list[nn.Module] = [nn.Flatten(), nn.Linear(192, 64)]
    for _ in range(40):
        layers += [nn.ReLU(), nn.Linear(64, 64)]
    net = nn.Sequential(*layers, nn.ReLU(), nn.Linear(64, CLASSES))
    for parameter in net.parameters():
        nn.init.normal_(parameter, 0, 3)
    return net


def exploding() -> nn.Module:
    """The same with maps and tokens."""
    layers = [nn.Conv2d(3, 16, 3, padding=1)]
    layers += [nn.Conv2d(16, 16, 3, padding=1) for _ in range(40)]
    net = Transformer()
    net.patches = nn.Sequential(*layers, nn.MaxPool2d(4))  # type: ignore[assignment]
    net.encoder = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 8))  # type: ignore[assignment]
    for parameter in net.parameters():
        nn.init.normal_(parameter, 0, 3)
    return net


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "residual, with batch norm": lambda: resnet(),
    "without norms": plain,
    "functional": Functional,
    "without convolutions": vectors,
    "attention": Transformer,
    "linear": lambda: nn.Sequential(nn.Flatten(), nn.Linear(192, CLASSES)),
    "of a space": of_a_space,
    "random": Noisy,
    "writing": Writing,
    "exploding": deep,
    "exploding maps": exploding,
    "without weights": nn.Flatten,
}


@pytest.fixture(params=proxies.names(), scope="module")
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def batch(n: int = 4, seed: int = 0) -> tuple[Tensor, Tensor]:
    rng = torch.Generator().manual_seed(seed)
    return torch.randn(n, 3, 8, 8, generator=rng), torch.randint(0, CLASSES, (n,), generator=rng)


def network(kind: str) -> nn.Module:
    torch.manual_seed(7)
    return NETWORKS[kind]()


def scores(model: nn.Module, images: Tensor, labels: Tensor, seed: int = 0) -> dict[str, float]:
    """By all proxies; only those that may refuse are left out, and only where they do."""
    found = proxies.score(model, (images, labels), seed=seed)
    refusing = set() if isinstance(model, Transformer) else TOKENS_ONLY
    assert set(found) == set(proxies.names()) - refusing
    assert all(isinstance(value, float) for value in found.values())
    return found


@pytest.mark.parametrize("kind", NETWORKS)
def test_finite_and_deterministic_for_every_network(kind: str) -> None:
    model, (images, labels) = network(kind), batch()
    first = scores(model, images, labels)
    with torch.inference_mode():
        assert scores(model.train(), images, labels) == first
    one, equal = (images[:1], labels[:1]), (images * 0 + 0.5, labels)
    for found in (first, scores(model, *one), scores(model, *equal)):
        assert not [name for name, value in found.items() if not math.isfinite(value)]


def fingerprint(model: nn.Module) -> list[Any]:
    """All that a score could have changed: values as bytes, and what is attached."""
    tensors = [*model.named_parameters(), *model.named_buffers()]
    gradients = [(n, p.grad) for n, p in model.named_parameters() if p.grad is not None]
    return [
        [(n, id(t), t._version, t.detach().numpy().tobytes()) for n, t in tensors],
        [(n, id(g), g.numpy().tobytes()) for n, g in gradients],
        [(n, p.requires_grad) for n, p in model.named_parameters()],
        [(n, id(m), m.training) for n, m in model.named_modules()],
        [
            [list(hooks) for key, hooks in vars(m).items() if key.endswith("_hooks")]
            for m in model.modules()
        ],
        torch.get_rng_state().numpy().tobytes(),
        random.getstate(),
        str(np.random.get_state()),  # noqa: NPY002
        torch.is_grad_enabled(),
        torch.backends.mha.get_fastpath_enabled(),
    ]


@pytest.mark.parametrize(
    "kind", ["residual, with batch norm", "attention", "random", "writing", "of a space"]
)
def test_the_network_and_the_generators_are_left_as_found(kind: str) -> None:
    model, (images, labels) = network(kind).train(), batch()
    F.cross_entropy(model(images), labels).backward()
    for number, module in enumerate(model.modules()):
        module.training = number % 3 > 0
    next(model.parameters()).requires_grad_(False)
    seen: list[int] = []
    model.register_forward_hook(lambda *_: seen.append(1))
    before, pixels = fingerprint(model), images.numpy().tobytes()
    count = len(seen)
    states = [str(vars(module)) for module in model.modules()]
    scores(model, images, labels)
    assert len(seen) > count
    assert fingerprint(model) == before
    assert [str(vars(module)) for module in model.modules()] == states
    assert images.numpy().tobytes() == pixels and not images.requires_grad


def test_a_network_made_in_inference_mode_is_scored_like_any_other() -> None:
    images, labels = batch()
    expected = scores(network("residual, with batch norm"), images, labels)
    with torch.inference_mode():
        model = network("residual, with batch norm")
        assert all(parameter.is_inference() for parameter in model.parameters())
        assert scores(model, images, labels) == expected


@pytest.fixture(scope="module")
def together() -> dict[str, float]:
    return scores(network("attention"), *batch(), seed=3)


def test_a_score_is_the_same_alone_and_among_others(name: str, together: dict[str, float]) -> None:
    model = network("attention")
    assert proxies.score(model, batch(), (name,), seed=3) == {name: together[name]}
    assert proxies.get(name)(model, batch(), seed=3) == together[name]


def test_frozen_and_half_precision_do_not_count() -> None:
    model, (images, labels) = network("residual, with batch norm"), batch()
    expected = scores(model, images, labels)
    assert scores(model.requires_grad_(False), images, labels) == expected
    rounded = scores(model.bfloat16(), images.bfloat16(), labels)
    assert rounded == scores(model.float(), images.bfloat16().float(), labels)


def test_parts_that_a_network_does_not_have() -> None:
    for name in TOKENS_ONLY:
        with pytest.raises(NotApplicableError, match=f"{name} reads"):
            proxies.score(network("without norms"), batch(), ("macs", name))


def test_what_cannot_be_scored_is_refused(name: str) -> None:
    model, (images, labels) = network("without norms"), batch()

    def refused(says: str, *given: Any) -> None:
        with pytest.raises(ProxyError, match=says):
            proxies.score(model, given, (name,))

    refused("at least one image", images[:0], labels[:0])
    refused("one device.*network on cpu, images on meta", images.to("meta"), labels.to("meta"))
    refused("one device", images, labels.to("meta"))
    refused("one for each of 4 images", images, labels[:2])
    refused("labels are integers", images, labels.float())
    refused("finite", images / 0, labels)
    refused("normalised", (images * 9).to(torch.uint8), labels)
    refused("pair of tensors", images, [0, 1, 2, 3])
    refused("pair of images and labels", images)
    refused("does not run on images of shape", images[:, :2], labels)


def test_grey_images_are_refused_by_networks_of_colour(name: str) -> None:
    # Blocks of a space slice their weights to the channels that come: grey ones would pass.
    images, labels = batch()
    for kind in ("of a space", "residual, with batch norm"):
        with pytest.raises(ProxyError, match=r"does not run on images of shape .*, 1, 8, 8\]"):
            proxies.score(network(kind), (images[:, :1], labels), (name,))


def test_names_that_are_none_are_refused() -> None:
    with pytest.raises(ProxyError, match="did you mean 'naswot'"):
        proxies.score(network("linear"), batch(), ("nasswot",))
    assert proxies.score(network("linear"), batch(), ()) == {}


def test_proxies_of_the_loss_want_classes_for_the_labels() -> None:
    model, (images, labels) = network("linear"), batch()
    with pytest.raises(ProxyError, match="labels are 0 to 4"):
        proxies.score(model, (images, labels + CLASSES), ("snip",))
    maps = nn.Conv2d(3, 8, 3)
    with pytest.raises(ProxyError, match=r"logits \[4, classes\]"):
        proxies.score(maps, (images, labels), ("snip",))
    assert proxies.score(maps, (images, labels), ("synflow",))["synflow"] > 0


class Counting(nn.Module):
    """Counts how many images run through it, whatever copy of it."""

    images = 0

    def __init__(self) -> None:
        super().__init__()
        self.inner = plain()

    def forward(self, x: Tensor) -> Tensor:
        Counting.images += len(x)
        return self.inner(x)


def test_one_pass_serves_all_that_share_it() -> None:
    def counted(*names: str) -> int:
        Counting.images = 0
        proxies.score(Counting(), batch(), names)
        return Counting.images

    assert counted("naswot", "swap", "macs", "layers", "meco", "az_expressivity") == 4
    assert counted("snip", "grad_norm", "fisher", "plain", "naswot") == 8
    assert counted("zico", "gradsign") == 8  # All for the norms' statistics, then one by one.
    assert counted("synflow") == 1
