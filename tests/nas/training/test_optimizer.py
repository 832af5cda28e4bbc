from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

from nas.config import Config, DataConfig, Phase, SpaceConfig, TrainConfig
from nas.dataset import open_dataset
from nas.header import space_of
from nas.jobs.train import train_run
from nas.run import Run
from nas.training.muon import orthogonal
from nas.training.optimizers import make_optimizer
from nas.training.trainer import Progress
from nas.weights import load_supernet
from search_spaces.errors import ConfigError


class Small(nn.Module):
    """A weight that decays; a bias and a transform that do not."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(2, 1)
        self.transform = nn.Parameter(torch.eye(2))


def stepped(config: TrainConfig, gradients: list[float]) -> tuple[Small, dict[str, torch.Tensor]]:
    """After steps in which every parameter has the same gradient; and what it was before."""
    torch.manual_seed(0)
    network = Small()
    before = {name: p.detach().clone() for name, p in network.named_parameters()}
    optimizer = make_optimizer(network, config)
    for gradient in gradients:
        for parameter in network.parameters():
            parameter.grad = torch.full_like(parameter, gradient)
        optimizer.step()
    return network, before


def test_sgd_is_nesterovs() -> None:
    config = TrainConfig(optimizer="sgd", learning_rate=0.5, weight_decay=0.01)
    network, before = stepped(config, [1.0, -2.0])
    for name, parameter in network.named_parameters():
        decay = 0.01 if name == "layer.weight" else 0.0
        # v <- 0.9 v + g, then the step looks ahead by 0.9 v (Sutskever et al. 2013).
        value, velocity = before[name].clone(), torch.zeros_like(before[name])
        for gradient in (1.0, -2.0):
            slope = gradient + decay * value
            velocity = 0.9 * velocity + slope
            value = value - 0.5 * (slope + 0.9 * velocity)
        torch.testing.assert_close(parameter.detach(), value)


def test_adamw_decays_apart_from_the_gradient() -> None:
    network, before = stepped(TrainConfig(learning_rate=0.1, weight_decay=0.5), [3.0])
    for name, parameter in network.named_parameters():
        shrunk = before[name] * (1 - 0.1 * 0.5 if name == "layer.weight" else 1)
        torch.testing.assert_close(parameter.detach(), shrunk - 0.1, atol=1e-6, rtol=0)


def convolutions() -> nn.Sequential:
    """A stem, a convolution, a depthwise one with a norm, one to fewer channels, a classifier."""
    return nn.Sequential(
        nn.Conv2d(3, 8, 3),
        nn.Conv2d(8, 24, 3),
        nn.Conv2d(24, 24, 3, groups=24, bias=False),
        nn.BatchNorm2d(24),
        nn.Conv2d(24, 8, 1),
        nn.Flatten(),
        nn.Linear(8, 4),
    ).double()


def polynomial(weights: np.ndarray) -> np.ndarray:
    """Muon's iteration on singular values alone; by singular value decomposition."""
    matrix = weights.reshape(len(weights), -1)
    left, values, right = np.linalg.svd(matrix, full_matrices=False)
    values = values / np.sqrt((matrix**2).sum())
    for _ in range(5):
        values = 3.4445 * values - 4.7750 * values**3 + 2.0315 * values**5
    scale = max(1, matrix.shape[0] / matrix.shape[1]) ** 0.5
    return (scale * (left * values) @ right).reshape(weights.shape)


@pytest.mark.parametrize("shape", [(12, 40, 3, 3), (40, 12, 1, 1), (24, 24, 1, 1)])
@pytest.mark.parametrize("rank", [1, 5])
def test_momentum_of_low_rank_is_not_blown_up(shape: tuple[int, ...], rank: int) -> None:
    """As after steps of a small subnet, which leave most of a convolution without gradients."""
    rng = np.random.default_rng(rank)
    inputs = int(np.prod(shape[1:]))
    weights = rng.normal(size=(shape[0], rank)) @ rng.normal(size=(rank, inputs))
    weights[shape[0] // 2 :] = 0
    weights = weights.reshape(shape)
    found = orthogonal(torch.from_numpy(weights).float()).numpy()
    assert found == pytest.approx(polynomial(weights), abs=2e-4)


@pytest.mark.parametrize("shape", [(48, 48, 3, 3), (24, 24, 1, 1)])
def test_momentum_whose_directions_fade_is_rounded_a_little(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    inputs = int(np.prod(shape[1:]))
    left, _, right = np.linalg.svd(rng.normal(size=(shape[0], inputs)), full_matrices=False)
    weights = ((left / np.arange(1, shape[0] + 1) ** 2) @ right).reshape(shape)
    found = orthogonal(torch.from_numpy(weights).float()).numpy()
    assert found == pytest.approx(polynomial(weights), abs=2e-3)


@pytest.mark.parametrize("channels_last", [False, True])
def test_muon_makes_the_momentum_of_convolutions_orthogonal(channels_last: bool) -> None:
    config = TrainConfig(optimizer="muon", learning_rate=0.5, weight_decay=0.3)
    torch.manual_seed(0)
    network = convolutions()
    if channels_last:
        network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    values = {name: p.detach().numpy().copy() for name, p in network.named_parameters()}
    optimizer, velocities = make_optimizer(network, config), {k: 0 * v for k, v in values.items()}
    for _ in range(2):
        for name, parameter in network.named_parameters():
            parameter.grad = torch.randn_like(parameter)
            gradient = parameter.grad.numpy().copy()
            if name in ("1.weight", "4.weight"):
                velocities[name] = 0.9 * velocities[name] + gradient
                step = polynomial(gradient + 0.9 * velocities[name])
                values[name] = values[name] * (1 - 0.1 * 0.3) - 0.1 * step
                continue
            if name in ("0.weight", "2.weight", "6.weight"):
                gradient = gradient + 0.0005 * values[name]
            velocities[name] = 0.9 * velocities[name] + gradient
            values[name] = values[name] - 0.5 * (gradient + 0.9 * velocities[name])
        optimizer.step()
    for name, parameter in network.named_parameters():
        np.testing.assert_allclose(parameter.detach().numpy(), values[name], rtol=1e-6, atol=1e-6)


def test_muon_leaves_still_what_has_no_gradient() -> None:
    network = convolutions()
    before = {name: p.detach().clone() for name, p in network.named_parameters()}
    optimizer = make_optimizer(network, TrainConfig(optimizer="muon", weight_decay=0.0))
    weight = network.get_parameter("1.weight")
    weight.grad = torch.zeros_like(weight)
    optimizer.step()
    assert all(torch.equal(p, before[name]) for name, p in network.named_parameters())


def test_each_has_its_usual_values() -> None:
    assert (TrainConfig().highest_rate, TrainConfig().decay) == (0.004, 0.05)
    sgd = TrainConfig(optimizer="sgd")
    assert (sgd.highest_rate, sgd.decay) == (0.1, 0.0005)
    muon = TrainConfig(optimizer="muon")
    assert (muon.highest_rate, muon.decay) == (0.1, 0.01)
    assert TrainConfig(weight_decay=0.0).decay == 0.0
    with pytest.raises(ConfigError, match="optimizer"):
        Config.from_yaml("data: {path: x}\ntrain: {optimizer: lion}")


@pytest.mark.parametrize("optimizer", ["sgd", "muon"])
def test_momentum_is_resumed(tmp_path: Path, optimizer: Literal["sgd", "muon"]) -> None:
    digits = load_digits()
    images = tmp_path / "digits.npz"
    np.savez(images, images=(digits.images[:120] * 15).astype(np.uint8), labels=digits.target[:120])
    phases = (Phase("largest", 2), Phase("kernel", 1), Phase("depth", 1), Phase("width", 1))
    config = Config(
        data=DataConfig(path=str(images), size=8, shift=1, horizontal_flip=False),
        space=SpaceConfig(resolutions=(8,)),
        train=TrainConfig(
            batch_size=32, optimizer=optimizer, learning_rate=0.02, threads=1, phases=phases
        ),
    )
    dataset = open_dataset(config)

    def weights(run: Run) -> dict[str, torch.Tensor]:
        space = space_of(config, len(dataset.classes))
        return load_supernet(run.supernet, space).supernet.state_dict()

    whole = Run.create(tmp_path / "whole", config, resume=False)
    train_run(whole, config, dataset, lambda progress: None)

    def stop(progress: Progress) -> None:
        if progress.epoch == 1 and progress.step == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_run(Run.create(tmp_path / "cut", config, resume=False), config, dataset, stop)
    cut = Run.create(tmp_path / "cut", config, resume=True)
    train_run(cut, config, dataset, lambda progress: None)
    resumed, straight = weights(cut), weights(whole)
    assert all(torch.equal(resumed[name], straight[name]) for name in straight)
    other = replace(config, train=replace(config.train, optimizer="adamw"))
    with pytest.raises(ConfigError, match="optimizer"):
        Run.create(tmp_path / "cut", other, resume=True)
