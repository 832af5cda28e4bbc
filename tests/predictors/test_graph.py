"""The graph network: many plans at once say what one says, walked node by node."""

from __future__ import annotations

import subprocess
import sys

import networkx as nx
import numpy as np
import pytest
import torch

import predictors
import search_spaces
from predictors import graph
from predictors.nodes import node_features
from search_spaces import Net, Space, choice, layer, one_of, path
from search_spaces.specs import Add, Classifier, Conv


def branching() -> Space:
    """Two branches that meet, one of which may be absent, and a layer that may be none."""
    net = Net(image=(3, 8))
    net("stem", Conv, out=8, stride=2)
    depth = choice("depth", 0, 1, 2)
    net("left.0", Conv, out=8, kernel=one_of(1, 3), when=depth > 0)
    net("left.1", Conv, out=8, kernel=one_of(1, 3), when=depth > 1)
    one = layer(Conv, out=8, kernel=one_of(3, 5))
    net("right", path(none=None, one=one), inputs=("stem",))
    net("sum", Add, inputs=("left.1", "right"))
    net("classifier", Classifier, classes=2)
    return Space(net, "branching")


@pytest.mark.parametrize("space", [branching(), search_spaces.get("small-images")])
def test_a_population_is_its_plans_one_by_one(space: Space) -> None:
    rng = np.random.default_rng(0)
    rows = space.sample(12, rng)
    nodes = node_features(space)
    weights = graph._start(2, nodes.shape[1], 3, rng)
    features = rng.normal(size=(12, 3))
    Z = np.concatenate([features, space.index(rows)], axis=1)
    found = graph._each(space, {**weights, "nodes": nodes}, Z)
    number = {spec: k for k, spec in enumerate(space.specs)}
    for k, row in enumerate(rows):
        plan = space.lower_row(row)
        network = plan.graph()
        for model in range(2):
            own = {name: array[model].astype(np.float64) for name, array in weights.items()}
            state: dict[int, np.ndarray] = {-1: np.zeros(graph.HIDDEN)}
            for node in nx.topological_sort(network):
                inputs = [state[i] for i in plan.nodes[node].inputs]
                taken = np.mean(inputs, axis=0)
                at = nodes[number[network.nodes[node]["spec"]]] @ own["node"] + own["bias"][0]
                state[node] = taken + np.maximum(at + taken @ own["edge"], 0)
            inner = state[plan.outputs[0]] @ own["state"] + features[k] @ own["features"]
            expected = np.maximum(inner + own["inner"][0], 0) @ own["outer"]
            assert found[model, k] == pytest.approx(expected.item(), rel=1e-3, abs=1e-3)


def test_nodes_are_told_apart_by_what_they_are() -> None:
    space = branching()
    nodes = node_features(space)
    assert len(np.unique(nodes.round(9), axis=0)) == len(space.specs)
    np.testing.assert_allclose(nodes.mean(0), 0, atol=1e-9)
    np.testing.assert_allclose(nodes.std(0), 1)


def test_what_torch_was_told_stays() -> None:
    space = branching()
    rows = space.sample(10, np.random.default_rng(0))
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    predictors.get("graph", space).fit(rows, space.macs(rows)).predict(rows)
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), state)


def test_others_do_without_torch() -> None:
    code = (
        "import sys, numpy, predictors, search_spaces\n"
        "space = search_spaces.get('small-images')\n"
        "rows = space.sample(12, numpy.random.default_rng(0))\n"
        "predictors.get('gp', space).fit(rows, space.macs(rows)).predict(rows)\n"
        "predictors.get('graph', space)\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
