"""How likely networks are to be evaluated, from those that were and those that failed."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from sklearn.gaussian_process import GaussianProcessClassifier
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, DotProduct

import search_spaces
from nas.search.surrogate.answers import DEVIATION, TRENDS, Answers, Chance, _Features, _Smooth
from predictors.features import Encoder

SPACE = search_spaces.get("small-images", resolutions=(8, 12), num_classes=10)
ENCODER = Encoder(SPACE)
ROWS = SPACE.sample(600, np.random.default_rng(0))
NOBODY = ROWS[:0]


def of_one_choice(rows: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    return np.asarray(rows[:, 0] == 0)


def of_size(rows: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    return np.asarray(SPACE.parameters(rows) > 150e3)


@pytest.mark.parametrize(("fails", "right"), [(of_one_choice, 1.0), (of_size, 0.8)])
def test_what_fails_is_told_from_what_does_not(fails: object, right: float) -> None:
    assert callable(fails)
    bad = fails(ROWS)
    chance = Chance(ENCODER, ROWS[:40][~bad[:40]], ROWS[:40][bad[:40]])(ROWS[40:])
    assert ((chance > 0) & (chance < 1)).all()
    assert ((chance < 0.5) == bad[40:]).mean() >= right


def test_an_option_that_is_not_read_is_not_the_first_one() -> None:
    """A layer that only deep networks have fails with its first option."""
    place = [choice.name for choice in SPACE.choices].index("s3.2.expand")
    read = SPACE.used(ROWS)[:, place]
    bad = read & (ROWS[:, place] == 0)
    assert 0.2 < read.mean() < 0.8
    chance = Chance(ENCODER, ROWS[:60][~bad[:60]], ROWS[:60][bad[:60]])(ROWS[60:])
    assert ((chance < 0.5) == bad[60:]).all()


@pytest.mark.parametrize("seed", range(3))
def test_the_smooth_kind_is_the_classification_of_scikit_learn(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = SPACE.sample(40, rng)
    good = [rng.random(40) < 0.3, ~of_size(rows), ~of_one_choice(rows)][seed]
    inputs, others = (_Features(ENCODER)(some) for some in (rows, ROWS[:100]))
    width = inputs.shape[1]
    theirs = [
        GaussianProcessClassifier(
            ConstantKernel(trend / width) * DotProduct(1.0)
            + ConstantKernel(DEVIATION) * RBF(width**0.5),
            optimizer=None,
        ).fit(inputs, good)
        for trend in TRENDS
    ]
    evidence = [one.log_marginal_likelihood_value_ for one in theirs]
    best = int(np.argmax(evidence))
    ours = _Smooth.fit(ENCODER, rows, good)
    assert ours.kernel.trend == TRENDS[best] / width
    assert ours.evidence == pytest.approx(evidence[best], abs=1e-5)
    # How the logistic function is averaged differs between the two, in the second digit.
    chance = theirs[best].predict_proba(others)[:, 1]
    np.testing.assert_allclose(ours(ROWS[:100]), chance, atol=0.02)


def test_where_all_have_failed_what_is_unlike_them_is_likelier() -> None:
    failed = ROWS[of_one_choice(ROWS)][:8]
    others = ROWS[100:]
    chance = Chance(ENCODER, NOBODY, failed)(others)
    alike = of_one_choice(others)
    assert chance[alike].mean() < 0.8 * chance[~alike].mean()


def test_many_failures_are_learned_from_in_part() -> None:
    rows = SPACE.sample(1500, np.random.default_rng(1))
    bad = of_size(rows)
    chance = Chance(ENCODER, rows[~bad][:100], rows[bad])(ROWS)
    assert np.isfinite(chance).all()
    assert chance[of_size(ROWS)].mean() < 0.5 * chance[~of_size(ROWS)].mean()


def test_who_did_not_answer_has_failed_once_others_did() -> None:
    answers = Answers(SPACE)
    rows = np.unique(ROWS, axis=0)
    answers.ask(rows[:5])
    assert not len(answers.failed)
    answers.tell(rows[[0, 3]])
    assert (answers.failed == rows[[1, 2, 4]]).all()
    answers.ask(rows[5:7])
    assert len(answers.failed) == 3
    # One of the first answers late.
    answers.tell(rows[[5, 6, 2]])
    assert (answers.failed == rows[[1, 4]]).all()
    answers.ask(rows[7:9])
    answers.tell(rows[:0])
    assert (answers.failed == rows[[1, 4, 7, 8]]).all()
