"""Latency tables as donors of a table, one resolution at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from latency_lut.accuracy import Accuracy, accuracy
from latency_lut.arrays import Floats
from latency_lut.build import design_matrix, kind
from latency_lut.entries import block_key
from latency_lut.fit import Posterior
from latency_lut.latency import Latency
from latency_lut.populations import images, sample_at
from latency_lut.table import Fit, LatencyTable, Network
from latency_lut.transfer.choice import informative
from latency_lut.transfer.transfer import LEAST, Transfer
from search_spaces.errors import ArtefactError
from search_spaces.space import Population, Space
from search_spaces.specs import LayerSpec

POPULATION = 1000
CANDIDATES = 400
# What donors are taken to be off by at least. With less, chance differences of good tables count
# as what tells devices apart: with 0.4% tests/latency_lut/test_transfer_tables.py fails.
LEAST_NOISE = 0.01


@dataclass(frozen=True, eq=False)
class Donors:
    """Tables of one space, and the resolutions that all of them have."""

    space: Space
    tables: tuple[LatencyTable, ...]

    def resolutions(self, asked: Sequence[int] | None) -> tuple[int, ...]:
        """Those ``asked`` for, or all. Raises ``ArtefactError`` for one that a donor lacks."""
        common = [
            side for side in images(self.space) if all(side in one.fits for one in self.tables)
        ]
        lacking = [side for side in images(self.space, asked) if side not in common]
        if asked is None and common:
            return tuple(common)
        if lacking:
            raise ArtefactError(
                f"every donor has to have the resolutions that are measured; {lacking} are not in "
                f"all of them, {common} are: choose with --resolution, or measure the donors there"
            )
        return tuple(asked or common)

    def transfer(
        self, side: int, rows: Population, threshold_mb: float, rng: np.random.Generator
    ) -> Transfer:
        """What the donors know of networks ``rows`` [n, choices] on images of ``side``.

        ``threshold_mb`` is from where weights spill: one for all, as a table has one.
        They stand for devices on which every one of the networks was measured once: the error
        that a donor's table has of a network is part of what a new device is compared with.
        """
        specs = self._specs(side)
        measured = []
        for table in self.tables:
            ms = table.predict(rows)
            noise = max(LEAST_NOISE, table.fits[side].posterior.noise)
            measured.append(ms * np.exp(noise * rng.standard_normal(len(ms))))
        kinds: dict[object, int] = {}
        label = [0, *(1 + kinds.setdefault(kind(spec), len(kinds)) for spec in specs)]
        return Transfer(
            np.array(measured),
            self._features(side, rows, threshold_mb),
            rng=rng,
            groups=[f"{t.fingerprint.device} {t.fingerprint.cpu}" for t in self.tables],
            labels=[np.array(label)],
        )

    def choose(self, side: int, n: int, rng: np.random.Generator) -> tuple[tuple[int, ...], ...]:
        """The rows of ``n`` networks that are worth measuring on a new device."""
        rows = sample_at(self.space, side, POPULATION, rng)
        thresholds = self._thresholds(side)
        transfer = self.transfer(side, rows, thresholds[len(thresholds) // 2], rng)
        chosen = informative(transfer, np.arange(min(CANDIDATES, len(rows))), n)
        return tuple(tuple(row) for row in rows[chosen].tolist())

    def fit(
        self, side: int, networks: Sequence[Network], rng: np.random.Generator
    ) -> tuple[Fit, Accuracy | None]:
        """The fit of a new device on which ``networks`` were measured, and its error.

        Weights spill from where they do on one of the donors, the one that the networks agree with
        most. The error is by leaving out each of the networks in turn, which donors make possible
        with so few; None for 3 networks, of which none can be spared.
        """
        measured = np.array([network.row for network in networks])
        rows = np.vstack([measured, sample_at(self.space, side, POPULATION, rng)])
        latencies = [network.latency for network in networks]
        ms = np.array([one.latency_ms for one in latencies])
        every = np.arange(len(ms))
        seed = int(rng.integers(1 << 32))  # The same for all, so that chance does not choose.
        fitted = {
            threshold: self.transfer(side, rows, threshold, np.random.default_rng(seed)).fit(
                every, ms
            )
            for threshold in self._thresholds(side)
        }
        threshold, transfer = max(fitted.items(), key=lambda pair: pair[1].evidence)
        posterior = transfer.posterior
        found = None
        if len(networks) > LEAST:
            found = accuracy(*_left_out(transfer, latencies), latencies)
        repeat = float(np.median([one.error_ms / one.latency_ms for one in latencies]))
        specs = self._specs(side)
        return (
            Fit(
                tuple(block_key(spec) for spec in specs),
                _with_repeat(posterior, repeat),
                threshold,
                (0.0,) * len(specs),
            ),
            found,
        )

    def _specs(self, side: int) -> tuple[LayerSpec, ...]:
        return self.space.reachable(images(self.space, [side])[side])

    def _thresholds(self, side: int) -> list[float]:
        """Where weights begin to spill on the donors, in MB; ascending."""
        return sorted({table.fits[side].threshold_mb for table in self.tables})

    def _features(self, side: int, rows: Population, threshold_mb: float) -> Floats:
        """Spilled megabytes, and the layers of each spec: [rows, 1 + specs]."""
        specs = self._specs(side)
        nothing = np.zeros(len(specs))
        design = design_matrix(self.space, specs, rows.tolist(), nothing, threshold_mb)
        return design[:, 1:]


def _left_out(transfer: Transfer, measured: Sequence[Latency]) -> tuple[Floats, Floats]:
    """Each network predicted from the others: means and deviations [n] in ms.

    The measured networks are the first of the population.
    """
    ms = np.array([one.latency_ms for one in measured])
    every = np.arange(len(ms))
    pairs = [
        transfer.fit(np.delete(every, i), np.delete(ms, i)).predict([i], return_std=True)
        for i in every
    ]
    return np.array([mean[0] for mean, _ in pairs]), np.array([std[0] for _, std in pairs])


def _with_repeat(fitted: Posterior, repeat: float) -> Posterior:
    """The noise in its two parts: that of a measurement, and what additivity does not express."""
    rest = np.sqrt(max(0.0, fitted.scales.network**2 - repeat**2))
    return replace(fitted, repeat=repeat, scales=replace(fitted.scales, network=float(rest)))
