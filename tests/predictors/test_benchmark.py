"""The default on accuracies that somebody else measured: NAS-Bench-Macro."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

import predictors
from predictors import ranks
from search_spaces import Net, Space, layer, path
from search_spaces.specs import Classifier, Conv, MBConv

LAYERS = ((64, 2), (64, 1), (128, 2), (128, 1), (128, 1), (256, 2), (256, 1), (256, 1))


def macro() -> Space:
    net = Net(image=(3, 32))
    net("stem", Conv, out=32)
    for i, (out, stride) in enumerate(LAYERS):
        thin = layer(MBConv, out=out, kernel=3, expand=3, stride=stride, act="relu6")
        wide = layer(MBConv, out=out, kernel=5, expand=6, stride=stride, act="relu6")
        identity = layer(Conv, out=out, kernel=1, stride=stride, act="none")
        net(f"l{i}", path(identity=identity if stride > 1 else None, thin=thin, wide=wide))
    net("head", Conv, out=1280, kernel=1)
    net("classifier", Classifier, classes=10)
    return Space(net, "nas-bench-macro")


def test_a_hundred_networks_say_how_the_other_6461_rank(shared_data: Path) -> None:
    path = shared_data / "nas-bench-macro_cifar10.json"
    networks = json.loads(path.read_text(encoding="utf-8"))
    rows = np.array([[int(option) for option in key] for key in networks])
    accuracy = np.array([network["mean_acc"] for network in networks.values()])
    space = macro()
    np.testing.assert_array_equal(
        space.macs(rows), [network["flops"] for network in networks.values()]
    )
    np.testing.assert_array_equal(
        space.parameters(rows), [network["params"] for network in networks.values()]
    )
    order = np.random.default_rng(0).permutation(len(rows))
    fitted, others = order[:100], order[100:]
    predictor = predictors.get("auto", space).fit(rows[fitted], accuracy[fitted])
    mean, std = predictor.predict(rows[others], return_std=True)
    assert ranks.kendall(mean, accuracy[others]) > 0.88
    assert 0.82 < ranks.coverage(mean, std, accuracy[others]) < 0.97
    assert ranks.regret(mean, accuracy[others], 10) < 0.3
