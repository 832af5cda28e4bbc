"""What every predictor promises. A new one is tested by being in the catalogue."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

import predictors
import search_spaces
from predictors import PredictorError, ranks
from search_spaces.errors import ArtefactError, SpaceError

SPACE = search_spaces.get("small-images")
CHOICES = len(SPACE.choices)
# What the limit of a prediction's time is multiplied by: a graph network walks every plan.
SLOWER = {"graph": 10}
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
    return predictors.get(name, SPACE).fit(*samples(200, 0))


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
    again = predictors.get(name, SPACE).fit(*samples(60, 9)).fit(*samples(200, 0))
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


@pytest.mark.parametrize("n", [2, 3, 5, 12])
def test_few_samples_are_enough_to_say_something(name: str, n: int) -> None:
    rows, labels = samples(n, 7)
    mean, std = predictors.get(name, SPACE).fit(rows, labels).predict(rows, return_std=True)
    assert np.isfinite(mean).all()
    assert np.isfinite(std).all()
    assert abs(mean - labels.mean()).max() < 10 * np.ptp(labels)


def test_constant_labels_are_fitted_as_a_constant(name: str, tmp_path: Path) -> None:
    rows, _ = samples(20, 8)
    labels = np.full(20, 71.5)
    labels[3] += 1e-14
    constant = predictors.get(name, SPACE).fit(rows, labels)
    constant.save(tmp_path / "constant.npz")
    for predictor in (constant, predictors.load(tmp_path / "constant.npz", SPACE)):
        mean, std = predictor.predict(rows, return_std=True)
        np.testing.assert_array_equal(mean, 71.5)
        np.testing.assert_array_equal(std, 0)


def test_one_network_measured_again_and_again(name: str) -> None:
    rows = np.repeat(SPACE.smallest[None], 20, axis=0)
    labels = 70 + np.random.default_rng(0).normal(size=20)
    mean, std = predictors.get(name, SPACE).fit(rows, labels).predict(rows[:1], return_std=True)
    assert mean[0] == pytest.approx(labels.mean(), abs=1)
    assert 0.3 < std[0] < 3


def test_labels_of_any_scale(name: str) -> None:
    rows, labels = samples(80, 10)
    new, _ = samples(50, 11)
    plain = predictors.get(name, SPACE).fit(rows, labels).predict(new)
    tiny = predictors.get(name, SPACE).fit(rows, labels * 1e-6).predict(new)
    np.testing.assert_allclose(tiny, plain * 1e-6, rtol=1e-3)


@pytest.mark.parametrize(
    ("rows", "labels", "says"),
    [
        (np.zeros((1, CHOICES), dtype=np.int64), [1.0], "at least two samples"),
        (np.zeros((3, CHOICES), dtype=np.int64), [1.0, 2.0], "one label for each of 3 rows"),
        (np.zeros((2, CHOICES), dtype=np.int64), [1.0, np.nan], "label 1 is nan"),
        (np.zeros((2, CHOICES), dtype=np.int64), [np.inf, 1.0], "label 0 is inf"),
        (np.zeros((2, CHOICES - 1), dtype=np.int64), [1.0, 2.0], f"{CHOICES} columns"),
        (np.zeros((2, CHOICES)), [1.0, 2.0], "integers"),
    ],
)
def test_samples_that_are_none_are_refused(
    name: str, rows: Rows, labels: list[float], says: str
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
    assert predictor.samples != predictors.get(name, SPACE).fit(rows[known], labels[known]).samples
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
    ):
        with pytest.raises(PredictorError, match=says):
            again.predict(rows[new], proxies=wrong)


def test_proxies_that_were_not_there_at_fit_are_refused(fitted: predictors.Predictor) -> None:
    with pytest.raises(PredictorError, match="those of fit: none; got 'zen'"):
        fitted.predict(SPACE.smallest, proxies={"zen": [1.0]})


def test_a_network_that_is_there_twice_is_not_held_out_from_itself(name: str) -> None:
    # Labels are noise: whoever holds a network's twin out has to see that nothing is known.
    rows, _ = samples(30, 17)
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


def test_fast_enough_for_a_search(fitted: predictors.Predictor, name: str) -> None:
    # Five times what is promised on a free core: 5 s to fit 400, 1 s to predict 100,000.
    rows, labels = samples(400, 12)
    start = time.process_time()
    predictors.get(name, SPACE).fit(rows, labels)
    assert time.process_time() - start < 25
    rows = SPACE.sample(20_000, np.random.default_rng(13))
    start = time.process_time()
    fitted.predict(rows)
    assert time.process_time() - start < SLOWER.get(name, 1)
