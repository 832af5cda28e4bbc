"""Candidates of a search, measured: latency on the device, accuracy where there are images."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from latency_lut import (
    Device,
    Journal,
    LatencyTable,
    Model,
    NetworkLatency,
    Pace,
    Progress,
    measure_networks,
    pace_of,
)
from nas.engine import LOCAL, Engine, LocalEngine
from nas.export import TIMED
from nas.jobs.campaigns import STEPS, reporting
from nas.jobs.export import onnx_model
from nas.jobs.guide import Guide
from nas.jobs.pool import Shard, timed_by
from nas.jobs.predictor import measured_accuracies
from nas.jobs.rounds import Candidate
from nas.jobs.select import expected_accuracy
from nas.jobs.trained import TrainedRun
from nas.terminal import Screen
from search_spaces.space import Population

__all__ = ["judged", "measure_candidates"]


def measure_candidates(
    trained: TrainedRun,
    table: LatencyTable,
    guide: Guide,
    X: Population,
    devices: Sequence[Device],
    screen: Screen,
    paced_by: LatencyTable,
    samples: Path,
    belongs: Mapping[str, str],
    engine: Engine = LOCAL,
) -> list[Candidate]:
    """One candidate for every canonical row of ``X`` [n, choices], predicted and measured.

    Predictions are those of ``table``, times are at the pace of ``paced_by``: a table that was
    corrected by earlier candidates would hand their error on.

    What is timed is the file that an export would leave, with the subnet's trained weights.
    Samples are kept in the folder ``samples`` until all are there, for who measures the same
    candidates of a search that ``belongs`` says. Several ``devices`` of one kind share the
    candidates; accuracies and devices are the ``engine``'s to work on.
    """
    space = trained.space
    latency, latency_std = table.predict(X, return_std=True)
    scores = judged(trained, guide, X, screen, engine)
    names = [space.digest(space.decode(row)) for row in X]
    files = {name: _file(trained, row) for name, row in zip(names, X, strict=True)}
    distinct = list(files)
    number = f"{len(distinct)} candidate{'s' * (len(distinct) != 1)}"
    screen.say(f"timing {number} on {', '.join(device.name for device in devices)}")
    sides = {name: space.lower_row(row).image.shape[-1] for name, row in zip(names, X, strict=True)}
    timing = _Timing(
        measure_networks,
        [(name, files[name]) for name in distinct],
        sides,
        pace_of(paced_by, X),
        dict(belongs),
        # A piece of work that is done elsewhere answers once, with its result.
        screen if isinstance(engine, LocalEngine) else None,
    )
    timed = timed_by(devices, len(distinct), timing, samples, engine)
    by_name = {one.name: one for one in timed}
    points = [
        {
            "architecture": json.loads(space.decode(row).to_json()),
            **scores[i],
            "predicted_latency_ms": float(latency[i]),
            "predicted_latency_std": float(latency_std[i]),
            **_measured(by_name[names[i]]),
            "model_mb": len(files[names[i]]) / 1e6,
            "macs": float(space.macs(row)[0]),
            "parameters": float(space.parameters(row)[0]),
        }
        for i, row in enumerate(X)
    ]
    return [
        Candidate(tuple(row.tolist()), sides[name], point, by_name[name].latency)
        for row, name, point in zip(X, names, points, strict=True)
    ]


@dataclass(frozen=True, eq=False)
class _Timing:
    """``measure`` on the files of a shard; they are interleaved among each other.

    Every device is brought to the table's pace by anchors that it times itself. Samples are kept
    where the search's folder is at hand: an engine may use a device from another machine.
    """

    measure: Callable[..., list[NetworkLatency]]
    files: Sequence[tuple[str, bytes]]
    sides: Mapping[str, int]
    pace: Pace
    belongs: Mapping[str, str]
    screen: Screen | None

    def __call__(self, shard: Shard) -> list[NetworkLatency]:
        files = dict(self.files[number] for number in shard.networks)
        models = [Model(name, lambda name=name: files[name]) for name in files]  # type: ignore[misc]
        at_hand = shard.folder.parent.is_dir()
        with (
            closing(Journal(shard.folder if at_hand else None)) as journal,
            self._progress(shard.device.name) as report,
        ):
            journal.go_on({**self.belongs, "device": shard.device.name, "networks": list(files)})
            return self.measure(
                models,
                shard.device,
                rng=np.random.default_rng(0),
                pace=self.pace,
                sides=self.sides,
                journal=journal,
                report=report,
            )

    @contextmanager
    def _progress(self, device: str) -> Iterator[Callable[[Progress], None] | None]:
        if self.screen is None:
            yield None
            return
        with self.screen.progress(f"time candidates on {device}", STEPS) as advance:
            yield reporting(advance)


def judged(
    trained: TrainedRun,
    guide: Guide,
    X: Population,
    screen: Screen,
    engine: Engine = LOCAL,
) -> list[dict[str, Any]]:
    """What is known of the quality of every row; ``score`` is what a choice goes by.

    Where there are images it is the accuracy that is to be expected, else what the guide says.
    """
    values, deviations = guide.source.predict(X, return_std=True)
    points: list[dict[str, Any]] = [{} for _ in X]
    if guide.unit is None:
        for point, error, std in zip(points, values, deviations, strict=True):
            point |= {"predicted_error": float(error), "predicted_error_std": float(std)}
    if not trained.has_images:
        for point, score in zip(points, guide.score(values), strict=True):
            point |= {"val_accuracy": None, "val_images": 0, "score": float(score)}
        return points
    accuracy = measured_accuracies(trained, X, "measure candidates' accuracies", screen, engine)
    images = len(trained.dataset.images.val_labels)
    for point, measured in zip(points, accuracy, strict=True):
        score = float(measured)
        if guide.unit is None:
            score = expected_accuracy(
                score, images, 100.0 - point["predicted_error"], point["predicted_error_std"]
            )
        point |= {"val_accuracy": float(measured), "val_images": images, "score": score}
    return points


def _measured(one: NetworkLatency) -> dict[str, Any]:
    """The figures of one network at the table's pace; low and high are its 95% interval."""
    half = 1.96 * one.latency.error_ms
    peak = one.peak_memory_bytes
    return {
        "latency_ms": one.latency_ms,
        "latency_low": one.latency_ms - half,
        "latency_high": one.latency_ms + half,
        "pace": one.pace,
        "median_ms": one.median_ms,
        "p90_ms": one.p90_ms,
        "p99_ms": one.p99_ms,
        "throughput": one.images_per_s,
        "peak_memory_mb": None if peak is None else peak / 1e6,
    }


def _file(trained: TrainedRun, row: Sequence[int]) -> bytes:
    architecture = trained.space.decode(row)
    subnet = trained.evaluator.network(architecture)
    file: bytes = onnx_model(trained, subnet, architecture, TIMED).SerializeToString()
    return file
