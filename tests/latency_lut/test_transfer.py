"""A new device from few measurements, on synthetic devices whose truth is known."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import pytest
from scipy import stats
from scipy.optimize import check_grad

from latency_lut.fit import predict
from latency_lut.transfer import Transfer, informative
from latency_lut.transfer.basis import components, extended, shapes
from latency_lut.transfer.learning import _evidence
from latency_lut.transfer.robust import solve
from search_spaces.errors import ConfigError

POSITIONS, OPERATORS = 6, 4
ARCH = np.array(list(itertools.product(range(OPERATORS), repeat=POSITIONS)))
FEATURES = (ARCH[:, :, None] == np.arange(OPERATORS)).reshape(len(ARCH), -1).astype(float)
LABELS = (np.tile(np.arange(OPERATORS), POSITIONS),)
SAMPLES = 10


@dataclass
class World:
    """Devices that mix three ways of spending time, with deviations of their own."""

    rng: np.random.Generator
    deviation: float = 0.05
    noise: float = 0.01

    def __post_init__(self) -> None:
        self.ways = self.rng.gamma(1.0, 1.0, (3, FEATURES.shape[1]))

    def device(self) -> tuple[np.ndarray, np.ndarray]:
        """Measured and true milliseconds: [networks] each."""
        parts = self.rng.dirichlet(np.ones(3)) @ self.ways
        parts = parts * np.exp(self.deviation * self.rng.normal(size=len(parts)))
        true = self.rng.uniform(1, 50) * (self.rng.uniform(0, 10) + FEATURES @ parts)
        return true * np.exp(self.noise * self.rng.normal(size=len(true))), true


def transfer_of(world: World, donors: int = 8) -> Transfer:
    known = np.array([world.device()[0] for _ in range(donors)])
    return Transfer(known, FEATURES, rng=np.random.default_rng(0), labels=LABELS)


def error(predicted: np.ndarray, true: np.ndarray) -> float:
    return float(np.abs(predicted / true - 1).mean())


def draw(rng: np.random.Generator, n: int = SAMPLES) -> np.ndarray:
    return rng.choice(len(ARCH), n, replace=False)


def test_ten_measurements_tell_a_device_that_resembles_the_donors() -> None:
    rng = np.random.default_rng(0)
    world = World(rng)
    transfer = transfer_of(world)
    every = np.arange(len(ARCH))
    errors, ranks, covered = [], [], []
    for _ in range(20):
        measured, true = world.device()
        rows = draw(rng)
        mean, std = transfer.fit(rows, measured[rows]).predict(every, return_std=True)
        errors.append(error(mean, true))
        ranks.append(stats.spearmanr(mean, true).statistic)
        covered.append(np.mean(np.abs(mean - measured) <= 1.645 * std))
    assert np.mean(errors) < 0.02 and np.mean(ranks) > 0.98
    assert 0.85 <= np.mean(covered) <= 0.97


def test_the_interval_narrows_with_the_number_of_measurements() -> None:
    world = World(np.random.default_rng(1), deviation=0.2)
    transfer = transfer_of(world)
    measured, true = world.device()
    rows = draw(np.random.default_rng(0), 200)
    every = np.arange(len(ARCH))
    few, wide = transfer.fit(rows[:10], measured[rows[:10]]).predict(every, return_std=True)
    many, narrow = transfer.fit(rows, measured[rows]).predict(every, return_std=True)
    assert error(many, true) < error(few, true) and narrow.mean() < 0.7 * wide.mean()
    assert error(many, true) < 0.01


def test_a_device_that_no_donor_resembles_is_learned_all_the_same() -> None:
    world = World(np.random.default_rng(2))
    transfer = transfer_of(world)
    stranger = 1.0 + FEATURES @ np.random.default_rng(3).gamma(1.0, 1.0, FEATURES.shape[1])
    rows = draw(np.random.default_rng(0), 60)
    mean, std = transfer.fit(rows, stranger[rows]).predict(np.arange(len(ARCH)), return_std=True)
    assert error(mean, stranger) < 0.03
    assert np.mean(np.abs(mean - stranger) <= 1.645 * std) > 0.85


def test_one_donor_is_enough_to_begin() -> None:
    world = World(np.random.default_rng(4), deviation=0.02)
    donor, _ = world.device()
    transfer = Transfer(donor[None], FEATURES, rng=np.random.default_rng(0), labels=LABELS)
    # Another clock, and a launch that costs more.
    other = 3.0 + 0.5 * donor
    rows = draw(np.random.default_rng(0))
    mean, std = transfer.fit(rows, other[rows]).predict(np.arange(len(ARCH)), return_std=True)
    assert error(mean, other) < 0.015 and (std > 0).all()


def test_outliers_among_the_measurements_are_seen_through() -> None:
    rng = np.random.default_rng(5)
    world = World(rng)
    transfer = transfer_of(world)
    every = np.arange(len(ARCH))
    clean, spoilt = [], []
    for _ in range(10):
        measured, true = world.device()
        rows = draw(rng)
        clean.append(error(transfer.fit(rows, measured[rows]).predict(every), true))
        disturbed = measured[rows].copy()
        disturbed[0] *= 2
        spoilt.append(error(transfer.fit(rows, disturbed).predict(every), true))
    assert np.mean(spoilt) < 2 * np.mean(clean) < 0.05


def test_the_unit_of_time_does_not_matter() -> None:
    world = World(np.random.default_rng(6))
    transfer = transfer_of(world)
    measured, _ = world.device()
    rows = draw(np.random.default_rng(0))
    mean, std = transfer.fit(rows, measured[rows]).predict([0, 1, 2], return_std=True)
    scaled = transfer.fit(rows, 1000 * measured[rows]).predict([0, 1, 2], return_std=True)
    np.testing.assert_allclose(scaled, (1000 * mean, 1000 * std), rtol=1e-9)


def test_the_same_question_has_the_same_answer() -> None:
    answers = []
    for _ in range(2):
        world = World(np.random.default_rng(7))
        transfer, (measured, _) = transfer_of(world), world.device()
        rows = draw(np.random.default_rng(0))
        answers.append(transfer.fit(rows, measured[rows]).predict(np.arange(50)))
    assert np.array_equal(*answers)


def test_the_fit_predicts_networks_outside_the_population() -> None:
    world = World(np.random.default_rng(8))
    inside, outside = np.split(np.random.default_rng(0).permutation(len(ARCH)), [1000])
    known = np.array([world.device()[0] for _ in range(6)])
    transfer = Transfer(known[:, inside], FEATURES[inside], rng=np.random.default_rng(0))
    measured, true = world.device()
    fitted = transfer.fit(np.arange(12), measured[inside[:12]]).posterior
    mean, _ = predict(fitted, extended(FEATURES[outside]))
    assert error(mean, true[outside]) < 0.04
    known_mean, _ = predict(fitted, extended(FEATURES[inside[:5]]))
    np.testing.assert_allclose(known_mean, transfer.predict(np.arange(5)))


def test_donors_of_one_device_count_once_and_do_not_teach_each_other() -> None:
    world = World(np.random.default_rng(9))
    known = np.array([world.device()[0] for _ in range(3)])
    found = shapes(known, FEATURES, ["gpu", "gpu", "cpu"])
    np.testing.assert_allclose(found.weights, [0.25, 0.25, 0.5])
    assert found.without("gpu").groups == ("cpu",)
    additive = extended(FEATURES) @ found.parts.T
    np.testing.assert_allclose(additive.mean(axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(additive.std(axis=0), 1)


def test_deviations_are_scaled_to_what_they_do_to_the_population() -> None:
    world = World(np.random.default_rng(10))
    found = shapes(np.array([world.device()[0] for _ in range(3)]), FEATURES, ["a", "b", "c"])
    spread = np.append(0.0, FEATURES.std(axis=0))
    own = components(found, spread, LABELS)[-1]
    assert own.name == "parts"
    draws = np.random.default_rng(0).normal(size=(own.directions.shape[1], 4000))
    times = FEATURES @ (own.directions @ draws)[1:]
    assert times.var(axis=0).mean() == pytest.approx(1, rel=0.1)


def test_the_gradient_of_the_evidence_is_that_of_the_evidence() -> None:
    rng = np.random.default_rng(11)
    parts = rng.normal(size=(3, 4, 12, 5))
    kernels = np.einsum("dcij,dckj->dcik", parts, parts)
    values, counted = rng.normal(size=(3, 12)), np.array([0.5, 0.5, 1.0])

    def of(point: np.ndarray, answer: int) -> np.ndarray:
        found = _evidence(kernels, values, point[:3], point[3:], counted)
        return np.asarray(found[answer])

    point = np.array([-1.0, -2.0, -3.0, -1.0, 0.0, -2.0])
    wrong = check_grad(lambda p: float(of(p, 0)), lambda p: of(p, 1), point)
    assert wrong < 1e-4 * np.linalg.norm(of(point, 1))


def test_a_location_is_estimated_as_students_likelihood_does() -> None:
    measured = np.array([0.1, -0.2, 0.05, 0.15, -0.1, 0.0, 0.12, 5.0])
    _, found = solve(np.full((8, 8), 1e4), measured, np.ones(8), 0.0, 0.01, 1.0)
    assert sum(one.weight for one in found) == pytest.approx(1)
    estimate = sum(one.weight * 1e4 * one.dual.sum() for one in found)
    _, location, _ = stats.t.fit(measured, fix_df=4)
    assert estimate == pytest.approx(location, abs=0.05) and abs(measured.mean()) > 0.5


def test_chosen_networks_tell_more_than_random_ones() -> None:
    rng = np.random.default_rng(12)
    world = World(rng, deviation=0.15)
    transfer = transfer_of(world)
    every = np.arange(len(ARCH))
    chosen = informative(transfer, every[:400], 6)
    assert len(set(chosen.tolist())) == 6
    by_choice, by_chance = [], []
    for _ in range(15):
        measured, true = world.device()
        by_choice.append(error(transfer.fit(chosen, measured[chosen]).predict(every), true))
        rows = draw(rng, 6)
        by_chance.append(error(transfer.fit(rows, measured[rows]).predict(every), true))
    assert np.mean(by_choice) < np.mean(by_chance)
    assert len(informative(transfer, every[:4], 9)) == 4


def test_bad_input_is_named() -> None:
    rng = np.random.default_rng(0)
    ms = np.ones((2, len(ARCH))) + FEATURES[:, 0]
    with pytest.raises(ConfigError, match=r"of the same networks; got \(2, 5\) and"):
        Transfer(ms[:, :5], FEATURES, rng=rng)
    with pytest.raises(ConfigError, match="2 donors have as many groups"):
        Transfer(ms, FEATURES, rng=rng, groups=["one"])
    with pytest.raises(ConfigError, match="24 parts as many labels"):
        Transfer(ms, FEATURES, rng=rng, labels=[np.zeros(3, dtype=int)])
    with pytest.raises(ConfigError, match="positive and finite"):
        Transfer(ms * np.array([[1.0], [np.nan]]), FEATURES, rng=rng)
    with pytest.raises(ConfigError, match="differ between networks"):
        Transfer(np.ones_like(ms), FEATURES, rng=rng)
    transfer = Transfer(ms, FEATURES, rng=rng)
    with pytest.raises(ConfigError, match="call fit first"):
        transfer.predict([0])
    with pytest.raises(ConfigError, match="3 measured networks or more"):
        transfer.fit([0, 1], [1.0, 2.0])
    with pytest.raises(ConfigError, match="3 measured networks or more"):
        transfer.fit([0, 1, 2], [1.0, 2.0])
    with pytest.raises(ConfigError, match="latencies are positive; got"):
        transfer.fit([0, 1, 2], [1.0, 2.0, 0.0])
