"""Bad input: one clear line on standard error, exit code 2, and every file as it was."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper
from PIL import Image

import search_spaces
from latency_lut import LatencyTable
from nas.architectures import METADATA
from nas.commands import UsageError
from tests.nas.conftest import Job
from tests.nas.tiny import files, nas, rows, tiny, write_images


def refused(folder: Path, *arguments: object) -> str:
    """What ``nas`` says to ``arguments``; nothing in ``folder`` may change."""
    before = files(folder)
    said = nas(*arguments)
    assert said.code == 2, said
    assert said.out == ""
    assert said.err.startswith("nas: ") and said.err.count("\n") == 1, said.err
    assert files(folder) == before
    return said.err[len("nas: ") :].strip()


def edit(path: Path, change: Callable[[Any], object]) -> None:
    """Change a JSON file."""
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


def truncate(path: Path, share: float = 0.6) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])


def configured(untrained: Path, old: str, new: str) -> Path:
    text = untrained.read_text()
    assert old in text
    untrained.write_text(text.replace(old, new))
    return untrained


def picture_folder(folder: Path) -> Path:
    for name in ("cats", "dogs"):
        (folder / name).mkdir(parents=True)
        for i in range(4):
            Image.new("RGB", (10, 10), (i, 90, 90)).save(folder / name / f"{i}.png")
    return folder


# Images


@pytest.mark.parametrize("command", ["train", "init"])
def test_missing_images(untrained: Path, command: str) -> None:
    (untrained.parent / "images.npz").unlink()
    argument = untrained if command == "train" else untrained.parent / "images.npz"
    out = untrained.parent / "out"
    said = refused(untrained.parent, command, argument, "--out", out)
    assert said.startswith(f"{untrained.parent}/images.npz: no such file or folder")
    assert not out.exists()


@pytest.mark.parametrize("command", ["train", "init"])
def test_an_empty_folder(untrained: Path, command: str) -> None:
    photos, out = untrained.parent / "photos", untrained.parent / "out"
    photos.mkdir()
    argument = configured(untrained, "images.npz", "photos") if command == "train" else photos
    said = refused(untrained.parent, command, argument, "--out", out)
    assert said.startswith(f"{photos}: no class folders")
    assert not out.exists()


@pytest.mark.parametrize("content", [b"", b"no image", b"\x89PNG\r\n\x1a\n half of one"])
def test_a_corrupt_image_is_named(untrained: Path, content: bytes) -> None:
    photos = picture_folder(untrained.parent / "photos")
    (photos / "dogs" / "bad.png").write_bytes(content)
    configured(untrained, "images.npz", "photos")
    said = refused(untrained.parent, "train", untrained, "--out", untrained.parent / "run")
    assert said.startswith(f"{photos}/dogs/bad.png: ") and "image" in said
    assert not (untrained.parent / "run").exists()


def test_a_class_without_images(untrained: Path) -> None:
    (picture_folder(untrained.parent / "photos") / "owls").mkdir()
    configured(untrained, "images.npz", "photos")
    said = refused(untrained.parent, "train", untrained, "--out", untrained.parent / "run")
    assert said == f"{untrained.parent}/photos/owls: class 'owls' has no images"


# Configurations


def test_no_configuration(tmp_path: Path) -> None:
    said = refused(tmp_path, "train", tmp_path / "nas.yaml")
    assert said == f"{tmp_path}/nas.yaml: cannot be read (No such file or directory)"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("batch_size: 32", "batch_sise: 32", r"unknown key train.batch_sise; did you mean batch_s"),
        ("batch_size: 32", "batch_size: 0", r"train.batch_size must be at least 1, got 0"),
        ("batch_size: 32", "batch_size: [", r"not YAML in line \d+"),
        ("name: tiny", "name: tinny", r"no space 'tinny'; there are .*; did you mean 'tiny'\?"),
        (
            "resolutions: [8, 10]",
            "resolutions: [8, 12]",
            r"may not exceed data.size \(10\), got 12",
        ),
        ("resolutions: [8, 10]", "resolutions: [10, 8]", r"must ascend from 8"),
        ("[8, 10]}", "[8, 10], options: {num_classes: 3}}", r"options.num_classes contradicts"),
        ("[8, 10]}", "[8, 10], options: {wide: 3}}", r"options of space 'tiny': .*'wide'"),
        (
            "name: largest",
            "name: widest",
            r"must be one of largest, kernel, depth, expand, width, all",
        ),
        ("  - {name: largest, epochs: 2}\n", "", r"must begin with largest"),
        (
            "{name: width, epochs: 1}",
            "{name: kernel, epochs: 1}",
            r"must begin with largest .* the order largest, kernel, depth, expand, width, all, got",
        ),
        (
            "  - {name: width, epochs: 1}\n",
            "",
            r"leaves a.width, .* of tiny at their largest: add {name: width",
        ),
    ],
)
def test_a_wrong_configuration(untrained: Path, old: str, new: str, expected: str) -> None:
    configured(untrained, old, new)
    said = refused(untrained.parent, "train", untrained, "--out", untrained.parent / "run")
    assert re.search(expected, said), said


def test_init_overwrites_nothing(untrained: Path) -> None:
    said = refused(untrained.parent, "init", untrained.parent / "images.npz", "-o", untrained)
    assert said == f"{untrained}: exists and is not overwritten; choose another file with -o"


# Runs


@pytest.mark.parametrize("command", ["measure", "search", "export", "report"])
def test_a_folder_that_is_no_run(tmp_path: Path, command: str) -> None:
    (tmp_path / "note.txt").write_text("nothing to see")
    said = refused(tmp_path, command, tmp_path)
    assert said.startswith(f"{tmp_path}: not a run folder (it has no config.yaml); `nas train ")


@pytest.mark.parametrize("command", ["measure", "search", "export"])
def test_a_run_that_is_not_trained_yet(run: Path, command: str) -> None:
    (run / "supernet.safetensors").unlink()
    more = ("--latency-ms", 1) if command == "search" else ()
    said = refused(run, command, run, *more)
    assert said.startswith(f"{run}/supernet.safetensors: there are no trained weights; run `nas t")


def test_training_into_a_run(job: Job, run: Path) -> None:
    said = refused(run, "train", job.config, "--out", run)
    assert said.startswith(f"{run} holds a run already; add --resume")


def test_training_into_a_folder_of_something_else(job: Job, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("ten years of work")
    said = refused(tmp_path, "train", job.config, "--out", tmp_path)
    assert said.startswith(f"{tmp_path} is not empty and not a run; choose another --out")


def test_training_into_a_file(job: Job, tmp_path: Path) -> None:
    (tmp_path / "run").write_text("a file")
    said = refused(tmp_path, "train", job.config, "--out", tmp_path / "run")
    assert said == f"{tmp_path}/run is a file; a run is a folder, choose another --out"


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("batch_size: 32", "batch_size: 16", "train.batch_size"),
        ("[8, 10]", "[10]", "space.resolutions"),
        ("shift: 1", "shift: 2", "data.shift"),
        ("epochs: 2", "epochs: 3", "train.phases"),
    ],
)
def test_resuming_with_another_configuration(
    untrained: Path, run: Path, old: str, new: str, key: str
) -> None:
    configured(untrained, old, new)
    said = refused(run, "train", untrained, "--out", run, "--resume")
    assert said.startswith(f"{run} holds a run of another configuration ({key}); resume with ")


def test_resuming_with_other_images(untrained: Path, run: Path) -> None:
    write_images(untrained.parent / "images.npz", first=100)
    said = refused(run, "train", untrained, "--out", run, "--resume")
    assert said.startswith(f"{run}/checkpoint.pt: the checkpoint belongs to another data; resume")


def test_resuming_where_there_is_no_checkpoint_any_more(job: Job, run: Path) -> None:
    (run / "checkpoint.pt").unlink()
    said = refused(run, "train", job.config, "--out", run, "--resume")
    assert said.startswith(f"{run}/supernet.safetensors is trained and there is no checkpoint")


@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_a_truncated_checkpoint(job: Job, run: Path, share: float) -> None:
    truncate(run / "checkpoint.pt", share)
    said = refused(run, "train", job.config, "--out", run, "--resume")
    assert said.startswith(f"{run}/checkpoint.pt: not a whole checkpoint")


@pytest.mark.parametrize("command", ["measure", "search", "export", "report"])
@pytest.mark.parametrize("share", [0.0, 0.001, 0.7])
def test_truncated_weights(run: Path, command: str, share: float) -> None:
    truncate(run / "supernet.safetensors", share)
    more = ("--latency-ms", 1) if command == "search" else ()
    said = refused(run, command, run, *more)
    assert said.startswith(f"{run}/supernet.safetensors: not a whole safetensors file"), said


def test_a_configuration_that_does_not_fit_the_weights(run: Path) -> None:
    configured(run / "config.yaml", "resolutions: [8, 10]", "resolutions: [8]")
    said = refused(run, "export", run)
    assert said.startswith(f"{run}/supernet.safetensors: weights of space 'tiny'")
    assert "restore the configuration" in said


@pytest.mark.parametrize("command", ["export", "report"])
def test_other_images_than_those_of_the_training(job: Job, run: Path, command: str) -> None:
    other = write_images(run.parent / "other.npz", first=50)
    configured(run / "config.yaml", str(job.images), str(other))
    (run / "test.json").unlink()
    said = refused(run, command, run)
    assert said.startswith(f"{other}: other images than the weights in {run} were trained on")


def test_a_search_on_other_images_leaves_what_an_earlier_one_found(job: Job, run: Path) -> None:
    other = write_images(run.parent / "other.npz", first=50)
    configured(run / "config.yaml", str(job.images), str(other))
    before = files(run)
    for proxy in ((), ("--proxy", "macs")):
        said = nas("search", run, "--latency-ms", 1, "--budget", 5, *proxy)
        assert said.code == 2
        assert said.err.splitlines()[-1].startswith(f"nas: {other}: other images than the weights")
        resumed_by = {name for name in before if name.startswith(("study", "measured"))}
        assert files(run) == {name: before[name] for name in before if name not in resumed_by}
    configured(run / "config.yaml", str(other), str(job.images))
    assert nas("export", run, "-o", run / "x.onnx").code == 0


@pytest.mark.parametrize("command", ["search", "export", "report"])
def test_images_that_are_gone(job: Job, run: Path, command: str) -> None:
    gone = run.parent / "gone"
    configured(run / "config.yaml", str(job.images), str(gone))
    more = ("--latency-ms", 1) if command == "search" else ()
    assert refused(run, command, run, *more).startswith(f"{gone}: no such file or folder")
    (run / "samples.sqlite").unlink()
    assert refused(run, command, run, *more).startswith(f"{gone}: no such file or folder")


# Devices and tables


@pytest.mark.parametrize("command", ["measure", "search", "profile"])
def test_an_unknown_device(run: Path, command: str) -> None:
    more = ("--latency-ms", 1) if command == "search" else ()
    target = run / "best.onnx" if command == "profile" else run
    said = refused(run, command, target, "--device", "abacus", *more)
    assert said.startswith("no device 'abacus': onnxruntime ")
    assert re.search(r" has .*cpu.*, others are adb, ssh, browser, browser-webgpu\.", said)


def test_more_threads_than_cores(run: Path) -> None:
    said = refused(run, "measure", run, "--threads", 4096)
    assert re.fullmatch(r"threads is from 1 to the \d+ cores of this machine; got 4096", said)


def test_measuring_nothing_or_two_things(run: Path) -> None:
    for arguments in ((), (run, "--space", "tiny")):
        assert refused(run, "measure", *arguments).startswith("say what to measure: a run folder")


def test_measuring_an_unknown_space_or_resolution(tmp_path: Path, run: Path) -> None:
    said = refused(tmp_path, "measure", "--space", "huge", "-o", tmp_path / "table.json")
    assert said.startswith("no space 'huge'; there are small-images")
    said = refused(run, "measure", run, "--resolution", 9)
    assert said == "tiny has no networks at resolution 9; it has 8, 10"


def test_a_table_is_a_file(tmp_path: Path) -> None:
    for out in (tmp_path, tmp_path / "cpu.samples", tmp_path / "cpu.noisy"):
        said = refused(tmp_path, "measure", "--space", "tiny", "-o", out)
        assert said.startswith(f"{out}: a table is a file")


def test_what_is_no_table_is_not_measured_over(run: Path) -> None:
    table = run / "latency" / "cpu.json"
    truncate(table)
    said = refused(run, "measure", run, "--allow-noisy")
    assert said.startswith(f"{table}: the latency table is no JSON") and "stays as it is" in said


def test_searching_without_a_table(run: Path) -> None:
    (run / "latency" / "cpu.json").unlink()
    said = refused(run, "search", run, "--latency-ms", 1)
    assert said == f"{run}/latency/cpu.json: there is no latency table; run `nas measure {run}`"


@pytest.mark.parametrize("command", ["search", "show"])
@pytest.mark.parametrize("share", [0.0, 0.5, 0.999])
def test_a_truncated_table(run: Path, command: str, share: float) -> None:
    table = run / "latency" / "cpu.json"
    truncate(table, share)
    if command == "search":
        said = refused(run, "search", run, "--latency-ms", 1)
    else:
        said = refused(run, "show", run / "best.json", "--run", run)
    assert said.startswith(f"{table}: the latency table is no JSON, truncated perhaps")


def test_a_table_of_another_space(run: Path) -> None:
    table = run / "latency" / "cpu.json"
    other = tiny(num_classes=7)
    edit(table, lambda document: document["space"].update(identity=other.identity))
    said = refused(run, "search", run, "--latency-ms", 1)
    assert said.startswith(f"{table}: the table is of space 'tiny' ({other.identity[:12]}), not of")


def test_a_table_of_another_device(run: Path) -> None:
    table = run / "latency" / "cpu.json"
    edit(table, lambda document: document["fingerprint"].update(cpu="Z80", runtime="BASIC"))
    said = refused(run, "search", run, "--latency-ms", 1)
    assert said.startswith(f"{table}: the latency table is of another device or runtime: cpu ")
    assert "'Z80'" in said and "'BASIC'" in said and "threads" not in said


def test_a_table_that_lacks_what_is_needed(run: Path) -> None:
    table = run / "latency" / "cpu.json"
    edit(table, lambda document: document["fits"].pop("10"))
    said = refused(run, "search", run, "--latency-ms", 1)
    assert "has resolutions 8, not 10" in said


# Searches


def smallest_reachable(job: Job) -> float:
    """By looking at every network of the space."""
    from latency_lut import LatencyTable

    space = tiny()
    X = space.sample(20_000, np.random.default_rng(0))
    return float(LatencyTable.load(job.run / "latency" / "cpu.json", space).predict(X).min())


def test_an_infeasible_budget_is_answered_at_once(
    job: Job, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (run / "samples.sqlite").unlink()
    monkeypatch.setattr("nas.jobs.trained.TrainedRun.val_accuracy", None)
    budget = 0.5 * smallest_reachable(job)
    said = refused(run, "search", run, "--latency-ms", budget)
    found = re.fullmatch(
        rf"no network of tiny runs within {budget:.4g} ms on this table; the smallest reaches "
        r"([\d.]+) ms",
        said,
    )
    assert found, said
    assert float(found[1]) == pytest.approx(smallest_reachable(job), rel=1e-3)


@pytest.mark.parametrize("budget", ["0", "-1", "nan", "-inf"])
def test_a_budget_that_is_none(run: Path, budget: str) -> None:
    said = refused(run, "search", run, f"--latency-ms={budget}")
    assert said == f"--latency-ms is a number above 0, in milliseconds; got {float(budget):g}"


def test_a_search_without_a_budget(run: Path) -> None:
    said = refused(run, "search", run)
    assert said.startswith(
        "a search needs a budget: add --latency-ms, or latency_ms under search in "
        f"{run / 'config.yaml'}; by the latency table networks take from "
    )


@pytest.mark.parametrize("kind", ["searcher", "predictor"])
def test_an_unknown_searcher_or_predictor(run: Path, kind: str) -> None:
    (run / "samples.sqlite").unlink()
    said = refused(run, "search", run, "--latency-ms", 1, f"--{kind}", "oracle")
    assert said.startswith(f"no {kind} 'oracle'; there are ")


@pytest.mark.parametrize(("latency_ms", "loose"), [(1e3, True), (None, False)])
def test_a_budget_that_rules_nothing_out(run: Path, latency_ms: float | None, loose: bool) -> None:
    table = LatencyTable.load(run / "latency" / "cpu.json", tiny())
    most = float(table.predict(tiny().largest[None])[0])
    said = nas("search", run, "--latency-ms", latency_ms or 0.99 * most, "--no-baselines")
    assert ("even the largest network takes" in said.err) is loose
    assert (f"even the largest network takes {most:.4g} ms of 1000" in said.err) is loose


def test_resuming_where_there_is_no_run(untrained: Path) -> None:
    out = untrained.parent / "other"
    said = nas("train", untrained, "--out", out, "--resume")
    assert said.code == 0
    assert f"there is no run in {out} to go on with: training begins anew" in said.err
    said = nas("train", untrained, "--out", out, "--resume")
    assert "begins anew" not in said.err


def test_a_type_that_no_input_has_comes_before_where_it_would_be(run: Path) -> None:
    said = refused(run, "export", run, "--dtype", "int7")
    assert said == "preprocessing takes float32 or uint8 in NCHW or NHWC; got int7 in NCHW"


def test_a_search_into_a_file(run: Path) -> None:
    said = refused(run, "search", run, "--latency-ms", 1, "-o", run / "log.csv")
    assert said == f"{run}/log.csv: a search writes several files; -o is a folder"


def test_a_search_that_meets_nothing_within_the_budget(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nas.search.Study.front", lambda _: [])
    before = files(run)
    said = nas("search", run, "--latency-ms", 1, "--budget", 5)
    assert said.code == 2
    assert said.err.splitlines()[-1] == (
        "nas: the search met no network within 1 ms in 5 evaluations; raise --budget, or the "
        "latency"
    )
    gone = {"study.sqlite": b"", "measured.json": b""}
    aside = {name: before.pop(name) for name in ("best.json", "front.json")}
    gone |= {name.replace(".", ".earlier."): content for name, content in aside.items()}
    after = files(run)
    assert {**after, **gone} == {**before, **gone} and gone["best.earlier.json"] in after.values()


def test_a_budget_that_no_measured_network_keeps(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nas.jobs import candidates

    honest = candidates.measure_networks

    def slow(*arguments: Any, **options: Any) -> list[Any]:
        found = honest(*arguments, **options)
        return [replace(o, latency=o.latency.scaled(17 / o.latency.latency_ms)) for o in found]

    monkeypatch.setattr(candidates, "measure_networks", slow)
    front = (run / "front.json").read_bytes()
    best = (run / "best.json").read_bytes()
    said = nas("search", run, "--latency-ms", 1)
    assert said.code == 2 and said.err.splitlines()[-1] == (
        "nas: no candidate was measured within 1 ms; the fastest took 17 ms: raise the budget"
    )
    # Its studies are the new search's: no command takes the earlier network for what it found.
    assert (run / "front.earlier.json").read_bytes() == front
    assert (run / "best.earlier.json").read_bytes() == best
    said = nas("export", run, "-o", run / "x.onnx")
    assert said.code == 2 and f"that of an earlier search is {run}/best.earlier.json" in said.err
    monkeypatch.setattr(candidates, "measure_networks", honest)
    assert nas("search", run, "--latency-ms", 1e3, "--no-baselines").code == 0
    assert (run / "best.json").is_file() and not list(run.glob("*.earlier.json"))


def test_resuming_the_search_of_another_budget(run: Path) -> None:
    before = rows(run / "study.sqlite", "evaluations")
    said = nas("search", run, "--latency-ms", 0.5, "--resume")
    assert said.code == 2
    assert f"{run}/measured.json: the measured candidates there are of another search" in said.err
    (run / "measured.json").unlink()
    said = nas("search", run, "--latency-ms", 0.5, "--resume")
    assert said.code == 2 and f"{run}/study.sqlite: the study of another search" in said.err
    assert "latency_ms" in said.err
    assert rows(run / "study.sqlite", "evaluations") == before


def test_samples_of_other_weights(run: Path) -> None:
    weights = run / "supernet.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1  # The last bit of some weight.
    weights.write_bytes(content)
    said = refused(run, "search", run, "--latency-ms", 1)
    assert said.startswith(f"{run}/samples.sqlite: its accuracies belong to another weights; ")


@pytest.mark.parametrize("name", ["samples.sqlite", "study.sqlite"])
def test_a_store_that_is_none(run: Path, name: str) -> None:
    (run / name).write_bytes(b"not a database " * 100)
    said = nas("search", run, "--latency-ms", 1, "--resume")
    assert said.code == 2 and f"nas: {run}/{name}: " in said.err, said.err
    assert (run / name).read_bytes() == b"not a database " * 100


def test_truncated_samples(run: Path) -> None:
    truncate(run / "samples.sqlite", 0.5)
    said = refused(run, "search", run, "--latency-ms", 1)
    assert said.startswith(f"{run}/samples.sqlite: ")


# Architectures, fronts, models


@pytest.mark.parametrize("command", ["export", "show"])
@pytest.mark.parametrize("content", ["", "{", "[1, 2]", '{"format": 1}', '{"format": 99}', "\xff"])
def test_what_is_no_architecture(run: Path, command: str, content: str) -> None:
    file = run / "architecture.json"
    file.write_bytes(content.encode("latin-1"))
    if command == "export":
        said = refused(run, "export", run, "--architecture", file)
    else:
        said = refused(run, "show", run / "best.json", file, "--run", run)
    assert said.startswith(f"{file}: "), said


@pytest.mark.parametrize("command", ["export", "show"])
def test_an_architecture_of_another_space(run: Path, command: str) -> None:
    other = search_spaces.get("small-images")
    file = run / "architecture.json"
    file.write_text(other.decode(other.largest).to_json())
    if command == "export":
        said = refused(run, "export", run, "--architecture", file)
    else:
        said = refused(run, "show", run / "best.json", file, "--run", run)
    assert said.startswith(f"{file}: the architecture is of space 'small-images'")


def test_an_architecture_that_needs_its_run(run: Path) -> None:
    other = search_spaces.get("small-images", num_classes=3)
    (run / "other.json").write_text(other.decode(other.largest).to_json())
    said = refused(run, "show", run / "other.json")
    assert said.startswith(f"{run}/other.json: of a small-images with options of its own")
    assert said.endswith("name the run that it is of with --run")


def test_a_missing_architecture(run: Path) -> None:
    said = refused(run, "export", run, "--architecture", run / "none.json")
    assert said == f"{run}/none.json: cannot be read (No such file or directory)"
    (run / "best.json").unlink()
    said = refused(run, "export", run)
    assert said.startswith(f"{run}/best.json: there is no best network yet; run `nas search {run}`")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (
            "--dtype uint8",
            "uint8 pixels in NCHW need the normalisation inside the graph; add --raw",
        ),
        ("--layout NHWC", "float32 pixels in NHWC need the normalisation inside"),
        ("--raw --dtype int4", "float32 or uint8 in NCHW or NHWC; got int4 in NCHW"),
        ("--raw --layout CHWN", "float32 or uint8 in NCHW or NHWC; got float32 in CHWN"),
    ],
)
def test_contradictory_options_of_an_export(run: Path, options: str, expected: str) -> None:
    assert expected in refused(run, "export", run, *options.split())


@pytest.mark.parametrize(
    "change",
    [
        lambda front: front.pop("weights"),
        lambda front: front.update(best=99),
        lambda front: front.update(points=None),
        lambda front: front["points"][0]["architecture"].update(identity="0" * 64),
    ],
)
def test_a_front_that_is_damaged(run: Path, change: Callable[[Any], object]) -> None:
    edit(run / "front.json", change)
    said = refused(run, "report", run)
    assert said.startswith(f"{run}/front.json: damaged, or not of this run")


def test_a_truncated_front(run: Path) -> None:
    truncate(run / "front.json")
    assert refused(run, "report", run).startswith(f"{run}/front.json: damaged")


def test_the_front_of_other_weights(run: Path) -> None:
    edit(run / "front.json", lambda front: front.update(weights="0" * 64))
    said = refused(run, "report", run)
    assert said == (
        f"{run}/front.json: the front of other weights than {run}/supernet.safetensors; search "
        "again"
    )


@pytest.mark.parametrize("command", ["profile", "show"])
@pytest.mark.parametrize("kind", ["missing", "text", "empty", "truncated", "folder"])
def test_what_is_no_onnx_model(run: Path, kind: str, command: str) -> None:
    model = run / "model.onnx"
    if kind == "folder":
        model.mkdir()
    elif kind != "missing":
        whole = (run / "best.onnx").read_bytes()
        half = whole[: len(whole) // 2]
        model.write_bytes({"text": b"hello", "empty": b"", "truncated": half}[kind])
    assert str(model) in refused(run, command, model)


def test_a_model_that_does_not_say_its_architecture(run: Path) -> None:
    model = onnx.load(run / "best.onnx")
    helper.set_model_props(model, {})
    onnx.save(model, run / "other.onnx")
    said = refused(run, "show", run / "other.onnx", "--run", run)
    assert said.startswith(f"{run}/other.onnx: does not say which architecture it has")


def test_a_model_whose_architecture_is_damaged(run: Path) -> None:
    model = onnx.load(run / "best.onnx")
    helper.set_model_props(model, {METADATA: '{"format": 1, "sp'})
    onnx.save(model, run / "other.onnx")
    assert refused(run, "show", run / "other.onnx", "--run", run).startswith(f"{run}/other.onnx: ")


def test_a_model_of_another_space(run: Path) -> None:
    space = search_spaces.get("small-images")
    model = onnx.load(run / "best.onnx")
    helper.set_model_props(model, {METADATA: space.decode(space.largest).to_json()})
    onnx.save(model, run / "other.onnx")
    said = refused(run, "export", run, "--architecture", run / "other.onnx")
    assert said.startswith(f"{run}/other.onnx: ") and "small-images" in said


# Command lines


@pytest.mark.parametrize(
    ("line", "said", "there"),
    [
        ("searchh", "No such command 'searchh'", "nas --help"),
        ("--versoin", "No such option: --versoin", "nas --help"),
        ("train", "Missing argument 'CONFIG'", "nas train --help"),
        ("train nas.yaml --resum", "No such option: --resum", "nas train --help"),
        ("train nas.yaml --out", "Option '--out' requires an argument", "nas train --help"),
        ("demo --json=3", "Option '--json' does not take a value", "nas demo --help"),
        ("search run --latency-ms x", "Invalid value for '--latency-ms'", "nas search --help"),
        ("show", "Missing argument 'ARCHITECTURE...'", "nas show --help"),
    ],
)
def test_command_lines_that_cannot_be_read(
    tmp_path: Path, line: str, said: str, there: str
) -> None:
    refusal = refused(tmp_path, *line.split())
    assert refusal.startswith(said) and refusal.endswith(f" (see {there})")
    assert ". (" not in refusal


def test_wrong_command_lines_are_known_by_the_librarys_name() -> None:
    assert UsageError.__name__ == "UsageError"


def test_a_report_of_no_search(run: Path, tmp_path: Path) -> None:
    said = refused(run, "report", run, "--search", tmp_path / "elsewhere")
    assert said.startswith(f"--search {tmp_path}/elsewhere: not the folder of a search")
    assert "neither front.json nor fleet.json" in said and "-o" in said
