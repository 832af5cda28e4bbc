"""Measuring whole networks, or any ONNX files: what `profile` and the end of a search show."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from latency_lut.alone import PROCESS_S, run_alone
from latency_lut.campaign import Effort, Report, collect, estimate_s
from latency_lut.errors import DeviceError
from latency_lut.journal import Journal
from latency_lut.latency import Latency, latencies
from latency_lut.pace import Factor, Pace
from latency_lut.references import NAMES
from latency_lut.seam import Device, Model
from latency_lut.windows import usual

STANDARD = Effort(rounds=20, runs=8, legs=2)
"""With two legs a noisy machine is visited three times as often as a quiet one, at most."""


@dataclass(frozen=True)
class NetworkLatency:
    """What one network takes on a device.

    ``latency`` holds `latency_ms`, the figure to compare. ``median_ms``, ``p90_ms`` and
    ``p99_ms`` are of all single runs, disturbances included; ``images_per_s`` is one image after
    another at the mean run. All these times are what was measured, multiplied by ``pace``, which
    brings them to the pace that the machine had in another campaign and whose own error is in
    that of ``latency``; ``pace`` is None where there is no other, and times are those of today.
    ``peak_memory_bytes`` is by how much the peak of a
    process grew that loaded and ran this network alone: weights, the runtime's copies of them and
    activations; None where the system does not tell.
    """

    name: str
    latency: Latency
    median_ms: float
    p90_ms: float
    p99_ms: float
    images_per_s: float
    peak_memory_bytes: int | None
    pace: float | None = None

    @property
    def latency_ms(self) -> float:
        """The median over rounds of each round's minimum, corrected by the references."""
        return self.latency.latency_ms


def measure_networks(
    models: Sequence[Model],
    device: Device,
    *,
    rng: np.random.Generator,
    effort: Effort | None = None,
    pace: Pace | None = None,
    sides: Mapping[str, int] | None = None,
    batch: int = 1,
    memory: bool = True,
    report: Report | None = None,
    journal: Journal | None = None,
) -> list[NetworkLatency]:
    """Measure all ``models`` interleaved with the reference networks; results in their order.

    ``pace`` is that of another campaign, such as a table's (``pace_of``): then all times are what
    that campaign would have found, whatever the pace of the machine today. Its anchors are
    measured as well; ``sides`` says by a model's name which of them are like it: those on images
    of that side. ``batch`` is how many images a run takes, for ``images_per_s``;
    ``effort`` by default 20 rounds of 8 runs. What ``journal`` holds is not measured again.

    Raises ``DeviceError`` if the device fails, or two models have one name.
    """
    if len({model.name for model in models}) < len(models):
        raise DeviceError("every model to measure has a name of its own; two have the same")
    anchors = [anchor.model for anchor in pace.anchors] if pace else []
    timed = {model.name: model for model in (*models, *anchors)}
    peaks = {m.name: run_alone(m, device).memory_bytes if memory else None for m in models}
    journal = journal or Journal(None)
    effort = effort or STANDARD
    collect(device, list(timed.values()), effort, rng, journal, report)
    measured = latencies(journal.windows, effort.rounds, rng)
    times: dict[str, list[float]] = {name: [] for name in timed}
    for window in journal.windows:
        for visit in window.visits:
            times[visit.model].extend(visit.times_ms)
    today = dict(zip(NAMES, usual(journal.windows).tolist(), strict=True))

    def factor(name: str) -> Factor | None:
        side = (sides or {}).get(name)
        return None if pace is None else pace.factor(side, measured, today)

    return [
        _result(name, measured[name], times[name], batch, peak, factor(name))
        for name, peak in peaks.items()
    ]


def networks_seconds(ms: Sequence[float], effort: Effort | None = None) -> float:
    """About how many seconds ``measure_networks`` takes for networks of ``ms`` milliseconds.

    Every network is loaded once in a process of its own, for its memory. Nothing is run.
    """
    models = [Model(str(i), bytes, guess_ms=one) for i, one in enumerate(ms)]
    return PROCESS_S * len(ms) + estimate_s(models, effort or STANDARD)


def _result(
    name: str,
    latency: Latency,
    times_ms: list[float],
    batch: int,
    peak: int | None,
    pace: Factor | None,
) -> NetworkLatency:
    factor = Factor(1.0, 0.0) if pace is None else pace
    times = factor.value * np.array(times_ms)
    median, p90, p99 = (float(q) for q in np.percentile(times, [50, 90, 99]))
    rate = 1e3 * batch / float(np.mean(times))
    at_pace = latency.scaled(factor.value)
    error_ms = math.hypot(at_pace.error_ms, factor.error * at_pace.latency_ms)
    return NetworkLatency(
        name,
        replace(at_pace, error_ms=error_ms),
        median,
        p90,
        p99,
        rate,
        peak,
        None if pace is None else pace.value,
    )
