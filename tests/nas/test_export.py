"""Exported files against PyTorch: computed here, from the weights file alone."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import numpy_helper
from PIL import Image
from torch import Tensor, nn

from latency_lut import Device, Effort, Latency, Model, NetworkLatency, measure_networks
from nas.data.batches import as_tensors
from nas.export import Agreement, ExportOptions
from nas.jobs.trained import TrainedRun
from nas.run import Run
from nas.training.recalibrate import recalibrate
from search_spaces import Architecture
from search_spaces.files import sha256_of
from tests.nas.conftest import Job
from tests.nas.tiny import CLASSES, nas, registered

OPTIONS = {
    "float": (),
    "raw": ("--raw",),
    "raw NHWC": ("--raw", "--layout", "NHWC"),
    "raw uint8": ("--raw", "--dtype", "uint8"),
    "raw uint8 NHWC": ("--raw", "--dtype", "uint8", "--layout", "NHWC"),
    "free batch": ("--batch", 0),
    "batch of 16": ("--batch", 16),
    "raw batch of 64": ("--raw", "--batch", 64),
}


@pytest.fixture(scope="module")
def trained(job: Job) -> TrainedRun:
    with registered():
        run = TrainedRun(Run(job.run))
        assert run.space.name == "tiny"
        return run


@pytest.fixture(autouse=True)
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that are timed are timed briefly."""
    effort = Effort(rounds=2, runs=1, legs=1)
    timed = functools.partial(measure_networks, effort=effort)
    monkeypatch.setattr("nas.jobs.shipped.measure_networks", timed)


@pytest.fixture(scope="module")
def smaller(job: Job, trained: TrainedRun, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An architecture at a resolution below that of the images."""
    row = np.zeros(len(trained.space.choices), dtype=np.int64)
    path = tmp_path_factory.mktemp("architecture") / "smaller.json"
    path.write_text(trained.space.decode(row).to_json())
    return path


@pytest.fixture(scope="module")
def pixels(trained: TrainedRun) -> Tensor:
    """The held-out images: uint8 [40, 3, 10, 10]."""
    return as_tensors(trained.dataset.splits.val)[0]


def resized(pixels: Tensor, side: int) -> Tensor:
    """uint8 [N, 3, side, side], rounded as PyTorch resizes bytes."""
    if pixels.shape[-1] == side:
        return pixels
    return nn.functional.interpolate(pixels, (side, side), mode="bilinear", antialias=True)


def standardised(pixels: Tensor, images: Tensor) -> Tensor:
    """Pixels by the mean and deviation of the training images, channel by channel."""
    values = images.double()
    mean, std = values.mean((0, 2, 3)), values.std((0, 2, 3), correction=0)
    return ((pixels.double() - mean.view(3, 1, 1)) / std.view(3, 1, 1)).float()


def network(trained: TrainedRun, architecture: Architecture) -> nn.Module:
    """The subnet, extracted and recalibrated on the training images, which are few."""
    module = trained.trained.supernet.extract(architecture)
    images = trained.dataset.images.train
    side = int(str(architecture["resolution"]))
    recalibrate(module, [standardised(resized(images, side), images)])
    return module.eval()


def feed(kind: str, pixels: Tensor, images: Tensor) -> np.ndarray:
    """What a deployer would feed."""
    if "raw" not in kind:
        return standardised(pixels, images).numpy()
    raw = pixels.numpy().transpose(0, 2, 3, 1) if "NHWC" in kind else pixels.numpy()
    return np.ascontiguousarray(raw.astype(np.uint8 if "uint8" in kind else np.float32))


@pytest.mark.parametrize("size", ["best", "smaller"])
@pytest.mark.parametrize("kind", OPTIONS)
def test_the_file_computes_what_pytorch_does(
    job: Job,
    trained: TrainedRun,
    pixels: Tensor,
    smaller: Path,
    tmp_path: Path,
    kind: str,
    size: str,
) -> None:
    architecture_file = job.run / "best.json" if size == "best" else smaller
    out = tmp_path / "model.onnx"
    said = nas("export", job.run, "--architecture", architecture_file, "-o", out, *OPTIONS[kind])
    assert said.code == 0, said.err
    onnx.checker.check_model(str(out), full_check=True)
    architecture = Architecture.from_json(architecture_file.read_text())
    side, images = int(str(architecture["resolution"])), trained.dataset.images.train
    small = resized(pixels, side)
    with torch.inference_mode():
        expected = network(trained, architecture)(standardised(small, images)).numpy()
    session = onnxruntime.InferenceSession(str(out), providers=["CPUExecutionProvider"])
    (taken,) = session.get_inputs()
    batch = taken.shape[0] if isinstance(taken.shape[0], int) else 7
    # Whole batches; the first images again at the end.
    order = np.arange(-(-len(small) // batch) * batch) % len(small)
    values = feed(kind, small, images)[order]
    parts = np.split(values, len(values) // batch)
    found = np.concatenate([session.run(None, {taken.name: part})[0] for part in parts])
    assert found.shape[1] == CLASSES
    np.testing.assert_allclose(found, expected[order], atol=1e-4)


@pytest.mark.parametrize("kind", OPTIONS)
def test_what_a_deployer_needs_is_in_the_file(
    job: Job, trained: TrainedRun, tmp_path: Path, kind: str
) -> None:
    out = tmp_path / "model.onnx"
    assert nas("export", job.run, "-o", out, *OPTIONS[kind]).code == 0
    model = onnx.load(out)
    known = {entry.key: entry.value for entry in model.metadata_props}
    (taken,), (given,) = model.graph.input, model.graph.output
    assert (known["input_name"], known["output_name"]) == (taken.name, given.name)
    dims = [d.dim_param or d.dim_value for d in taken.type.tensor_type.shape.dim]
    layout = "NHWC" if "NHWC" in kind else "NCHW"
    side = json.loads((job.run / "best.json").read_text())["choices"]["resolution"]
    assert known["input_layout"] == layout and known["input_size"] == f"{side}x{side}"
    assert dims[1:] == ([side, side, 3] if layout == "NHWC" else [3, side, side])
    fixed = {"free batch": "dynamic", "batch of 16": "16", "raw batch of 64": "64"}
    assert known["batch"] == fixed.get(kind, "1")
    assert known["batch"] == ("dynamic" if isinstance(dims[0], str) else str(dims[0]))
    dtype = onnx.helper.tensor_dtype_to_np_dtype(taken.type.tensor_type.elem_type).name
    assert known["input_dtype"] == dtype == ("uint8" if "uint8" in kind else "float32")
    assert known["input_channels"] == "RGB"
    takes = {
        "float": "yes",
        "raw": "no, takes raw float32 pixels in NCHW",
        "raw NHWC": "no, takes raw float32 pixels in NHWC",
        "raw uint8": "no, takes raw uint8 pixels in NCHW",
        "raw uint8 NHWC": "no, takes raw uint8 pixels in NHWC",
        "free batch": "no, takes any number of images",
        "batch of 16": "no, takes 16 images",
        "raw batch of 64": "no, takes raw float32 pixels in NCHW and 64 images",
    }
    assert known["input_as_timed"] == takes[kind]
    raw = "raw" in kind
    assert known["input_range"].startswith("0 to 255") == raw
    normalisation = json.loads(known["normalisation"])
    images = trained.dataset.images.train.double()
    assert normalisation["inside_the_graph"] == raw
    assert list(normalisation["mean"]) == list(normalisation["std"]) == ["R", "G", "B"]
    mean, std = images.mean((0, 2, 3)), images.std((0, 2, 3), correction=0)
    assert list(normalisation["mean"].values()) == pytest.approx(mean.tolist())
    assert list(normalisation["std"].values()) == pytest.approx(std.tolist())
    assert json.loads(known["classes"]) == [str(n) for n in range(CLASSES)]
    assert {opset.domain: str(opset.version) for opset in model.opset_import}[""] == known["opset"]
    best = json.loads((job.run / "best.json").read_text())
    best.pop("measured")
    assert json.loads(known["architecture"]) == best
    assert known["space_digest"] == best["identity"]
    assert known["weights_digest"] == sha256_of(job.run / "supernet.safetensors")
    splits = trained.dataset.splits
    assert known["data_digest"] == splits.train.fingerprint + splits.val.fingerprint
    architecture = Architecture.from_json((job.run / "best.json").read_text())
    assert known["network_digest"] == trained.space.digest(architecture)
    assert known["producer"].startswith("nas-loop ")


def test_the_file_says_how_images_were_made_square_and_resized(
    run: Path, smaller: Path, trained: TrainedRun, tmp_path: Path
) -> None:
    config = run / "config.yaml"
    text = config.read_text()
    assert "fit: crop" in text and "background: [255, 255, 255]" in text
    # The images are square, so that these change no pixel.
    text = text.replace("fit: crop", "fit: pad")
    config.write_text(text.replace("background: [255, 255, 255]", "background: [10, 20, 30]"))
    out = tmp_path / "model.onnx"
    said = nas("export", run, "--architecture", smaller, "-o", out)
    assert said.code == 0, said.err
    known = {entry.key: entry.value for entry in onnx.load(out).metadata_props}
    assert known["image_fit"] == "pad"
    assert json.loads(known["image_background"]) == [10, 20, 30]
    assert known["image_filter"] == "bilinear, antialiased"
    first, second = json.loads(known["image_sizes"])
    assert known["input_size"] == f"{second}x{second}" == "8x8"
    # As a deployer would: the image files, by what the file says.
    originals = np.load(trained.config.data.path)["images"]
    size = (first, first)
    ours = [
        np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR))
        for image in originals
    ]
    held_out = trained.dataset.splits.val.images
    assert {image.tobytes() for image in held_out[:, 0]} <= {image.tobytes() for image in ours}


def test_the_same_again_is_the_same_file(run: Path) -> None:
    before = (run / "best.onnx").read_bytes()
    assert nas("export", run).code == 0
    assert (run / "best.onnx").read_bytes() == before


def test_what_was_not_timed_is_said_and_timed_as_it_is_written(
    run: Path, smaller: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "other.onnx"
    plain = nas("export", run, "-o", out)
    assert plain.code == 0 and "not what was timed" not in plain.out
    asked: list[tuple[bytes, int, bool]] = []

    def known(models: list[Model], device: Device, **options: Any) -> list[NetworkLatency]:
        # Of whatever is timed, beside networks of the table that have its pace.
        (model,) = models
        asked.append((model.content(), device.fingerprint().threads, bool(options["pace"].anchors)))
        latency = Latency(takes_ms, 0.01, (takes_ms, takes_ms), takes_ms, 5)
        return [NetworkLatency(model.name, latency, 1.0, 1.0, 1.0, 1.0, None, 1.0)]

    monkeypatch.setattr("nas.jobs.shipped.measure_networks", known)
    front = json.loads((run / "front.json").read_text())
    searched, budget = front["points"][front["best"]]["latency_ms"], front["budget_ms"]
    for takes_ms, confidence, words in (
        (0.9 * budget, None, f"keeps the budget of {budget:g} ms"),
        # 95% of a normal distribution lie below 1.645 deviations above its middle.
        (budget - 0.0165, 0.95, f"keeps the budget of {budget:g} ms at 95% confidence"),
        (budget - 0.0164, 0.95, f"is over the budget of {budget:g} ms at 95% confidence"),
        (1.1 * budget, None, f"is over the budget of {budget:g} ms"),
    ):
        (run / "front.json").write_text(json.dumps({**front, "confidence": confidence}))
        said = nas("export", run, "-o", out, "--raw", "--dtype", "uint8")
        told = " ".join(said.out.split())
        assert "this file takes raw uint8 pixels in NCHW; timed now it takes " in told
        searched_ms = f"({searched:.4g} ms in the search)"
        assert told.endswith(f"{takes_ms:.4g} ms ± 0.01 {searched_ms}, which {words}")
    assert asked == [(out.read_bytes(), 1, True)] * 4
    # Named by a file of another folder it is the same network.
    copy = tmp_path / "copy.json"
    copy.write_bytes((run / "best.json").read_bytes())
    said = nas("export", run, "--architecture", copy, "--batch", 0, "--json")
    assert said.json["not_as_timed"] == {
        "takes": "any number of images",
        "latency_ms": takes_ms,
        "latency_error_ms": 0.01,
        "searched_ms": searched,
        "budget_ms": budget,
        "confidence": None,
        "within": False,
    }
    # Without a search of it, or of several images, or without the table, there is where to ask.
    (run / "latency" / "cpu.json").unlink()
    ask = f"`nas profile {out} --table {run}` times it"
    for options, more in (
        (("--raw", "--architecture", smaller), ""),
        (("--batch", 8), ""),
        (("--raw",), " (not done here: "),
    ):
        said = nas("export", run, "-o", out, *options)
        told = " ".join(said.out.split())
        assert said.code == 0 and "not what was timed" in told and ask + more in told
    assert len(asked) == 5


@pytest.mark.parametrize("scale", [-1.0, 1.01, float("nan")])
def test_a_file_that_does_not_agree_is_refused_and_not_left(
    run: Path, monkeypatch: pytest.MonkeyPatch, scale: float
) -> None:
    from nas.jobs import export as job_export

    honest = job_export.onnx_model

    def tampered(*arguments: Any) -> onnx.ModelProto:
        model = honest(*arguments)
        weights = model.graph.initializer[-2]
        wrong = numpy_helper.to_array(weights) * np.float32(scale)
        weights.CopyFrom(numpy_helper.from_array(wrong.astype(np.float32), weights.name))
        return model

    monkeypatch.setattr(job_export, "onnx_model", tampered)
    before = (run / "best.onnx").read_bytes()
    said = nas("export", run)
    assert said.code == 2 and said.err.count("\n") == 1
    assert said.err.startswith(f"nas: {run}/best.onnx was not written: on 40 images ")
    assert (run / "best.onnx").read_bytes() == before
    assert nas("export", run, "-o", run / "new.onnx").code == 2
    assert not (run / "new.onnx").exists()


def test_ties_are_counted_apart() -> None:
    assert Agreement(10, 1e-6, 1.0, ties=3, different=0).holds
    assert not Agreement(10, 1e-6, 1.0, ties=0, different=1).holds
    assert not Agreement(10, 1e-2, 1.0, ties=0, different=0).holds
    assert Agreement(10, 1e-2, 100.0, ties=0, different=0).holds, "of the largest logit"
    assert not Agreement(10, 1e-4, 0.01, ties=0, different=0).holds
    assert ExportOptions().batch == 1
