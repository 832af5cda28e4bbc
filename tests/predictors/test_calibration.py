"""Intervals as wide as held-out labels ask for, once there are enough of them."""

from __future__ import annotations

import numpy as np
import pytest

from predictors.calibration import PRIOR, stretch

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("true", [0.3, 1.0, 4.0])
def test_many_labels_decide(true: float) -> None:
    away = true * np.abs(RNG.normal(size=20_000))
    assert stretch(away) == pytest.approx(true, rel=0.03)
    # Whatever their distribution: nine of ten are within.
    heavy = true * np.abs(RNG.standard_t(2, size=20_000))
    assert np.mean(heavy <= 1.6449 * stretch(heavy)) == pytest.approx(0.9, abs=0.003)


def test_few_labels_move_it_a_little() -> None:
    assert stretch(np.zeros(2)) == pytest.approx(1, abs=0.1)
    # Five that are as far away as none should be: more than a tenth of all.
    assert 1.2 < stretch(np.full(5, 4.0)) < 4.0 / 1.6
    assert stretch(np.full(PRIOR, 1e-9)) < 1
