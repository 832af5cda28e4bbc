"""What objectives and limits of networks probably are: free ones exactly, others by a process."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nas.search.searcher import Floats, Rows
from nas.search.surrogate.answers import Chance
from nas.search.surrogate.history import History
from nas.search.surrogate.process import Posterior, Process
from nas.search.task import Task
from predictors.features import Encoder
from predictors.labels import Scale, constant

# Rows that a process is fitted on at most; its time grows with their cube.
MOST_ROWS = 400
# From what chance on a network is not expected to fail.
LIKELY = 0.5
# By how much more than certain a known violation counts against a row.
KNOWN = 1000.0


@dataclass(eq=False)
class Beliefs:
    """Of ``m`` rows, on scales on which what was told is near standard normal.

    ``mean`` is [m, columns]: ``objectives`` of them, then what is only limited. A row is feasible
    where no column is above ``limits`` [columns], infinite where there is none. ``posteriors`` are
    those of the columns that are not free, by number. ``chance`` [m] is that a row is evaluated
    and does not fail, None while nothing has failed.
    """

    mean: Floats
    limits: Floats
    objectives: int
    posteriors: dict[int, Posterior]
    chance: Floats | None = None

    @property
    def std(self) -> Floats:
        """Standard deviations [m, columns], 0 where a column is known."""
        std = np.zeros_like(self.mean)
        for column, posterior in self.posteriors.items():
            std[:, column] = posterior.std
        return std

    @property
    def excess(self) -> Floats:
        """How far the mean is above the limits there are: [m, limited columns].

        Once something has failed also how far the chance of an answer is below ``LIKELY``, as the
        last column.
        """
        limited = np.isfinite(self.limits)
        above = self.mean[:, limited] - self.limits[limited]
        return above if self.chance is None else np.column_stack([above, LIKELY - self.chance])

    @property
    def possible(self) -> npt.NDArray[np.bool_]:
        """Which rows no known function rules out: [m]."""
        known = [c for c in range(self.mean.shape[1]) if c not in self.posteriors]
        kept = self.mean[:, known] <= self.limits[known]
        return np.asarray(kept.all(axis=1), dtype=np.bool_)

    def log_feasible(self) -> Floats:
        """The logarithm of the probability that a row is evaluated and keeps all limits [m].

        Far below that of any other where a known function is above its limit.
        """
        from scipy.special import log_ndtr

        total = np.zeros(len(self.mean))
        if self.chance is not None:
            total += np.log(np.maximum(self.chance, np.finfo(np.float64).tiny))
        std = self.std
        for column in np.flatnonzero(np.isfinite(self.limits)):
            room = self.limits[column] - self.mean[:, column]
            if column in self.posteriors:
                total += log_ndtr(room / std[:, column])
            else:
                total += np.where(room >= 0, 0.0, KNOWN * (room - 1))
        return total

    def believe(self, at: int) -> None:
        """Go on as if row ``at`` had been found as predicted."""
        for posterior in self.posteriors.values():
            posterior.believe(at)

    def at(self, positions: Rows) -> Beliefs:
        """Of some of the rows [p] alone."""
        posteriors = {column: found.at(positions) for column, found in self.posteriors.items()}
        chance = None if self.chance is None else self.chance[positions]
        return Beliefs(self.mean[positions], self.limits, self.objectives, posteriors, chance)


class Believer:
    """Learns from a history, then says what it believes of any rows."""

    def __init__(self, task: Task) -> None:
        problem = task.problem
        self._task = task
        self._encoder = Encoder(task.space)
        # An objective that is limited is one column; what is only limited has one of its own.
        self._extra = [i for i, name in enumerate(problem.limits) if name not in problem.objectives]
        self._scales: list[Scale] = []
        self._processes: dict[int, Process] = {}
        self._chance: Chance | None = None

    def learn(self, history: History, rng: np.random.Generator) -> None:
        """Fit everything that is not free on what was told, or on a part of it where it is much."""
        part = history.typical(MOST_ROWS, rng)
        labels = self._told(history)[part]
        self._scales = [_scale(column) for column in labels.T]
        latent = self._scaled(labels)
        for column, name in enumerate(self._task.problem.names):
            if name not in self._task.free:
                self._processes[column] = Process.fit(
                    self._encoder,
                    history.rows[part],
                    latent[:, column],
                    self._processes.get(column),
                    len(history),
                )

    def learn_failures(self, history: History, failed: Rows, rng: np.random.Generator) -> None:
        """Fit how likely an answer is, if any rows failed [f, choices]; what was told has one."""
        if len(failed):
            answered = history.rows[history.typical(MOST_ROWS, rng)]
            self._chance = Chance(self._encoder, answered, failed)

    def chance(self, rows: Rows) -> Floats | None:
        """That rows [m, choices] are evaluated and do not fail [m]; None if nothing has failed."""
        return None if self._chance is None else self._chance(rows)

    def told(self, history: History) -> Floats:
        """The objectives that were told, on the scales of beliefs: [n, objectives]."""
        return self._scaled(self._told(history))[:, : len(self._task.problem.objectives)]

    def __call__(self, rows: Rows) -> Beliefs:
        """About rows [m, choices]."""
        problem = self._task.problem
        known = self._task.known(rows)
        excess = problem.violations(known)[:, self._extra]
        mean = self._scaled(np.column_stack([problem.objective_values(known), excess]))
        posteriors = {c: process.posterior(rows) for c, process in self._processes.items()}
        for column, posterior in posteriors.items():
            mean[:, column] = posterior.mean
        limits, objectives = self._limits(), len(problem.objectives)
        return Beliefs(mean, limits, objectives, posteriors, self.chance(rows))

    def _told(self, history: History) -> Floats:
        """[n, columns]: objectives, and violations of what is only limited."""
        return np.column_stack([history.objectives, history.violations[:, self._extra]])

    def _limits(self) -> Floats:
        problem = self._task.problem
        limits = [problem.limits.get(name, np.inf) for name in problem.objectives]
        limits += [0.0] * len(self._extra)
        pairs = zip(self._scales, limits, strict=True)
        return np.array(
            [scale.forward(np.array(at)) if np.isfinite(at) else at for scale, at in pairs]
        )

    def _scaled(self, labels: Floats) -> Floats:
        columns = zip(self._scales, labels.T, strict=True)
        return np.stack([scale.forward(column) for scale, column in columns], axis=1)


def _scale(labels: Floats) -> Scale:
    """Where labels [n] are all equal they are 0, and others as far away as they are."""
    if not constant(labels):
        return Scale.fit(labels)
    return Scale(float(labels[0]), 1.0, 1.0, 0.0, 1.0, -np.inf, np.inf)
