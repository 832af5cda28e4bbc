"""A network as a space of its own: the same network, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import search_spaces
from search_spaces.alone import alone

OPTIONS: dict[str, dict[str, object]] = {
    "small-images": {},
    "ofa-mobilenetv3": {"resolutions": (32,), "num_classes": 5, "width": 0.25},
    "nas-bench-macro": {},
}


@pytest.mark.parametrize("name", OPTIONS)
def test_it_is_the_network_and_no_other(name: str) -> None:
    space = search_spaces.get(name, **OPTIONS[name])
    for row in space.sample(3, np.random.default_rng(0)):
        plan = space.lower_row(row)
        single = alone(plan, "one")
        assert single.size == 1
        assert single.digest(single.decode(single.largest)) == space.digest(space.decode(row))
        assert single.macs(single.largest)[0] == plan.macs
        assert single.parameters(single.largest)[0] == plan.params
        network, subnet = single.supernet().eval(), space.supernet().extract(space.decode(row))
        subnet.eval()
        assert sum(p.numel() for p in network.parameters()) == plan.params
        network.load_state_dict(subnet.state_dict())
        x = torch.randn(2, *plan.image.shape)
        with torch.no_grad():
            assert torch.equal(network(x, single.decode(single.largest)), subnet(x))
