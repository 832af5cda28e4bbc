"""A run folder with everything in it, made up: figures as they might be, in no time."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

import latency_lut
from latency_lut.fingerprint import Fingerprint
from latency_lut.seam import Loaded, Model, Sample
from nas.config import Config, DataConfig, SpaceConfig
from nas.header import Header, space_of
from nas.report.course_documents import curves_belong_to
from nas.run import Run
from search_spaces import Space
from search_spaces.files import sha256_of

DEVICE = Fingerprint(
    "cpu", "AMD EPYC 9B14 & Co", 2, "Linux x86_64", 1, "CPUExecutionProvider", "onnxruntime 1.31.1"
)
CLASSES = ("airplane", "<b>bird</b>", "cat & dog", 'quoted "class"')
BUDGET = 0.45


def size_ms(content: bytes) -> float:
    """The larger the file, the slower."""
    return 0.05 + len(content) / 3e6


@dataclass
class PretendedDevice:
    """Answers at once, with a little noise."""

    cost: Callable[[bytes], float]
    name: str = "cpu"
    known: dict[str, float] = field(default_factory=dict)
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))

    def fingerprint(self) -> Fingerprint:
        return DEVICE

    def conditions(self) -> dict[str, float]:
        return {}

    @contextmanager
    def connect(self) -> Iterator[PretendedDevice]:
        yield self

    def load(
        self,
        models: Iterable[Model],
        warmup_s: float = 0.02,
        describe: bool = True,
        energy_s: float = 0.0,
    ) -> Iterator[Loaded]:
        for model in models:
            self.known[model.name] = self.cost(model.content())
            yield Loaded(model.name, {"Conv": 1}, self.known[model.name], 1000)

    def time(self, visits: Sequence[str], runs: int) -> Iterator[Sample]:
        for name in visits:
            noise = np.exp(0.01 * self.rng.normal(size=runs))
            yield Sample(name, tuple((self.known[name] * noise).tolist()))


def make_run(
    folder: Path, resolutions: tuple[int, ...] = (8,), cost: Callable[[bytes], float] = size_ms
) -> Run:
    """A run that was trained, measured, searched and tested."""
    config = Config(
        data=DataConfig(path="digits", size=32), space=SpaceConfig("small-images", resolutions)
    )
    run = Run.create(folder / "a run", config, resume=False)
    space = space_of(config, len(CLASSES))
    header = Header(space.name, space.identity, "d" * 128, CLASSES, (1, 2, 3), (1, 1, 1))
    save_file({"x": np.zeros(1, np.float32)}, run.supernet, header.metadata())
    run.write_log(log())
    table = latency_lut.measure(
        space,
        PretendedDevice(cost),
        rng=np.random.default_rng(0),
        effort=latency_lut.Effort(rounds=4, runs=2),
    )
    table.save(run.latency("cpu"))
    front = made_up_front(space, table.predict, sha256_of(run.supernet))
    write(run.front, front)
    best = front["points"][front["best"]]
    write(run.best, {**best["architecture"], "measured": best})
    write(run.folder / "test.json", tested(front))
    write(run.curves, made_up_curves(front))
    return run


def write(path: Path, document: object) -> None:
    path.write_text(json.dumps(document))


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open() as stream:
        return list(csv.DictReader(stream))


def log() -> list[dict[str, Any]]:
    rng = np.random.default_rng(1)
    rows: list[dict[str, Any]] = []
    for phase, epochs in (("largest", 22), ("kernel", 2), ("depth", 8), ("width", 16)):
        for epoch in range(epochs):
            number = len(rows)
            largest = 91 - 45 * math.exp(-number / 6) + rng.normal(0, 0.5)
            drop = {"largest": 0, "kernel": 1, "depth": 3, "width": 8}[phase]
            smallest = largest - drop * (1 + 2 * math.exp(-epoch / 2)) if drop else largest
            loss = 0.75 + 1.2 * math.exp(-number / 7) + 0.9 * (phase != "largest")
            rows.append(
                {
                    "epoch": number,
                    "phase": phase,
                    "learning_rate": 0.1,
                    "loss": round(loss + rng.normal(0, 0.02), 5),
                    "val_largest": round(largest, 3),
                    "val_smallest": round(smallest, 3),
                    "images_per_second": 700,
                    "seconds": 65.3,
                }
            )
    return rows


def made_up_front(
    space: Space, predict: Callable[[np.ndarray], np.ndarray], weights: str, n: int = 14
) -> dict[str, Any]:
    """Random networks that no other one beats, as a search would leave them."""
    rng = np.random.default_rng(2)
    X = space.sample(4000, rng)
    latency = predict(X)
    error = 7 + 9 * (latency / latency.max()) ** -0.35 + rng.normal(0, 0.4, len(X))
    order = np.argsort(latency)
    kept = [i for k, i in enumerate(order) if error[i] < error[order[:k]].min(initial=np.inf)]
    chosen = sorted(set(np.linspace(0, len(kept) - 1, n).astype(int)))
    points = [
        point(space, X[kept[k]], float(latency[kept[k]]), float(error[kept[k]]), rng)
        for k in chosen
    ]
    points.sort(key=lambda p: p["latency_ms"])
    budget = points[2 * len(points) // 3]["latency_ms"] * 1.04
    within = [i for i, p in enumerate(points) if p["latency_ms"] <= budget]
    volumes = [[int(n), 1 - math.exp(-n / 600)] for n in np.geomspace(10, 5000, 40)]
    return {
        "format": 2,
        "space": space.name,
        "identity": space.identity,
        "device": DEVICE.to_dict(),
        "table": "2026-11-21T02:00:00+00:00",
        "budget_ms": budget,
        "confidence": None,
        "predictor": None,
        "proxy": None,
        "guide": "auto predictor",
        "guide_identity": "auto 0123",
        "score": "accuracy, %",
        "searcher": "nsga2",
        "seed": 7,
        "weights": weights,
        "data": "d" * 128,
        "evaluations": 5000,
        "seconds": {"samples": 212.4, "search": 8.3, "measure": 41.9},
        "rounds": [{"measured": 20, "off": 0.043}, {"measured": 10, "off": 0.0181}],
        "settled": True,
        "best": max(within, key=lambda i: points[i]["val_accuracy"]),
        "points": points,
        "dominated": [
            {
                **p,
                "latency_ms": p["latency_ms"] * 1.03,
                "val_accuracy": p["val_accuracy"] - 0.4,
                "score": p["score"] - 0.4,
            }
            for p in points[::4]
        ],
        "cloud": [
            [float(ms), 100 - float(e)] for ms, e in zip(latency[:1500], error[:1500], strict=True)
        ],
        "history": volumes,
        "growth": {
            "scale": "predicted accuracy, %",
            "fronts": [
                {
                    "evaluations": n,
                    "points": [[0.1 * k * budget, 80 + k + n / 5000] for k in range(1, 10)],
                }
                for n in (500, 1250, 2500, 5000)
            ],
        },
        "elites": {
            "quality": "predicted error, %",
            "dimensions": [
                {"name": "million MACs", "edges": [1.0, 10.0, 100.0], "values": None},
                {
                    "name": "resolution",
                    "edges": [22.0, 26.0, 30.0, 34.0],
                    "values": [24.0, 28.0, 32.0],
                },
            ],
            "cells": [[0, 0], [0, 2], [1, 1]],
            "rows": [[0, 0, 1], [0, 1, 2], [1, 1, 1]],
            "qualities": [12.5, 11.0, 9.25],
            "violations": [0.0, 0.0, 0.5],
        },
        "neighbours": {
            "scale": "predicted accuracy, %",
            "latency_ms": 0.9 * budget,
            "score": 88.0,
            "changes": [
                {
                    "choice": f"s{k // 3}.{k % 3}.<width>",
                    "now": "24",
                    "instead": str(8 * k),
                    "latency_ms": round((k - 20) / 200 * budget, 6),
                    "score": round(0.02 * (k - 22), 4),
                }
                for k in range(31)
                if k != 20
            ],
        },
    }


def made_up_curves(front: dict[str, Any]) -> dict[str, Any]:
    """Five searches of each kind, each with an end of its own, and one of a third."""
    rng = np.random.default_rng(4)
    numbers = [int(n) for n in np.geomspace(10, 5000, 40)]
    curves = []
    for name, seeds, rate, end in (("random", 5, 900, 0.8), ("nsga2", 5, 500, 1.0), ("x", 2, 1, 1)):
        for seed in range(7, 7 + seeds):
            most = end * (1 + 0.02 * rng.normal())
            volumes = [most * (1 - math.exp(-n / rate)) for n in numbers]
            curves.append({"searcher": name, "seed": seed, "volumes": volumes})
    return {
        "format": 1,
        "belongs": curves_belong_to(front),
        "objectives": ["error", "latency_ms"],
        "reference": [40.0, front["budget_ms"]],
        "numbers": numbers,
        "curves": curves,
    }


def point(
    space: Space, row: np.ndarray, latency: float, error: float, rng: np.random.Generator
) -> dict[str, Any]:
    measured = latency * (1 + rng.normal(0, 0.015))
    parameters = float(space.parameters(row)[0])
    accuracy = 100 - error - abs(rng.normal(0, 0.3))
    return {
        "architecture": json.loads(space.decode(row).to_json()),
        "predicted_error": error,
        "predicted_error_std": 0.6,
        "predicted_latency_ms": latency,
        "predicted_latency_std": 0.012 * latency,
        "val_accuracy": accuracy,
        "score": accuracy,
        "val_images": 5000,
        "latency_ms": measured,
        "latency_low": measured * 0.991,
        "latency_high": measured * 1.009,
        "median_ms": measured * 1.02,
        "p90_ms": measured * 1.08,
        "p99_ms": measured * 1.4,
        "throughput": 1000 / measured * 1.05,
        "peak_memory_mb": 31 + parameters / 2e5,
        "model_mb": parameters * 4e-6 + 0.01,
        "macs": float(space.macs(row)[0]),
        "parameters": parameters,
    }


def tested(front: dict[str, Any]) -> dict[str, Any]:
    rng = np.random.default_rng(3)
    return {
        "format": 1,
        "weights": front["weights"],
        "images": 10000,
        "points": [
            {"digest": str(i), "test_accuracy": p["val_accuracy"] - abs(rng.normal(0.4, 0.2))}
            for i, p in enumerate(front["points"])
        ],
    }


def without(run: Run, name: str) -> Run:
    """The run after a file of it was removed."""
    (run.folder / name).unlink()
    return replace(run)
