"""``nas report`` of fine-tuned subnets: what they are worth on test images."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from nas.dataset import open_dataset
from nas.report import gather, render
from nas.run import Run
from nas.training.recalibrate import recalibrate
from nas.weights import load_subnet, load_supernet
from tests.nas.tiny import nas, tiny, write_config, write_images


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with one fine-tuned subnet, the smallest at full resolution."""
    folder = tmp_path_factory.mktemp("tuned")
    config = write_config(folder / "nas.yaml", write_images(folder / "images.npz"))
    run = folder / "run"
    assert nas("train", config, "--out", run).code == 0
    row = tiny().smallest.copy()
    row[[choice.name for choice in tiny().choices].index("resolution")] = 1  # as the images are
    (run / "chosen.json").write_text(tiny().decode(row).to_json())
    said = nas("finetune", run, "--architecture", run / "chosen.json", "--epochs", 2)
    assert said.code == 0, said.err
    return run


@pytest.fixture
def run(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "run"))


def name(run: Path) -> str:
    (folder,) = (path.name for path in (run / "finetuned").iterdir() if path.is_dir())
    return folder


def test_accuracies_are_those_of_its_own_weights_on_test_images(run: Path) -> None:
    said = nas("report", run, "--json")
    assert said.code == 0, said.err
    (one,) = said.json["finetuned"]
    tuned = load_subnet(run / "finetuned" / one["folder"] / "subnet.safetensors", tiny())
    dataset = open_dataset(Run(run).config())
    mean, std = (np.reshape(value, (1, 3, 1, 1)) for value in (tuned.header.mean, tuned.header.std))

    def pixels(images: np.ndarray) -> Tensor:
        side = int(str(tuned.architecture["resolution"]))
        assert images.shape[2:] == (side, side)
        return torch.from_numpy((images - mean) / std).float()

    test = dataset.splits.test()
    inherits = load_supernet(run / "supernet.safetensors", tiny()).supernet
    inherited = inherits.extract(tuned.architecture)
    recalibrate(inherited, iter([pixels(dataset.images.calibration.numpy())]))
    scores = {}
    for name, network in (("test_finetuned", tuned.subnet), ("test_inherited", inherited.eval())):
        with torch.no_grad():
            scores[name] = network(pixels(test.images)).numpy()
        expected = 100 * float(np.mean(scores[name].argmax(1) == test.labels))
        assert one[name] == pytest.approx(expected)
    assert not np.allclose(*scores.values())
    document = json.loads((run / "finetuned" / one["folder"] / "finetune.json").read_text())
    assert one["val_finetuned"] == document["val_finetuned"]
    assert one["val_inherited"] == document["val_inherited"]
    page = (run / "report.html").read_text()
    assert "Fine-tuned subnets" in page and one["folder"] in page
    assert f"{len(test.labels):,} test images" in page


def test_what_was_tested_is_not_tested_again(run: Path) -> None:
    assert nas("report", run).code == 0
    file = run / "finetuned_test.json"
    document = json.loads(file.read_text())
    document["subnets"][0]["test_finetuned"] = 12.5
    file.write_text(json.dumps(document))
    assert nas("report", run, "--json").json["finetuned"][0]["test_finetuned"] == 12.5
    document["weights"] = "of another supernet"
    file.write_text(json.dumps(document))
    assert nas("report", run, "--json").json["finetuned"][0]["test_finetuned"] != 12.5
    file.write_text("{")
    assert nas("report", run, "--json").json["finetuned"][0]["test_finetuned"] != 12.5


@pytest.mark.parametrize("damaged", ["subnet.safetensors", "finetune.json"])
def test_what_is_damaged_is_left_out_and_named(run: Path, damaged: str) -> None:
    file = run / "finetuned" / name(run) / damaged
    file.write_bytes(file.read_bytes()[:-9])
    said = nas("report", run, "--json")
    assert said.code == 0, said.err
    assert "finetuned" not in said.json
    page = (run / "report.html").read_text()
    assert damaged in page and "Fine-tuned subnets" not in page


def test_one_of_an_earlier_supernet_is_left_out(run: Path) -> None:
    file = run / "finetuned" / name(run) / "finetune.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"supernet": "another"}))
    assert "finetuned" not in nas("report", run, "--json").json
    assert "fine-tuned from other weights" in (run / "report.html").read_text()


def test_one_that_has_not_ended_is_no_fault_and_leaves_no_result(run: Path) -> None:
    assert nas("report", run).code == 0
    (run / "finetuned" / name(run) / "finetune.json").unlink()
    said = nas("report", run, "--json")
    assert said.code == 0 and "finetuned" not in said.json
    assert not (run / "finetuned_test.json").exists()
    assert "Fine-tuned subnets" not in (run / "report.html").read_text()


def test_a_damaged_supernet_is_named_once(run: Path) -> None:
    file = run / "supernet.safetensors"
    file.write_bytes(file.read_bytes()[:-9])
    said = nas("report", run)
    assert said.code == 2 and "supernet.safetensors" in said.err


def test_a_result_of_other_weights_is_not_shown(run: Path) -> None:
    assert nas("report", run).code == 0
    file = run / "finetuned_test.json"
    document = json.loads(file.read_text())
    file.write_text(json.dumps(document | {"weights": "of another supernet"}))
    page = render(gather(Run(run)))
    assert "it belongs to other weights" in page and "Fine-tuned subnets" not in page
