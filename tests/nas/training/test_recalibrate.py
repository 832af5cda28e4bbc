"""Batch-norm statistics against their definition."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import nn

import search_spaces
from nas.training.recalibrate import recalibrate


def network() -> nn.Sequential:
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 2, 1), nn.BatchNorm2d(2)
    )
    with torch.no_grad():
        for norm in (net[1], net[4]):
            norm.weight.uniform_(0.5, 2)
            norm.bias.uniform_(-1, 1)
            norm.running_mean.fill_(7)
            norm.running_var.fill_(9)
    return net


def batches() -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(n, 3, 5, 5, generator=generator) * n for n in (4, 2, 6)]


def test_statistics_are_the_mean_over_batches() -> None:
    net = network()
    recalibrate(net, batches())
    means, variances = [], []
    for images in batches():
        y = np.einsum("oi,nihw->nohw", net[0].weight[:, :, 0, 0].detach(), images)
        y += net[0].bias.detach().numpy()[:, None, None]
        means.append(y.mean(axis=(0, 2, 3)))
        variances.append(y.var(axis=(0, 2, 3), ddof=1))
    np.testing.assert_allclose(net[1].running_mean, np.mean(means, axis=0), rtol=1e-5)
    np.testing.assert_allclose(net[1].running_var, np.mean(variances, axis=0), rtol=1e-5)


def test_later_norms_see_what_training_would_show_them() -> None:
    net = network()
    recalibrate(net, batches())
    means = []
    for images in batches():
        y = net[0](images)
        spread = y.var((0, 2, 3), unbiased=False, keepdim=True)
        y = (y - y.mean((0, 2, 3), keepdim=True)) / (spread + net[1].eps).sqrt()
        y = y * net[1].weight[:, None, None] + net[1].bias[:, None, None]
        means.append(net[3](y.relu()).mean((0, 2, 3)).detach())
    torch.testing.assert_close(net[4].running_mean, torch.stack(means).mean(0))


def test_only_statistics_change() -> None:
    net = network()
    before = {name: tensor.clone() for name, tensor in net.named_parameters()}
    recalibrate(net, batches())
    assert all(torch.equal(before[name], tensor) for name, tensor in net.named_parameters())
    assert all(parameter.grad is None for parameter in net.parameters())


def test_doing_it_again_changes_nothing() -> None:
    net = network()
    recalibrate(net, batches())
    once = net[1].running_mean.clone(), net[4].running_var.clone()
    recalibrate(net, batches())
    assert torch.equal(once[0], net[1].running_mean) and torch.equal(once[1], net[4].running_var)


@pytest.mark.parametrize("fail", [False, True])
def test_modes_and_momenta_are_restored(fail: bool) -> None:
    net = network().train()
    net[1].eval()
    net[4].momentum = 0.3

    def images() -> Iterator[torch.Tensor]:
        yield from batches()
        if fail:
            raise OSError

    try:
        recalibrate(net, images())
    except OSError:
        assert fail
    assert [module.training for module in net] == [True, False, True, True, True]
    assert (net[1].momentum, net[4].momentum) == (0.1, 0.3)


def test_dropout_stays_off() -> None:
    net = nn.Sequential(nn.Dropout(0.5), nn.BatchNorm2d(3)).train()
    images = torch.ones(2, 3, 4, 4)
    recalibrate(net, [images])
    assert torch.equal(net[1].running_mean, torch.ones(3))


def test_without_images_there_is_nothing_to_measure() -> None:
    with pytest.raises(ValueError, match="at least one batch"):
        recalibrate(network(), [])


def test_a_subnet_is_calibrated_without_touching_the_supernet() -> None:
    torch.manual_seed(2)
    space = search_spaces.get("small-images", resolutions=(8,))
    supernet = space.supernet()
    before = {name: tensor.clone() for name, tensor in supernet.state_dict().items()}
    subnet = supernet.extract(space.decode(space.smallest))
    recalibrate(subnet, [torch.randn(8, 3, 8, 8)])
    assert not torch.equal(
        subnet.state_dict()["blocks.stem.main.norm.running_var"],
        before["blocks.stem.main.norm.running_var"],
    )
    assert all(torch.equal(tensor, before[name]) for name, tensor in supernet.state_dict().items())
