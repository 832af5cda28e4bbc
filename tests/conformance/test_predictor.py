"""What every predictor promises. A new one is tested by being in the catalogue."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import numpy.typing as npt
import pytest

import predictors
import search_spaces
from predictors import PredictorError, ranks
from predictors.method import Held, Method
from search_spaces.errors import ArtefactError, SpaceError

SPACE = search_spaces.get("small-images")
CHOICES = len(SPACE.choices)
Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]


def accuracy(rows: Rows) -> Floats:
    """A made-up accuracy in percent: saturates in size, and decisions count as well."""
    size = np.log(SPACE.macs(rows)) + 0.5 * np.log(SPACE.parameters(rows))
    asked = rows * SPACE.used(rows)
    taste = asked @ np.random.default_rng(5).normal(size=rows.shape[1])
    return 92 - 40 * np.exp(-(size - 16) / 2) + 0.3 * np.tanh(taste) + 0.2 * asked[:, 0]


def samples(n: int, seed: int) -> tuple[Rows, Floats]:
    rng = np.random.default_rng(seed)
    rows = SPACE.sample(n, rng)
    return rows, accuracy(rows) + 0.2 * rng.normal(size=n)


@pytest.fixture(params=predictors.names(), scope="module")
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def fitted(name: str) -> predictors.Predictor:
    return predictors.get(name, SPACE).fit(*samples(150, 0))


def test_ranks_networks_that_it_has_not_seen(fitted: predictors.Predictor) -> None:
    rows, labels = samples(1000, 1)
    assert ranks.kendall(fitted.predict(rows), labels) > 0.75
    assert np.mean(np.abs(fitted.predict(rows) / labels - 1)) < 0.006


def test_its_intervals_hold_what_they_say(fitted: predictors.Predictor) -> None:
    rows, labels = samples(1000, 2)
    mean, std = fitted.predict(rows, return_std=True)
    assert mean.shape == std.shape == (1000,)
    assert (std > 0).all()
    np.testing.assert_array_equal(mean, fitted.predict(rows))
    assert 0.8 <= ranks.coverage(mean, std, labels, 0.9) <= 0.97


def test_one_row_is_predicted_as_among_many(fitted: predictors.Predictor) -> None:
    rows, _ = samples(30, 3)
    together = fitted.predict(rows, return_std=True)
    alone = [fitted.predict(row, return_std=True) for row in rows]
    np.testing.assert_allclose(together, np.array(alone)[:, :, 0].T, rtol=1e-4)
    assert fitted.predict(rows[:0]).shape == (0,)


def test_what_a_network_does_not_ask_is_not_seen(fitted: predictors.Predictor) -> None:
    rows, _ = samples(100, 4)
    other = np.where(SPACE.used(rows), rows, 1)
    assert (other != rows).any()
    np.testing.assert_array_equal(fitted.predict(other), fitted.predict(rows))


def test_fits_are_deterministic_and_replace_each_other(
    fitted: predictors.Predictor, name: str
) -> None:
    rows, _ = samples(50, 5)
    again = predictors.get(name, SPACE).fit(*samples(12, 9)).fit(*samples(150, 0))
    np.testing.assert_array_equal(again.predict(rows), fitted.predict(rows))
    assert again.samples == fitted.samples


def test_saved_without_pickles_and_the_same_after_loading(
    fitted: predictors.Predictor, tmp_path: Path
) -> None:
    path = tmp_path / "predictor.npz"
    fitted.save(path)
    with np.load(path, allow_pickle=False) as archive:
        assert all(archive[key].dtype.kind in "fiuU" for key in archive.files)
    loaded = predictors.load(path, search_spaces.get("small-images"))
    rows, _ = samples(100, 6)
    for before, after in zip(
        fitted.predict(rows, return_std=True), loaded.predict(rows, return_std=True), strict=True
    ):
        np.testing.assert_array_equal(before, after)
    assert (loaded.name, loaded.samples) == (fitted.name, fitted.samples)
    with pytest.raises(ArtefactError, match="fitted for space 'small-images'"):
        predictors.load(path, search_spaces.get("small-images", num_classes=3))


@pytest.mark.parametrize("n", [2, 5])
def test_few_samples_are_enough_to_say_something(name: str, n: int) -> None:
    rows, labels = samples(n, 7)
    mean, std = predictors.get(name, SPACE).fit(rows, labels).predict(rows, return_std=True)
    assert np.isfinite(mean).all()
    assert np.isfinite(std).all()
    assert abs(mean - labels.mean()).max() < 10 * np.ptp(labels)


def test_a_fit_that_fails_changes_nothing(
    name: str, fitted: predictors.Predictor, tmp_path: Path
) -> None:
    rows, labels = samples(12, 8)
    fitted.save(tmp_path / "predictor.npz")
    predictor = predictors.load(tmp_path / "predictor.npz", SPACE)
    before = predictor.predict(rows)
    with (
        mock.patch("predictors.calibration.stretch", side_effect=KeyboardInterrupt),
        pytest.raises(KeyboardInterrupt),
    ):
        predictor.fit(rows, labels, proxies={"p": labels})
    constant = np.full(12, 71.5)
    constant[3] += 1e-14
    with pytest.raises(PredictorError, match=r"labels .* differ; all 12 are 71.5: measure"):
        predictor.fit(rows, constant)
    assert (predictor.samples, predictor.proxies) == (fitted.samples, ())
    np.testing.assert_array_equal(predictor.predict(rows), before)


def test_one_network_measured_again_and_again(name: str) -> None:
    rows = np.repeat(SPACE.smallest[None], 20, axis=0)
    labels = 70 + np.random.default_rng(0).normal(size=20)
    mean, std = predictors.get(name, SPACE).fit(rows, labels).predict(rows[:1], return_std=True)
    assert mean[0] == pytest.approx(labels.mean(), abs=1)
    assert 0.3 < std[0] < 3


def test_labels_of_any_scale(name: str) -> None:
    rows, labels = samples(30, 10)
    new, _ = samples(50, 11)
    plain = predictors.get(name, SPACE).fit(rows, labels).predict(new)
    for scale in (1e-200, 1e200):
        other = predictors.get(name, SPACE).fit(rows, labels * scale).predict(new)
        np.testing.assert_allclose(other, plain * scale, rtol=1e-3)


@pytest.mark.parametrize(
    ("rows", "labels", "says"),
    [
        (np.zeros((1, CHOICES), dtype=np.int64), [1.0], "at least two samples"),
        (np.zeros((3, CHOICES), dtype=np.int64), [1.0, 2.0], "one label for each of 3 rows"),
        (np.zeros((2, CHOICES), dtype=np.int64), [1.0, np.nan], "label 1 is nan"),
        (np.zeros((2, CHOICES), dtype=np.int64), [np.inf, 1.0], "label 0 is inf"),
        (np.zeros((2, CHOICES), dtype=np.int64), [1e301, 1.0], r"1e\+300 at most; label 0"),
        (np.zeros((2, CHOICES), dtype=np.int64), ["a", "b"], "labels: numbers are needed"),
        (np.zeros((2, CHOICES), dtype=np.int64), [5.0, 5.0], "labels .* differ; all 2 are 5"),
        (np.zeros((2, CHOICES - 1), dtype=np.int64), [1.0, 2.0], f"{CHOICES} columns"),
        (np.zeros((2, CHOICES)), [1.0, 2.0], "integers"),
    ],
)
def test_samples_that_are_none_are_refused(
    name: str, rows: Rows, labels: list[Any], says: str
) -> None:
    predictor = predictors.get(name, SPACE)
    with pytest.raises((PredictorError, SpaceError), match=says):
        predictor.fit(rows, labels)
    with pytest.raises(PredictorError, match="not fitted"):
        predictor.predict(np.zeros((1, CHOICES), dtype=np.int64))


def test_proxies_are_used_and_asked_for_again(name: str, tmp_path: Path) -> None:
    # What no row tells: only the proxy can, whatever its scale.
    rows, labels = samples(120, 14)
    hidden = np.random.default_rng(15).normal(size=120)
    labels = labels + 3 * hidden
    proxies = {"random": np.random.default_rng(16).normal(size=120), "told": 1e6 * hidden}
    known, new = slice(0, 80), slice(80, 120)
    predictor = predictors.get(name, SPACE).fit(
        rows[known], labels[known], proxies={k: v[known] for k, v in proxies.items()}
    )
    assert predictor.proxies == ("random", "told")
    told = {k: proxies[k][new] for k in ("told", "random")}
    mean, std = predictor.predict(rows[new], return_std=True, proxies=told)
    assert ranks.kendall(mean, labels[new]) > 0.6
    others = {"random": proxies["random"][known], "told": proxies["told"][known] + 1}
    other = predictors.get("ridge", SPACE).fit(rows[known], labels[known], proxies=others)
    assert predictor.samples != other.samples
    predictor.save(tmp_path / "predictor.npz")
    again = predictors.load(tmp_path / "predictor.npz", SPACE)
    np.testing.assert_array_equal(
        again.predict(rows[new], return_std=True, proxies=told), (mean, std)
    )
    wild = {**told, "told": np.full(40, 1e300)}
    assert np.isfinite(again.predict(rows[new], proxies=wild)).all()
    for wrong, says in (
        (None, "'random', 'told'; got none"),
        ({"told": told["told"]}, "got 'told'"),
        ({**told, "other": told["told"]}, "got 'told', 'random', 'other'"),
        ({**told, "told": told["told"][:-1]}, r"each of 40 rows; got shape \(39,\)"),
        ({**told, "told": np.full(40, np.nan)}, "that of row 0 is nan"),
        ({**told, "told": ["a"] * 40}, "proxy 'told': numbers are needed"),
        (told["told"], "by name, .* got ndarray"),
    ):
        with pytest.raises(PredictorError, match=says):
            again.predict(rows[new], proxies=wrong)


@pytest.mark.parametrize("off", [1 / 3, 3.0])
def test_deviations_are_stretched_to_what_is_held_out(off: float) -> None:
    """A method that knows all but the noise, and is wrong about the noise by a factor."""
    rng = np.random.default_rng(20)
    method = Method(
        lambda Z, y, folds, rng: ({}, Held(np.zeros(len(y)), np.full(len(y), off))),
        lambda state, Z, std: (np.zeros(len(Z)), np.full(len(Z), off)),
    )
    covered = []
    for _ in range(20):
        rows = SPACE.sample(300, rng)
        labels = rng.normal(size=300)
        predictor = predictors.Predictor("ridge", method, SPACE).fit(rows[:200], labels[:200])
        mean, std = predictor.predict(rows[200:], return_std=True)
        covered.append(ranks.coverage(mean, std, labels[200:]))
    # Held-out labels outweigh what the method says of itself ten to one.
    assert np.mean(covered) == pytest.approx(0.9, abs=0.03)


def test_proxies_that_were_not_there_at_fit_are_refused(fitted: predictors.Predictor) -> None:
    with pytest.raises(PredictorError, match="those of fit: none; got 'zen'"):
        fitted.predict(SPACE.smallest, proxies={"zen": [1.0]})


def test_a_network_that_is_there_twice_is_not_held_out_from_itself(name: str) -> None:
    # Labels are noise: whoever holds a network's twin out has to see that nothing is known.
    rows, _ = samples(20, 17)
    rows = np.repeat(np.unique(rows, axis=0), 4, axis=0)
    noise = np.random.default_rng(18).normal(size=len(rows) // 4)
    predictor = predictors.get(name, SPACE).fit(rows, 70 + np.repeat(noise, 4))
    new, _ = samples(200, 19)
    _, std = predictor.predict(new, return_std=True)
    assert np.median(std) > 0.5


def test_rows_of_another_space_are_refused(fitted: predictors.Predictor) -> None:
    with pytest.raises(SpaceError, match=f"{CHOICES} columns"):
        fitted.predict(np.zeros((1, 5), dtype=np.int64))
    with pytest.raises(SpaceError, match="has options"):
        fitted.predict(np.full((1, CHOICES), 9))
