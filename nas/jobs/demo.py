"""``nas demo``: the main job on scikit-learn's handwritten digits."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

from latency_lut import (
    COSTS_S,
    Device,
    Effort,
    LatencyTable,
    networks_seconds,
    plan_table,
    table_name,
)
from latency_lut import device as device_of
from nas.architectures import read_architecture
from nas.config import (
    Config,
    DataConfig,
    LatencyConfig,
    Phase,
    SearchConfig,
    SpaceConfig,
    TrainConfig,
)
from nas.dataset import open_dataset
from nas.export import TIMED
from nas.header import space_of
from nas.jobs.budget import SearchOptions
from nas.jobs.estimate import Estimate
from nas.jobs.export import export_run
from nas.jobs.measure import measure_table
from nas.jobs.report import report_command
from nas.jobs.rounds import most_measured
from nas.jobs.search import search_run
from nas.jobs.tables import open_table
from nas.jobs.train import announce_training, train_with_progress
from nas.jobs.trained import TrainedRun
from nas.profile import profile
from nas.run import Run
from nas.terminal import Screen, duration

__all__ = ["CONFIG", "demo_command"]

CONFIG = Config(
    data=DataConfig(
        path="digits",
        size=16,
        val_fraction=0.2,
        test_fraction=0.25,
        shift=2,
        horizontal_flip=False,
    ),
    space=SpaceConfig(resolutions=(12, 16)),
    train=TrainConfig(
        batch_size=64,
        phases=(Phase("largest", 20), Phase("kernel", 2), Phase("depth", 8), Phase("width", 44)),
    ),
    search=SearchConfig(samples=60, candidates=10),
    latency=LatencyConfig(),
)


SLOW_MS = 0.2
"""Milliseconds that no network of the demo takes."""


def demo_command(out: Path, screen: Screen) -> tuple[dict[str, Any], str]:
    """Train, measure, search, export, profile, report; goes on with what an earlier call left.

    Each of the long ones says how long it will take and how much disk it needs before it starts.
    """
    began = time.monotonic()
    run = Run.create(out, CONFIG, resume=True)
    screen.say(f"digits, 8x8 pixels, 10 classes; everything goes to {out}")
    if not run.supernet.is_file():
        dataset = open_dataset(CONFIG)
        estimate = announce_training(run, CONFIG, dataset, screen, "the same command")
        _announce_all(trained_in=estimate, classes=len(dataset.classes), screen=screen)
        train_with_progress(run, CONFIG, dataset, screen)
    trained = TrainedRun(run)
    device = device_of("cpu", threads=CONFIG.latency.threads)
    table_file = run.latency(table_name("cpu", CONFIG.latency.threads))
    if not table_file.is_file():
        _measure(trained, device, table_file, screen)
    table = open_table(table_file, trained.space, device)
    budget = _middle(trained, table)
    screen.say(f"budget: {budget:g} ms, between the space's fastest and its slowest")
    search = CONFIG.search
    options = SearchOptions(
        budget,
        evaluations=search.population * search.generations,
        seed=search.seed,
        candidates=search.candidates,
    )
    # What takes long are samples, which are kept; a study may be of a search with another budget.
    front = search_run(trained, table, options, out, device, screen, resume=False)
    best = front["points"][front["best"]]
    exported = export_run(trained, read_architecture(run.best), run.onnx, TIMED)
    profiled = profile(run.onnx, device="cpu", threads=CONFIG.latency.threads, table=table_file)
    tested = report_command(out, screen)
    seconds = time.monotonic() - began
    data = {
        "run": str(out),
        "budget_ms": budget,
        "latency_ms": best["latency_ms"],
        "val_accuracy": best["val_accuracy"],
        "test_accuracy": tested["test_accuracy"],
        "onnx": exported["file"],
        "profile": profiled.to_dict(),
        "report": tested["report"],
        "seconds": round(seconds, 1),
    }
    text = (
        f"{exported['file']}: {tested['test_accuracy']:.2f}% of the test images, "
        f"{best['latency_ms']:.4g} ms measured (budget {budget:g} ms, one thread)\n"
        f"{tested['report']}: everything to look at; {seconds:.0f} s in all"
    )
    return data, text


def _announce_all(trained_in: Estimate, classes: int, screen: Screen) -> None:
    """Say how long all of it will take: training, latency table, accuracies, candidates."""
    search, latency = CONFIG.search, CONFIG.latency
    most = most_measured(search.candidates)
    plans = plan_table(
        space_of(CONFIG, classes),
        np.random.default_rng(0),
        whole_networks=latency.references,
    )
    seconds = (
        trained_in.seconds
        + plans.cost(Effort(latency.rounds, latency.runs)).seconds
        + COSTS_S
        + trained_in.accuracy_seconds * (search.samples + most)
        + networks_seconds([SLOW_MS] * most)
    )
    screen.say(
        f"then a latency table, the accuracies of {search.samples} subnets and "
        f"{search.candidates} to {most} candidates to measure: up to {duration(seconds)} in all"
    )


def _measure(trained: TrainedRun, device: Device, out: Path, screen: Screen) -> None:
    """A table even where the machine is busy: a demonstration may be off by some percent."""
    table = measure_table(trained.space, device, out, screen, config=CONFIG, allow_noisy=True)
    if table.campaign.noisy:
        screen.say(
            f"the machine is busy: the halves of the campaign differ by "
            f"{table.campaign.disagreement:.1%} on the same networks; the demo goes on all the same"
        )


def _middle(trained: TrainedRun, table: LatencyTable) -> float:
    """The geometric mean of the latencies of smallest and largest network, two digits."""
    ends = np.stack([trained.space.smallest, trained.space.largest])
    middle = float(np.exp(np.log(table.predict(ends)).mean()))
    return float(f"{middle:.2g}")
