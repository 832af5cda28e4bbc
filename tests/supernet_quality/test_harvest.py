"""What a search finds in a supernet, against all networks of a small space."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from search_spaces import Architecture, Space
from search_spaces.space import Population
from tests.latency_lut.synthetic import every_row

Script = Callable[[str], ModuleType]


def worth(space: Space, rows: Population) -> np.ndarray:
    """More for every option above the first; image sizes are for nothing."""
    helps = np.linspace(0.5, 2.0, len(space.choices))
    helps[[choice.name == "resolution" for choice in space.choices]] = 0
    return np.asarray(60.0 + np.where(space.used(rows), rows, 0) @ helps)


@pytest.fixture
def harvest(script: Script, space: Space, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Of a supernet whose subnets are ``worth`` so much, a settled one 5 more; on test images all
    of them half of it. ``asked`` are the networks that were measured on held-out ones."""

    def run(settled: Population) -> tuple[dict[str, list[float]], Population]:
        asked: list[Population] = []

        def accuracy(one: Architecture, x: torch.Tensor, labels: torch.Tensor) -> float:
            row = space.encode(one)
            found = float(worth(space, row[None])[0]) + 5 * (row == settled).all(axis=1).any()
            if len(x) == 2:
                return found / 2
            asked.append(row)
            return found

        module = script("harvest")
        monkeypatch.setattr(module, "Evaluator", lambda *_: SimpleNamespace(accuracy=accuracy))
        monkeypatch.setattr(module, "as_tensors", lambda of: of)
        some = SimpleNamespace(val=[0] * 3, val_labels=[], normalisation=None, calibration=None)
        splits = SimpleNamespace(test=lambda: ([0] * 2, []))
        learned = SimpleNamespace(supernet=None, settled=settled)
        found = module.harvest(space, learned, SimpleNamespace(images=some, splits=splits))
        return found, np.array(asked)

    return run


def test_it_finds_the_best_within_every_limit(
    script: Script, space: Space, harvest: Callable[..., Any]
) -> None:
    found, asked = harvest(space.smallest[None][:0])
    everything = every_row(space)
    macs, accuracy = space.macs(everything), worth(space, everything)
    limits = script("harvest").limits_of(space)
    assert len(limits) == len(found["val"]) == len(found["test"]) == 8
    assert limits[[0, -1]] == pytest.approx(space.macs(np.stack([space.smallest, space.largest])))
    assert np.diff(np.log(limits)) == pytest.approx([np.log(limits[-1] / limits[0]) / 7] * 7)
    best = [accuracy[macs <= limit].max() for limit in limits]
    assert (np.array(found["val"]) <= best).all()
    # The predictor's front is not quite the true one.
    assert np.mean(np.array(best) - found["val"]) < 0.03 * np.ptp(accuracy)
    assert found["test"] == pytest.approx([one / 2 for one in found["val"]], abs=1e-3)
    assert len(np.unique(asked, axis=0)) == len(asked) < 70, "nothing is measured twice"


def test_what_a_training_settled_on_is_found(
    space: Space, harvest: Callable[..., Any], script: Script
) -> None:
    everything = every_row(space)
    limits = script("harvest").limits_of(space)
    macs, accuracy = space.macs(everything), worth(space, everything)
    within = (macs <= limits[4]) & (macs > limits[3])
    one = everything[within][accuracy[within].argmax()]
    plain, _ = harvest(one[None][:0])
    found, asked = harvest(one[None])
    assert (asked == one).all(axis=1).sum() == 1
    assert found["val"][:4] == plain["val"][:4]
    assert found["val"][4] == pytest.approx(accuracy[within].max() + 5, abs=1e-3)


def test_the_largest_within_every_limit(script: Script) -> None:
    macs = np.array([5.0, 1.0, 3.0, 2.0, 4.0])
    assert script("harvest").below(macs, np.array([0.5, 3.0, 4.5]), 2) == [2, 3, 4]
    assert script("harvest").below(macs, np.array([1.0]), 2) == [1]
