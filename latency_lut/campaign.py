"""Timing many models so that a slow minute of the machine does not become a property of one."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from latency_lut.journal import Journal
from latency_lut.seam import Connection, Device, Loaded, Model, Sample
from latency_lut.windows import Window, steady_counts
from latency_lut.worker import MOST_RUNS

# Two fresh processes at least, so that the halves of a campaign differ in all that a process
# fixes (addresses, alignment, the core it started on); more, while models lack steady visits.
LEGS = 4
# How many visits a model may get in a leg for one that is kept.
PATIENCE = 2.0
# The references are looked at this often: short against the slow spells of a machine, long
# against the 2 ms that the look itself takes.
WINDOW_S = 0.05
WARMUP_S = 0.005
LOAD_S = 0.006
VISIT_S = 0.0012
BYTES_AT_ONCE = 1 << 30


@dataclass(frozen=True)
class Progress:
    """How far a campaign is: visits done and expected, seconds gone and (about) left."""

    done: int
    total: int
    seconds: float
    seconds_left: float


Report = Callable[[Progress], None]


@dataclass(frozen=True)
class Effort:
    """``rounds`` visits in steady windows are wanted for every model, of ``runs`` runs each."""

    rounds: int = 16
    runs: int = 6
    legs: int = LEGS


def runs_of(model: Model, runs: int) -> int:
    """About how many runs a visit of ``runs`` or more takes: short ones fill its time."""
    return max(runs, min(MOST_RUNS, round(1e3 * VISIT_S / model.guess_ms)))


def estimate_s(models: Sequence[Model], effort: Effort) -> float:
    """About how many seconds a campaign takes on a quiet machine, from the models' guesses."""
    loading = sum(LOAD_S + max(WARMUP_S, 5e-3 * model.guess_ms) for model in models)
    visits = sum(max(VISIT_S, 1e-3 * effort.runs * model.guess_ms) for model in models)
    return 2 * loading + 1.15 * effort.rounds * visits + 1


def collect(
    device: Device,
    models: Sequence[Model],
    effort: Effort,
    rng: np.random.Generator,
    journal: Journal,
    report: Report | None = None,
    references: Sequence[Model] | None = None,
) -> None:
    """Visit all ``models`` until each has its rounds, or patience ends; fills the journal.

    Every round is shuffled, every window lies between two looks at the reference networks.
    ``references`` are files of the reference networks, for where their writer is not at hand.
    """
    looks = tuple(_references() if references is None else references)
    start = time.monotonic()
    total = effort.rounds * len(models)
    already = kept(models, journal, effort.rounds)

    def tell() -> None:
        if report is not None:
            done = kept(models, journal, effort.rounds)
            seconds = time.monotonic() - start
            gained = done - already
            rate = seconds / gained if gained else estimate_s(models, effort) / total
            report(Progress(done, total, seconds, rate * (total - done)))

    tell()
    first = max((window.leg + 1 for window in journal.windows), default=0)
    for leg in range(effort.legs):
        wanted = math.ceil(effort.rounds / 2) if leg == 0 else effort.rounds
        for shard in _shards(_short(models, journal, wanted), rng):
            with device.connect() as connection:
                process = _Leg(connection, first + leg, looks, effort.runs, rng, journal)
                process.load(shard)
                for _ in process.rounds(shard, wanted):
                    tell()


def kept(models: Sequence[Model], journal: Journal, rounds: int) -> int:
    """How many of the wanted visits are done: ``rounds`` at most for each model."""
    counts = steady_counts(journal.windows)
    return sum(min(rounds, counts.get(model.name, 0)) for model in models)


def _short(models: Sequence[Model], journal: Journal, wanted: int) -> list[Model]:
    counts = steady_counts(journal.windows)
    return [model for model in models if counts.get(model.name, 0) < wanted]


def _shards(models: Sequence[Model], rng: np.random.Generator) -> Iterator[list[Model]]:
    """Groups whose sessions fit into memory together, drawn at random."""
    shard: list[Model] = []
    size = 0
    for position in rng.permutation(len(models)):
        shard.append(models[position])
        # A session keeps its weights, often a repacked copy, and some memory of its own.
        size += 2 * models[position].size + (1 << 20)
        if size > BYTES_AT_ONCE:
            yield shard
            shard, size = [], 0
    if shard:
        yield shard


def _references() -> tuple[Model, ...]:
    # Offline campaigns run without the packages that describe networks.
    from latency_lut.references import references

    return references()


@dataclass
class _Leg:
    """One fresh process: what it has loaded, and its rounds."""

    connection: Connection
    number: int
    references: tuple[Model, ...]
    runs: int
    rng: np.random.Generator
    journal: Journal
    loaded: dict[str, Loaded] = field(default_factory=dict)

    def load(self, models: Sequence[Model]) -> None:
        every, described = (*self.references, *models), set(self.journal.loaded)
        for known in (True, False):
            part = [model for model in every if (model.name in described) is known]
            for one in self.connection.load(part, WARMUP_S, describe=not known):
                self.loaded[one.model] = one
                if not known:
                    self.journal.add(one)

    def rounds(self, models: Sequence[Model], wanted: int) -> Iterator[None]:
        """Rounds over the models that lack steady visits, one for each step."""
        counts = steady_counts(self.journal.windows)
        missing = wanted - min(counts.get(model.name, 0) for model in models)
        for _ in range(math.ceil(PATIENCE * missing)):
            short = _short(models, self.journal, wanted)
            if not short:
                return
            self._round([short[i].name for i in self.rng.permutation(len(short))])
            yield

    def _round(self, names: Sequence[str]) -> None:
        """One visit to each of ``names``, in windows that go to the journal as they end."""
        groups = list(self._groups(names))
        references = [model.name for model in self.references]
        schedule = [*references]
        for group in groups:
            schedule += [*group, *references]
        samples = self.connection.time(schedule, self.runs)
        before = self._look(samples)
        for group in groups:
            visits = tuple(next(samples) for _ in group)
            after = self._look(samples)
            self.journal.add(Window(self.number, before, after, visits))
            before = after

    def _groups(self, names: Sequence[str]) -> Iterator[list[str]]:
        group: list[str] = []
        seconds = 0.0
        for name in names:
            group.append(name)
            seconds += max(VISIT_S, 1e-3 * self.runs * self.loaded[name].run_ms)
            if seconds >= WINDOW_S:
                yield group
                group, seconds = [], 0.0
        if group:
            yield group

    def _look(self, samples: Iterator[Sample]) -> tuple[float, ...]:
        return tuple(next(samples).minimum_ms for _ in self.references)
