"""Published once-for-all weights become a run, and the commands take it without training."""

from __future__ import annotations

import functools
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch

import predictors
from latency_lut import Effort, measure_networks
from nas.config import Config
from nas.header import peek
from nas.jobs.outside import IMAGENET
from nas.jobs.trained import TrainedRun
from nas.photographs import photographs
from nas.run import Run
from search_spaces import ofa
from search_spaces.files import sha256_of
from tests.nas.tiny import Said, nas

CLASSES = 10
SIDE = 32
BUDGET_MS = 50.0
"""Milliseconds that every network of the imported space keeps, on any machine."""
GOLDEN = {
    "ofa-mobilenetv3": "ofa_golden",
    "ofa-proxyless": "ofa_golden_proxyless",
    "ofa-resnet50": "ofa_golden_resnet50",
}


def lessened(run: Path) -> None:
    """As little measuring as the configuration allows."""
    config = run / "config.yaml"
    text = config.read_text()
    for key, value in {
        "rounds": 3,
        "runs": 1,
        "references": 3,
        "samples": 10,
        "candidates": 3,
    }.items():
        text = re.sub(rf"(?m)^(  {key}): \d+$", rf"\1: {value}", text)
    config.write_text(text)


def import_ofa(folder: Path, out: Path, *arguments: object, side: int = SIDE) -> Said:
    weights = folder / GOLDEN["ofa-mobilenetv3"] / "weights.npz"
    fixed = ("--space", "ofa-mobilenetv3", "--resolution", side, "--out", out)
    return nas("import-ofa", weights, *fixed, *arguments, "--json")


@pytest.fixture(scope="module")
def measured(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of imported weights without images, and its latency table. Not to be changed."""
    run = tmp_path_factory.mktemp("imported") / "run"
    said = import_ofa(shared_data, run)
    assert said.code == 0, said.err
    lessened(run)
    said = nas("measure", run, "--allow-noisy")
    assert said.code == 0, said.err
    return run


@pytest.fixture
def run(measured: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy, to be changed; searches in it time their candidates briefly."""
    brief = functools.partial(measure_networks, effort=Effort(rounds=4, runs=1), memory=False)
    monkeypatch.setattr("nas.jobs.candidates.measure_networks", brief)
    return Path(shutil.copytree(measured, tmp_path / "run"))


@pytest.mark.parametrize("name", GOLDEN)
def test_the_run_has_ofas_weights(name: str, shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / GOLDEN[name]
    said = json.loads((folder / "configs.json").read_text())
    options: list[str] = []
    if name == "ofa-resnet50":  # what its shapes do not tell
        published = ("widths", "width_mult_list"), ("depths", "depth_list")
        for key, theirs in (*published, ("expands", "expand_ratio_list")):
            options += ["--option", f"{key}={json.dumps(said[theirs])}"]
    out = tmp_path / "run"
    done = nas("import-ofa", folder / "weights.npz", "--space", name, "--out", out,
               "--resolution", 64, *options, "--json")  # fmt: skip
    assert done.code == 0, done.err
    assert done.json["classes"] == said["num_classes"] and done.json["resolutions"] == [64]
    trained = TrainedRun(Run.open(out))
    cases = np.load(folder / "cases.npz")
    image = torch.from_numpy(cases["input"])
    for config, expected in list(zip(said["configs"], cases["outputs"], strict=True))[:4]:
        subnet = trained.evaluator.network(ofa.from_config(trained.space, config))
        with torch.no_grad():
            found = subnet(image).numpy()
        assert np.abs(found - expected).max() < 1e-5 * np.abs(expected).max()


def test_what_is_imported_says_so(shared_data: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    said = nas("import-ofa", shared_data / "ofa_golden" / "weights.npz", "--space",
               "ofa-mobilenetv3", "--out", out)  # fmt: skip
    assert said.code == 0, said.err
    assert "ofa-mobilenetv3, width 0.35, 10 classes, 25 resolutions: wrote" in said.out
    assert f"next: nas measure {out}" in said.out
    published = "kernels [3, 5, 7], expands [3, 4, 6], depths [2, 3, 4]"
    assert f"taken as published ({published}; others by --option)" in said.out
    header = peek(out / "supernet.safetensors")
    assert header.origin.startswith("weights.npz, SHA-256 ")
    assert (header.mean, header.std) == (IMAGENET.mean, IMAGENET.std)
    # The mean and deviation of ImageNet, as published for images from 0 to 1.
    np.testing.assert_allclose(np.array(header.mean) / 255, (0.485, 0.456, 0.406))
    np.testing.assert_allclose(np.array(header.std) / 255, (0.229, 0.224, 0.225))
    space = TrainedRun(Run.open(out)).space
    resolution = next(choice for choice in space.choices if choice.name == "resolution")
    assert resolution.values == tuple(range(128, 225, 4))


def test_without_images_a_search_goes_by_a_proxy_and_says_so(run: Path) -> None:
    said = nas("search", run, "--latency-ms", BUDGET_MS, "--proxy", "macs", "--budget", 300)
    assert said.code == 0, said.err
    assert "(proxy macs; no images to measure on)" in said.out
    front = json.loads((run / "front.json").read_text())
    assert (front["guide"], front["score"]) == ("proxy macs", "MACs, million")
    best = front["points"][front["best"]]
    assert best["val_accuracy"] is None and best["val_images"] == 0
    assert "predicted_error" not in best
    points = [*front["points"], *front["dominated"]]
    assert all(point["score"] == point["macs"] / 1e6 for point in points)
    assert best["macs"] == max(p["macs"] for p in points if p["latency_ms"] <= BUDGET_MS)
    assert not (run / "samples.sqlite").exists()

    said = nas("report", run, "--json")
    assert said.code == 0, said.err
    assert "test_accuracy" not in said.json and not (run / "test.json").exists()
    page = (run / "report.html").read_text()
    assert "Networks were judged by the proxy macs." in page
    assert "batch norms keep the statistics of the imported supernet" in page
    assert "MACs against latency" in page and "% validation" not in page
    assert "weights.npz, SHA-256 " in page
    assert "nas import-ofa WEIGHTS --space ofa-mobilenetv3" in page
    assert f"--resolution {SIDE} --option width=0.35 --out {run}" in page
    assert "--proxy macs" in page and "nas train" not in page


def test_a_report_of_a_run_that_is_only_imported_names_the_next_commands(
    shared_data: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    assert import_ofa(shared_data, out).code == 0
    assert nas("report", out).code == 0
    page = (out / "report.html").read_text()
    assert "imported, not searched yet" in page and "nas train" not in page
    assert "--latency-ms BUDGET --proxy macs" in page
    (out / "supernet.safetensors").unlink()  # as when killed before the weights were written
    assert nas("report", out).code == 0
    page = (out / "report.html").read_text()
    assert "not trained yet" in page and "nas train" not in page
    assert "nas import-ofa WEIGHTS --space ofa-mobilenetv3" in page
    assert "batch norms keep" not in page


def test_weights_that_know_images_are_not_used_without(job: Any, tmp_path: Path) -> None:
    run = Path(shutil.copytree(job.run, tmp_path / "run"))
    config = Config.load(run / "config.yaml")
    replace(config, data=None).save(run / "config.yaml")
    for command in (("search", run, "--latency-ms", BUDGET_MS, "--proxy", "macs"), ("export", run)):
        refused(nas(*command), "data is null", "belong to images; restore that section")


def test_without_images_a_search_goes_by_a_fitted_predictor(run: Path, tmp_path: Path) -> None:
    space = TrainedRun(Run.open(run)).space
    X = space.sample(60, np.random.default_rng(0))
    error = 40 - 10 * np.log10(space.macs(X) / 1e6)
    fitted = predictors.get("ridge", space).fit(X, error)
    fitted.save(tmp_path / "ofa.npz")
    said = nas("search", run, "--latency-ms", BUDGET_MS, "--predictor", tmp_path / "ofa.npz",
               "--budget", 300, "--json")  # fmt: skip
    assert said.code == 0, said.err
    front = said.json
    assert front["guide"] == "ridge predictor in ofa.npz"
    assert front["guide_identity"] == f"SHA-256 {sha256_of(tmp_path / 'ofa.npz')}"
    assert front["score"] == "predicted accuracy, %"
    for point in front["points"]:
        architecture = json.dumps(point["architecture"])
        row = space.encode(type(space.decode(X[0])).from_json(architecture))
        assert point["score"] == pytest.approx(100 - float(fitted.predict([row])[0]), abs=1e-5)
        assert point["score"] == 100 - point["predicted_error"]
    assert nas("report", run).code == 0
    page = (run / "report.html").read_text()
    assert "Networks were judged by the ridge predictor in ofa.npz." in page
    assert f"--predictor {tmp_path / 'ofa.npz'}" in page


def test_what_is_exported_was_compared_on_photographs(run: Path) -> None:
    assert nas("search", run, "--latency-ms", BUDGET_MS, "--proxy", "parameters",
               "--budget", 200).code == 0  # fmt: skip
    said = nas("export", run, "--json")
    assert said.code == 0, said.err
    assert said.json["compared_on"] == "crops of photographs"
    assert said.json["agreement"]["images"] == 64
    metadata = said.json["metadata"]
    assert json.loads(metadata["normalisation"])["mean"] == {"R": 123.675, "G": 116.28, "B": 103.53}
    assert not {key for key in metadata if key.startswith("image_")}
    assert metadata["data_digest"] == ""
    weights = nas("export", run, "--raw", "--layout", "NHWC", "--dtype", "uint8", "-o",
                  run / "raw.onnx", "--json")  # fmt: skip
    assert weights.code == 0, weights.err
    assert onnx.load(run / "raw.onnx").graph.input[0].type.tensor_type.shape.dim[3].dim_value == 3
    profiled = nas("profile", run / "best.onnx", "--table", run, "--json")
    assert profiled.code == 0, profiled.err


@pytest.mark.parametrize("name", ["ofa-proxyless", "ofa-resnet50"])
def test_the_other_families_go_the_whole_way_from_a_checkpoint(
    name: str, shared_data: Path, tmp_path: Path
) -> None:
    said = json.loads((shared_data / GOLDEN[name] / "configs.json").read_text())
    with np.load(shared_data / GOLDEN[name] / "weights.npz") as archive:
        weights = {key: torch.from_numpy(archive[key]) for key in archive.files}
    checkpoint, run = tmp_path / "checkpoint.pth", tmp_path / "run"
    torch.save({"epoch": 3, "state_dict": weights}, checkpoint)
    options = ()
    if name == "ofa-resnet50":
        options = ("--option", f"widths={said['width_mult_list']}")
    done = nas("import-ofa", checkpoint, "--space", name, "--resolution", SIDE, *options,
               "--out", run, "--json")  # fmt: skip
    assert done.code == 0, done.err
    assert ("depths" in done.json["assumed"]) and ("widths" not in done.json["assumed"])
    lessened(run)
    table = nas("measure", run, "--allow-noisy", "--json")
    assert table.code == 0, table.err
    found = nas("search", run, "--latency-ms", BUDGET_MS, "--proxy", "macs", "--budget", 200,
                "--json")  # fmt: skip
    assert found.code == 0, found.err
    best = found.json["points"][found.json["best"]]
    exported = nas("export", run, "--json")
    assert exported.code == 0, exported.err
    profile = nas("profile", run / "best.onnx", "--table", run, "--json")
    assert profile.code == 0, profile.err
    assert profile.json["macs"] == best["macs"] and profile.json["latency_ms"] > 0


def images_of(classes: int, path: Path) -> Path:
    rng = np.random.default_rng(0)
    labels = np.arange(20 * classes) % classes
    pixels = rng.integers(0, 256, (len(labels), SIDE, SIDE, 3), dtype=np.uint8)
    np.savez(path, images=pixels, labels=labels)
    return path


def test_with_images_accuracies_are_measured(run: Path, shared_data: Path, tmp_path: Path) -> None:
    images = images_of(CLASSES, tmp_path / "images.npz")
    out = tmp_path / "with"
    assert import_ofa(shared_data, out, "--data", images).code == 0
    lessened(out)
    shutil.copytree(run / "latency", out / "latency")
    said = nas("search", out, "--latency-ms", BUDGET_MS, "--predictor", "ridge", "--budget", 200,
               "--json")  # fmt: skip
    assert said.code == 0, said.err
    assert said.json["guide"] == "ridge predictor" and said.json["score"] == "accuracy, %"
    assert all(point["val_images"] > 0 for point in said.json["points"])
    said = nas("search", out, "--latency-ms", BUDGET_MS, "--proxy", "macs", "--budget", 200,
               "--json")  # fmt: skip
    assert said.code == 0, said.err
    assert said.json["guide"] == "proxy macs"
    assert all(point["score"] == point["val_accuracy"] for point in said.json["points"])
    assert said.json["cloud"] == []  # MACs are no accuracies
    exported = nas("export", out, "--json")
    assert exported.json["compared_on"] == "held-out images"
    assert "test_accuracy" in nas("report", out, "--json").json


def refused(said: Said, *parts: str) -> None:
    assert said.code == 2 and said.out == ""
    assert said.err.startswith("nas: ") and said.err.count("\n") == 1
    assert all(part in said.err for part in parts), said.err


def test_without_images_a_search_names_what_it_goes_by(run: Path, tmp_path: Path) -> None:
    search = ("search", run, "--latency-ms", BUDGET_MS)
    refused(nas(*search), "no images to measure subnets on", "--predictor FILE.npz", "--proxy")
    refused(nas(*search, "--proxy", "mac"), "no proxy 'mac'", "did you mean 'macs'?")
    refused(nas(*search, "--predictor", "rigde"), "no predictor 'rigde'", "'ridge'")
    refused(nas(*search, "--predictor", "ridge", "--proxy", "macs"), "by one of the two")
    space = TrainedRun(Run.open(run)).space
    X = space.sample(12, np.random.default_rng(0))
    predictors.get("ridge", space).fit(X, -70.0 - np.arange(12)).save(tmp_path / "top1.npz")
    refused(nas(*search, "--predictor", tmp_path / "top1.npz"), "errors in percent", "100 minus")
    refused(nas(*search, "--predictor", tmp_path / "no.npz"), "no.npz", "no such file")
    other = predictors.get("ridge", ofa.ofa_mobilenetv3())
    X = other.space.sample(12, np.random.default_rng(0))
    other.fit(X, np.arange(12.0)).save(tmp_path / "other.npz")
    refused(nas(*search, "--predictor", tmp_path / "other.npz"), "fitted for space")
    assert not (run / "front.json").exists() and not (run / "study.sqlite").exists()
    for evaluate in ((), ("--evaluate",)):
        refused(nas("predict", run, *evaluate), "no images to measure subnets on")
    assert not (run / "samples.sqlite").exists()


def test_what_does_not_fit_is_refused_and_leaves_nothing(shared_data: Path, tmp_path: Path) -> None:
    weights, out = shared_data / "ofa_golden" / "weights.npz", tmp_path / "run"

    def tried(*arguments: object, space: str = "ofa-mobilenetv3", file: Path = weights) -> Said:
        said = nas("import-ofa", file, "--space", space, "--out", out, *arguments)
        assert not out.exists()
        return said

    refused(tried(space="ofa-proxyless"), "of another network of the family?")
    refused(tried(space="ofa-resnet50"), "of another network of the family, or")
    refused(tried(space="small-images"), "no space of OFA's family 'small-images'; there are ofa-")
    refused(tried(space="ofa-mobilenet"), "did you mean 'ofa-mobilenetv3'?")
    text = tmp_path / "weights.txt"
    text.write_text("import torch\n")
    refused(tried(file=text), "not a whole file of weights (it begins as none of them does)")
    half = tmp_path / "half.npz"
    np.savez(half, a=np.zeros(1000, np.float32))
    half.write_bytes(half.read_bytes()[:2000])
    refused(tried(file=half), "its end is missing")
    refused(tried(file=tmp_path / "missing.pth"), "missing.pth", "cannot be read")
    refused(tried("--option", "width=1.0"), f"{weights}: ", "has shape", "--option")
    refused(tried("--option", "width"), "--option is KEY=VALUE")
    refused(tried("--option", "width=[1"), "is not YAML")
    refused(tried("--option", "wide=1.0"), "options of space", "no option 'wide'; there are width,")
    refused(tried("--option", "num_classes=3"), "num_classes")
    refused(tried("--option", "kernels=[3,5]"), "is no tensor of")
    refused(tried("--resolution", 4), "space.resolutions must ascend from 8 or more")
    refused(tried("--data", tmp_path / "none"), "none")
    images = images_of(3, tmp_path / "three.npz")
    refused(tried("--resolution", SIDE, "--data", images), "has 3 classes, the weights have 10")


def test_a_run_is_not_replaced_and_an_interrupted_import_goes_on(
    shared_data: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    assert import_ofa(shared_data, out).code == 0
    whole = (out / "supernet.safetensors").read_bytes()
    refused(import_ofa(shared_data, out, side=64), "holds trained weights already")
    assert (out / "supernet.safetensors").read_bytes() == whole
    (out / "supernet.safetensors").unlink()  # as when killed before the weights were written
    refused(import_ofa(shared_data, out, side=64), "space.resolutions")
    assert import_ofa(shared_data, out).code == 0
    assert (out / "supernet.safetensors").read_bytes() == whole


def test_there_is_nothing_to_train_on(run: Path, tmp_path: Path) -> None:
    refused(nas("train", run / "config.yaml", "--out", tmp_path / "new"), "data is null")
    assert not (tmp_path / "new").exists()


def test_images_that_are_named_later_ask_for_another_import(run: Path, tmp_path: Path) -> None:
    images = images_of(CLASSES, tmp_path / "images.npz")
    config = run / "config.yaml"
    config.write_text(config.read_text().replace("data: null", f"data: {{path: {images}}}"))
    search = nas("search", run, "--latency-ms", BUDGET_MS)
    refused(search, "made without images", f"--data {images}")


@pytest.mark.parametrize("size", [8, 224, 500])
def test_photographs_are_real_and_always_the_same(size: int) -> None:
    crops = photographs(size, 6)
    assert crops.shape == (6, 3, size, size) and crops.dtype == torch.uint8
    assert torch.equal(crops, photographs(size, 6))
    assert all(float(crop.double().std()) > 10 for crop in crops)


def test_the_headers_of_older_weights_have_no_origin(job: Any) -> None:
    assert peek(job.run / "supernet.safetensors").origin == ""
