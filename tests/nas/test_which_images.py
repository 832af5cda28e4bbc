"""Which images a step sees: held-out ones guide a search, test images are for the report alone."""

from __future__ import annotations

import functools
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits
from torch import Tensor

from latency_lut import Effort, measure_networks
from nas.config import Config
from nas.data.batches import as_tensors
from nas.dataset import open_dataset
from nas.training.evaluate import Evaluator
from nas.weights import load_supernet
from search_spaces import Architecture
from tests.nas.conftest import BUDGET_MS, Job
from tests.nas.tiny import CLASSES, nas, registered, rows, tiny, write_config


def write_pictures(folder: Path) -> Path:
    """Digits as class folders of PNG files, 160 below ``train`` and 40 below ``test``."""
    digits = load_digits()
    kept = np.flatnonzero(digits.target < CLASSES)[:200]
    for number, image in enumerate(kept):
        part = "train" if number < 160 else "test"
        path = folder / part / f"digit {digits.target[image]}" / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray((digits.images[image] * 15).astype(np.uint8)).save(path)
    return folder


def test_only_the_report_opens_test_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    brief = functools.partial(measure_networks, effort=Effort(rounds=4, runs=1), memory=False)
    monkeypatch.setattr("nas.jobs.candidates.measure_networks", brief)
    config = write_config(tmp_path / "config.yaml", write_pictures(tmp_path / "digits"))
    config.write_text(config.read_text().replace("[8, 10]", "[8]"))  # Half as much to measure.
    picture = sorted((tmp_path / "digits" / "test").rglob("*.png"))[-1]
    whole = picture.read_bytes()
    picture.write_bytes(b"no picture")
    run = tmp_path / "run"
    for command in (
        ("train", config, "--out", run),
        ("measure", run, "--allow-noisy"),
        ("search", run, "--latency-ms", BUDGET_MS),
        ("export", run),
    ):
        said = nas(*command)
        assert said.code == 0, said.err
    said = nas("report", run)
    assert said.code == 2 and said.err.splitlines()[-1].startswith(f"nas: {picture}: ")
    assert not (run / "report.html").exists() and not (run / "test.json").exists()
    picture.write_bytes(whole)
    assert nas("report", run).code == 0
    assert json.loads((run / "test.json").read_text())["images"] == 40


def test_accuracies_of_samples_and_candidates_are_those_on_held_out_images(job: Job) -> None:
    with registered():
        dataset = open_dataset(Config.load(job.run / "config.yaml"))
    space, images = tiny(), dataset.images
    trained = load_supernet(job.run / "supernet.safetensors", space)
    evaluator = Evaluator(trained.supernet, images.normalisation, images.calibration)
    front = job.said["search"].json
    known = {
        space.decode(json.loads(row)): accuracy
        for row, accuracy, *_ in rows(job.run / "samples.sqlite", "samples")[:6]
    }
    for point in front["points"] + front["dominated"]:
        architecture = Architecture.from_json(json.dumps(point["architecture"]))
        known[architecture] = point["val_accuracy"]
        assert point["val_images"] == len(images.val) == 40
    assert len(known) >= 6

    def accuracies(pixels: Tensor, labels: Tensor) -> list[float]:
        return [evaluator.accuracy(one, pixels, labels) for one in known]

    assert accuracies(images.val, images.val_labels) == pytest.approx(list(known.values()))
    for others in (dataset.splits.train, dataset.splits.test()):
        assert accuracies(*as_tensors(others)) != pytest.approx(list(known.values()))
