"""The default on accuracies that somebody else measured: NAS-Bench-Macro."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

import predictors
import search_spaces
from predictors import ranks
from search_spaces.nas_bench_macro import rows_of


def test_a_hundred_networks_say_how_the_other_6461_rank(shared_data: Path) -> None:
    path = shared_data / "nas-bench-macro_cifar10.json"
    networks = json.loads(path.read_text(encoding="utf-8"))
    rows = rows_of(networks)
    accuracy = np.array([network["mean_acc"] for network in networks.values()])
    space = search_spaces.get("nas-bench-macro")
    order = np.random.default_rng(0).permutation(len(rows))
    fitted, others = order[:100], order[100:]
    predictor = predictors.get("auto", space).fit(rows[fitted], accuracy[fitted])
    mean, std = predictor.predict(rows[others], return_std=True)
    assert ranks.kendall(mean, accuracy[others]) > 0.88
    assert 0.82 < ranks.coverage(mean, std, accuracy[others]) < 0.97
    assert ranks.regret(mean, accuracy[others], 10) < 0.3
