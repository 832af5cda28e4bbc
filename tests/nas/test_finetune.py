"""``nas finetune``: one subnet trained on, and exported with weights of its own."""

from __future__ import annotations

import json
import re
import shutil
import signal
from pathlib import Path

import onnx
import onnxruntime
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from nas.config import Phase, TrainConfig
from nas.data.augment import AugmentOptions, Normalisation, normalise, resize
from nas.data.facts import histogram_of
from nas.jobs.finetune import fine_tune
from nas.jobs.trained import TrainedRun
from nas.run import Run
from nas.training.images import Images
from nas.training.ranks import Ranks
from nas.training.start import Start
from nas.training.trainer import Trainer
from nas.weights import load_subnet, load_supernet, save_supernet
from search_spaces import Architecture
from search_spaces.errors import ArtefactError
from tests.nas.tiny import nas, registered, start, tiny, write_config, write_images


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finetune")
    config = write_config(folder / "nas.yaml", write_images(folder / "images.npz"))
    said = nas("train", config, "--out", folder / "run")
    assert said.code == 0, said.err
    space = tiny()
    file = folder / "run" / "chosen.json"
    file.write_text(space.decode(space.smallest).to_json())
    return folder / "run"


def tuned(run: Path, *more: object) -> dict[str, object]:
    said = nas("finetune", run, "--architecture", run / "chosen.json", "--json", *more)
    assert said.code == 0, said.err
    document: dict[str, object] = said.json
    return document


def test_the_subnet_alone_is_trained_and_taught_by_the_largest() -> None:
    space = tiny()
    pixels = torch.arange(32 * 3 * 10 * 10).mul(37).to(torch.uint8).view(32, 3, 10, 10)
    labels = torch.arange(32) % 4
    still = AugmentOptions(shift=0, flip=False)
    normalisation = Normalisation.of_histogram(histogram_of(pixels.numpy()))
    images = Images(pixels, labels, pixels, labels, normalisation, still)
    torch.manual_seed(1)
    weights = {name: tensor.clone() for name, tensor in space.supernet().state_dict().items()}
    chosen = space.decode(space.smallest)
    config = TrainConfig(
        "single-path", batch_size=32, learning_rate=0.01, threads=1, phases=(Phase("all", 1),)
    )
    trainer = Trainer(space, images, config, Ranks(), Start(weights, chosen))
    learner = trainer.learner
    asked: list[list[Architecture]] = []
    plain = learner.step

    def noted(x: Tensor, targets: Tensor, architectures: list[Architecture]) -> list[float]:
        asked.append(architectures)
        return plain(x, targets, architectures)

    learner.step = noted  # type: ignore[method-assign]
    losses: list[float] = []
    trainer.one_epoch(0, 0, 1, lambda progress: losses.append(progress.loss))
    assert asked == [[chosen]]
    assert list(trainer.log[0])[4:5] == ["val"]
    twin = space.supernet().train()
    twin.load_state_dict(weights)
    x = normalise(pixels, images.normalisation)
    assert learner.teacher is not None
    with torch.no_grad():
        logs = twin(resize(x, 8), chosen).log_softmax(1)
        hard = -0.9 * logs[torch.arange(32), labels].mean() - 0.1 * logs.mean()
        soft = -(learner.teacher(x).softmax(1) * logs).sum(1).mean()
    assert losses == pytest.approx([float(hard + soft)], rel=1e-5)


def test_its_weights_are_exported_with_their_own_digest(run: Path, tmp_path: Path) -> None:
    chosen = ("--architecture", run / "chosen.json", "--epochs", 2, "-o", tmp_path / "tuned")
    answer = nas("finetune", run, *chosen, "--json")
    assert answer.code == 0, answer.err
    said = answer.json
    assert answer.err.startswith("one subnet, 2 epochs: about "), answer.err
    # What is left is no more than what was said.
    megabytes = int(answer.err.split(" MB in ")[0].rpartition(" ")[2])
    left = sum(file.stat().st_size for file in (tmp_path / "tuned").iterdir())
    assert 0.2e6 * megabytes < left <= 1e6 * megabytes
    weights = Path(str(said["weights"]))
    assert json.loads((tmp_path / "tuned" / "finetune.json").read_text()) == said
    header, *rows = (tmp_path / "tuned" / "log.csv").read_text().splitlines()
    assert "val" in header.split(",") and len(rows) == 2
    found = load_subnet(weights, tiny())
    assert found.architecture == tiny().decode(tiny().smallest)
    inherited = load_supernet(run / "supernet.safetensors", tiny()).supernet
    before = inherited.extract(found.architecture).state_dict()
    after = found.subnet.state_dict()
    assert before.keys() == after.keys()
    assert any(not torch.equal(before[name], after[name]) for name in before)
    out = nas("export", run, "--weights", weights, "--json")
    assert out.code == 0, out.err
    # The run's best is another one.
    file = tmp_path / "tuned" / "subnet.onnx"
    assert out.json["file"] == str(file) and not (run / "best.onnx").exists()
    metadata = {prop.key: prop.value for prop in onnx.load(file).metadata_props}
    assert metadata["weights_digest"] == found.digest
    x = torch.randn(1, 3, 8, 8)
    session = onnxruntime.InferenceSession(file)
    (scores,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
    with torch.no_grad():
        torch.testing.assert_close(torch.from_numpy(scores), found.subnet(x), rtol=1e-3, atol=1e-4)


def test_killed_and_resumed_it_ends_in_the_same_weights(run: Path, tmp_path: Path) -> None:
    whole = tuned(run, "--epochs", 4, "-o", tmp_path / "whole")
    chosen = run / "chosen.json"
    arguments = ["finetune", run, "--architecture", chosen, "--epochs", 4, "-o", tmp_path / "cut"]
    with start(*arguments) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "finetune: 2." in line:
                process.send_signal(signal.SIGKILL)
                break
        process.wait()
    assert not (tmp_path / "cut" / "subnet.safetensors").exists()
    again = nas(*arguments)
    assert again.code == 2 and "add --resume" in again.err
    more = nas(*arguments, "--resume", "--json")
    assert more.code == 0, more.err
    resumed = more.json
    told = rf"one subnet, 4 epochs, [12] of them to go: about \d+ s and \d+ MB in {tmp_path}/cut \("
    assert re.match(told, more.err), more.err
    one, other = (load_file(str(said["weights"])) for said in (whole, resumed))
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert whole["val_finetuned"] == resumed["val_finetuned"]


def test_what_does_not_belong_is_refused(run: Path, tmp_path: Path) -> None:
    said = tuned(run, "--epochs", 1, "-o", tmp_path / "tuned")
    weights = Path(str(said["weights"]))
    whole = run / "supernet.safetensors"
    chosen = run / "chosen.json"
    tune = ("finetune", run, "--architecture", chosen, "-o")
    cases: tuple[tuple[tuple[object, ...], str], ...] = (
        (("export", run, "--weights", whole), "of a supernet, not of one subnet"),
        (("export", run, "--weights", weights, "--architecture", "x"), "leave out --architecture"),
        (("export", run, "--weights", tmp_path / "none"), "no file of a fine-tuned subnet"),
        (("export", run, "--weights", tmp_path), "no file of a fine-tuned subnet"),
        (("finetune", run), "no best network yet"),
        ((*tune, run), "is not empty"),
        ((*tune, weights), "is a file"),
        ((*tune, tmp_path / "tuned"), "add --resume"),
        ((*tune, tmp_path / "tuned", "--epochs", 2, "--resume"), "another train.phases"),
    )
    for arguments, reason in cases:
        answer = nas(*arguments)
        assert answer.code == 2 and reason in answer.err, (arguments, answer.err)
        assert len(answer.err.strip().splitlines()) == 1
    with pytest.raises(ArtefactError, match="the weights of one subnet"):
        load_supernet(weights, tiny())
    truncated = tmp_path / "half.safetensors"
    truncated.write_bytes(weights.read_bytes()[:-100])
    assert nas("export", run, "--weights", truncated).code == 2


def test_a_run_of_other_weights_does_not_resume_it(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "run", ignore=shutil.ignore_patterns("finetuned"))
    with registered():
        trained = TrainedRun(Run.open(tmp_path / "run"))
        chosen = tiny().decode(tiny().smallest)
        config = TrainConfig("single-path", batch_size=32, threads=1, phases=(Phase("all", 1),))
        folder = tmp_path / "tuned"
        folder.mkdir()
        fine_tune(trained, chosen, config, folder, lambda _: None)
        other = tiny().decode(tiny().largest)
        with pytest.raises(ArtefactError, match="another subnet"):
            fine_tune(trained, other, config, folder, lambda _: None)
        known = load_supernet(trained.run.supernet, tiny())
        with torch.no_grad():
            next(known.supernet.parameters()).add_(1.0)
        path = trained.run.supernet
        save_supernet(path, known.supernet, known.normalisation, known.classes, known.data)
        with pytest.raises(ArtefactError, match="another weights;"):
            fine_tune(TrainedRun(Run.open(path.parent)), chosen, config, folder, lambda _: None)


def test_a_subnet_of_another_run_is_not_exported(run: Path, tmp_path: Path) -> None:
    said = tuned(run, "--epochs", 1, "-o", tmp_path / "tuned")
    shutil.copytree(run, tmp_path / "run", ignore=shutil.ignore_patterns("finetuned"))
    path = tmp_path / "run" / "supernet.safetensors"
    known = load_supernet(path, tiny())
    other = Normalisation((1.0, 2.0, 3.0), known.normalisation.std)
    save_supernet(path, known.supernet, other, known.classes, known.data)
    answer = nas("export", tmp_path / "run", "--weights", said["weights"])
    assert answer.code == 2 and "on images of other mean;" in answer.err


def test_a_folder_is_of_one_subnet(run: Path, tmp_path: Path) -> None:
    # As if the first had died before its first epoch was over.
    (tmp_path / "tuned").mkdir()
    space = tiny()
    largest = space.decode(space.largest).to_json()
    (tmp_path / "tuned" / "architecture.json").write_text(largest)
    answer = nas(
        *("finetune", run, "--architecture", run / "chosen.json", "--resume"),
        *("-o", tmp_path / "tuned"),
    )
    assert answer.code == 2 and "fine-tuning of another subnet" in answer.err
