"""A search that learns from what it measured, on a device that is not as its table says."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from types import SimpleNamespace

import numpy as np
import pytest

from latency_lut import Effort, Latency, LatencyTable, measure, network_model
from latency_lut.populations import resolutions_of
from nas import search as searching
from nas.jobs.budget import SearchOptions, chosen, upper_ms
from nas.jobs.guide import Guide
from nas.jobs.one_round import round_study
from nas.jobs.rounds import (
    WITHIN,
    Candidate,
    Outcome,
    figures,
    most_measured,
    search_in_rounds,
)
from search_spaces.errors import InfeasibleError
from search_spaces.space import Population
from tests.latency_lut.synthetic import SyntheticDevice, every_row, tiny_space, true_ms

SPACE = tiny_space((16,))
CANDIDATES = 6


@functools.cache
def table() -> LatencyTable:
    return measure(
        SPACE,
        SyntheticDevice(),
        rng=np.random.default_rng(0),
        effort=Effort(rounds=4, runs=2),
        whole_networks=15,
        held_out=0,
    )


@functools.cache
def truth(row: tuple[int, ...]) -> float:
    return true_ms(network_model("m", SPACE.lower_row(np.array(row))).content())


def accuracy(rows: Population) -> np.ndarray:
    return np.asarray(np.log(SPACE.macs(rows)))


@dataclass
class Job:
    """``slowness`` of a row is by how much it takes longer than its table was told."""

    budget: float
    slowness: Callable[[tuple[int, ...]], float] = lambda row: 1.0
    asked: list[list[tuple[int, ...]]] = field(default_factory=list)
    tables: list[LatencyTable] = field(default_factory=list)

    def search(self, by: LatencyTable, number: int) -> searching.Study:
        self.tables.append(by)
        assert len(self.tables) == number
        return searching.minimize(
            SPACE,
            {"error": lambda rows: -accuracy(rows), "latency_ms": by.predict},
            {"latency_ms": self.budget},
            searcher="nsga2",
            budget=400,
        )

    def measure(self, by: LatencyTable, rows: Population, number: int) -> list[Candidate]:
        assert by is self.tables[-1] and number == len(self.tables)
        self.asked.append([tuple(row.tolist()) for row in rows])
        return [self.candidate(row) for row in self.asked[-1]]

    def candidate(self, row: tuple[int, ...]) -> Candidate:
        ms = truth(row) * self.slowness(row)
        score = float(accuracy(np.array([row]))[0])
        latency = Latency(ms, 0.001 * ms, (ms, ms), ms, 4)
        return Candidate(row, 16, {"latency_ms": ms, "score": score}, latency)

    def run(self, known_good: Callable[[LatencyTable], Population] | None = None) -> Outcome:
        return search_in_rounds(self.search, self.measure, table(), CANDIDATES, known_good)

    def regret(self, outcome: Outcome) -> float:
        """By how much the best that was measured within the budget scores below the best of all."""
        latency, scores = figures(outcome.candidates)
        found = max(score for ms, score in zip(latency, scores, strict=True) if ms <= self.budget)
        rows = [tuple(row) for row in every_row(SPACE).tolist()]
        within = [row for row in rows if truth(row) * self.slowness(row) <= self.budget]
        return float(accuracy(np.array(within)).max() - found)


def middle() -> float:
    return float(np.sqrt(np.prod([truth(tuple(r)) for r in (SPACE.smallest, SPACE.largest)])))


def test_once_is_enough_where_predictions_hold() -> None:
    job = Job(middle())
    outcome = job.run()
    (one,) = outcome.rounds
    assert one.measured == CANDIDATES == len(outcome.candidates) and one.off <= WITHIN
    assert outcome.settled and job.regret(outcome) < 0.02
    assert resolutions_of(SPACE, SPACE.index(np.array(job.asked[0]))).tolist() == [16] * CANDIDATES


@pytest.mark.parametrize("slowness", [0.8, 1.1, 1.3])
def test_the_table_learns_where_they_do_not(slowness: float) -> None:
    job = Job(middle(), lambda row: slowness)
    outcome = job.run()
    first, *later = outcome.rounds
    assert first.off == pytest.approx(abs(1 / slowness - 1), rel=0.1)
    assert later and later[-1].off < first.off / 2, "the second search went by what was measured"
    assert job.regret(outcome) < 0.05
    rows = [row for asked in job.asked for row in asked]
    assert len(set(rows)) == len(rows) <= most_measured(CANDIDATES), "nothing is measured twice"
    corrected = job.tables[1]
    assert len(corrected.networks) == len(table().networks) + CANDIDATES
    assert {network.row for network in corrected.networks} >= set(job.asked[0])


def test_it_ends_after_three_rounds_and_says_so() -> None:
    def fickle(row: tuple[int, ...]) -> float:
        return 1.0 + 0.2 * (hash(row) % 7) / 7

    job = Job(middle(), fickle)
    outcome = job.run()
    assert len(outcome.rounds) == len(job.tables) == 3
    assert not outcome.settled and outcome.rounds[-1].off > WITHIN
    assert [one.measured for one in outcome.rounds] == [len(asked) for asked in job.asked]
    assert max(map(len, job.asked[1:])) <= CANDIDATES // 2


def test_rounds_end_where_the_corrected_table_leaves_nothing_within_the_budget() -> None:
    job = Job(1.1 * truth(tuple(SPACE.smallest)), lambda row: 3.0)
    outcome = job.run()
    assert len(outcome.rounds) == 1 and not outcome.settled
    assert min(figures(outcome.candidates)[0]) > job.budget


def test_a_budget_that_nothing_meets_is_told_at_once() -> None:
    job = Job(0.5 * truth(tuple(SPACE.smallest)))
    with pytest.raises(InfeasibleError):
        job.run()
    assert job.asked == []


GUIDE = Guide("MACs", "test", SimpleNamespace(predict=lambda rows: -accuracy(rows)), "log MACs")


def uncertain() -> LatencyTable:
    """The table, a tenth less sure of every network."""
    fits = {
        side: replace(fit, posterior=replace(fit.posterior, repeat=0.1))
        for side, fit in table().fits.items()
    }
    return replace(table(), fits=fits)


def test_a_round_at_a_confidence_keeps_the_upper_end_within_the_budget() -> None:
    def front_of(confidence: float | None) -> tuple[np.ndarray, np.ndarray]:
        options = SearchOptions(middle(), evaluations=400, confidence=confidence)
        study = round_study(SPACE, uncertain(), GUIDE, options)
        rows = np.array([one.row for one in study.front()])
        mean, std = uncertain().predict(rows, return_std=True)
        return mean, mean + 1.6448536 * std

    mean, upper = front_of(None)
    assert mean.max() <= middle() < upper.max(), "the middle keeps it, the upper end does not"
    mean, upper = front_of(0.95)
    assert upper.max() <= middle()
    assert mean.max() > 0.75 * middle(), "the budget is used as far as it may be"


def test_what_is_named_at_a_confidence_was_measured_with_room() -> None:
    def candidate(score: float, ms: float, error_ms: float) -> Candidate:
        row = tuple(SPACE.smallest.tolist())
        latency = Latency(ms, error_ms, (ms, ms), ms, 4)
        return Candidate(row, 16, {"latency_ms": ms, "score": score}, latency)

    vague, sure = candidate(90.0, 0.98, 0.05), candidate(80.0, 0.9, 0.01)
    outcome = replace(Job(middle()).run(), candidates=[vague, sure])
    assert chosen(outcome, SearchOptions(1.0)) == 0
    options = SearchOptions(1.0, confidence=0.95)
    assert chosen(outcome, options) == 1
    assert upper_ms(vague.latency, options) == pytest.approx(1.0622, abs=1e-4)
    with pytest.raises(InfeasibleError, match="within 0.9 ms at 95% confidence"):
        chosen(outcome, SearchOptions(0.9, confidence=0.95))
