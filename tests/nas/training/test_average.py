"""The moving average against the sum that it stands for."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from nas.training.average import moving_average


@pytest.mark.parametrize("decay", [0.5, 0.99])
def test_it_is_the_weighted_sum_of_all_weights_that_there_were(decay: float) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    average = moving_average(network, decay)
    history = [network[0].weight.detach().clone()]
    means = [network[1].running_mean.clone()]
    for _ in range(30):
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.add_(torch.randn_like(parameter))
        network(torch.randn(8, 3, 5, 5))
        average.update_parameters(network)
        history.append(network[0].weight.detach().clone())
        means.append(network[1].running_mean.clone())
    # The first update takes the weights as they are.
    for found, seen in (
        (average.module[0].weight, history[1:]),
        (average.module[1].running_mean, means[1:]),
    ):
        expected = seen[0]
        for t, weight in enumerate(seen[1:], start=1):
            d = min(decay, (1 + t) / (10 + t))
            expected = d * expected + (1 - d) * weight
        torch.testing.assert_close(found, expected)
    assert int(average.module[1].num_batches_tracked) == 30
    assert not torch.equal(average.module[0].weight, network[0].weight)


def test_it_goes_on_from_its_state() -> None:
    network = nn.Linear(4, 2)
    whole = moving_average(network, 0.9)
    weights = [torch.randn(2, 4) for _ in range(10)]
    cut = moving_average(network, 0.9)
    for number, weight in enumerate(weights):
        network.weight.data.copy_(weight)
        whole.update_parameters(network)
        if number == 5:
            state = cut.state_dict()
            cut = moving_average(nn.Linear(4, 2), 0.9)
            cut.load_state_dict(state)
        cut.update_parameters(network)
    assert torch.equal(whole.module.weight, cut.module.weight)
