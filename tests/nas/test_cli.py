"""Every command by its entry point: exit code 0, one JSON object, what it wrote."""

from __future__ import annotations

import json
import math
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

import search_spaces
from latency_lut import LatencyTable, Model, NetworkLatency
from nas.config import Config
from nas.jobs import candidates
from nas.search import hypervolume, load
from search_spaces import Architecture
from tests.nas.conftest import BUDGET_MS, Job
from tests.nas.tiny import CLASSES, IMAGES, files, nas, registered, rows, start, tiny

COMMANDS = (
    *("init", "spaces", "train", "measure", "search"),
    *("export", "profile", "show", "report", "demo"),
)


@pytest.mark.parametrize(
    ("options", "of"),
    [((), ""), (("--device", "cpu", "--threads", 2), " --device cpu --threads 2")],
)
def test_after_measuring_comes_a_search(
    options: tuple[object, ...], of: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nas.jobs.measure.measure_command", lambda *given: ({}, "measured"))
    said = nas("measure", "runs/a", *options)
    assert (said.out + said.err).strip() == (
        f"measured; next: nas search runs/a{of} --latency-ms MS"
    )
    assert "next:" not in nas("measure", "runs/a", "-o", "a.json").out


@pytest.mark.parametrize("command", ["train", "measure", "search", "export", "report"])
def test_results_are_one_json_object_on_standard_output(job: Job, command: str) -> None:
    said = job.said[command]
    assert said.json
    assert said.out.count("\n") == 1 and said.out.endswith("\n")
    assert "{" not in said.err and "nas: " not in said.err


def test_train(job: Job) -> None:
    data = job.said["train"].json
    assert data["run"] == str(job.run) and data["epochs"] == 5
    assert Path(data["supernet"]).is_file()
    # 200 images: 160 to train on, of which a quarter is held out.
    assert "120 training images, 40 held out; about " in job.said["train"].err
    assert IMAGES == 200
    told = re.search(r" to go and ([\d,]+) MB in ", job.said["train"].err)
    left = ("config.yaml", "checkpoint.pt", "log.csv", "supernet.safetensors")
    taken = sum((job.run / name).stat().st_size for name in left)
    assert told and int(told[1].replace(",", "")) * 1e6 >= taken
    assert 1 / 8 < data["estimate_seconds"] / data["seconds"] < 8
    lines = (job.run / "log.csv").read_text().splitlines()
    phases = [line.split(",")[1] for line in lines[1:]]
    assert phases == ["largest", "largest", "kernel", "depth", "width"]


def test_measure(job: Job) -> None:
    data = job.said["measure"].json
    assert data["table"] == str(job.run / "latency" / "cpu.json")
    assert data["space"] == "tiny" and data["entries"] == 70
    assert set(data["held_out_mape"]) == {"8", "10"}
    assert data["fingerprint"]["threads"] == 1
    table = job.run / "latency" / "cpu.json"
    assert list((job.run / "latency").iterdir()) == [table]
    told = (
        r"[\d,]+ visits to blocks and networks on cpu: about \d+ s to go on .*, and up to (\d+) MB "
    )
    found = re.match(told + re.escape(f"beside {table};"), job.said["measure"].err)
    assert found and int(found[1]) * 1e6 >= table.stat().st_size
    assert "12 networks alone, for memory and energy: about 16 s" in job.said["measure"].err


def test_search(job: Job) -> None:
    front = job.said["search"].json
    assert front == json.loads((job.run / "front.json").read_text())
    latency = [point["latency_ms"] for point in front["points"]]
    accuracy = [point["score"] for point in front["points"]]
    assert latency == sorted(latency) and accuracy == sorted(accuracy)
    measured = [*front["points"], *front["dominated"]]
    assert len(measured) == 2
    chosen = front["points"][front["best"]]
    assert chosen["latency_ms"] <= BUDGET_MS
    assert chosen["score"] == max(
        point["score"] for point in measured if point["latency_ms"] <= BUDGET_MS
    )
    best = json.loads((job.run / "best.json").read_text())
    assert best.pop("measured") == chosen and best == chosen["architecture"]
    assert front["evaluations"] == 60 == len(rows(job.run / "study.sqlite", "evaluations"))


def test_a_search_measures_its_samples_and_candidates_once_each(job: Job) -> None:
    known = {row for row, *_ in rows(job.run / "samples.sqlite", "samples")}
    assert len(known) == len(rows(job.run / "samples.sqlite", "samples"))
    assert 12 <= len(known) <= 12 + 2


def test_a_search_is_compared_with_the_baselines(job: Job, run: Path) -> None:
    kept = json.loads((job.run / "curves.json").read_text())
    by = [one["searcher"] for one in kept["curves"]]
    assert by.count("nsga2") == by.count("random") == 5
    assert kept["numbers"][-1] == 60 and kept["objectives"] == ["error", "latency_ms"]
    assert job.said["search"].json["seconds"]["compare"] > 0
    # The first curve ends where the study does, and so does the front's growth.
    space = tiny()
    study = load(job.run / "study.sqlite", space)
    within = study.records.values[study.feasible]
    assert kept["reference"] == within.max(axis=0).tolist()
    volume = hypervolume(within, kept["reference"])
    assert kept["curves"][0]["volumes"][-1] == pytest.approx(volume, rel=1e-6)
    growth = job.said["search"].json["growth"]["fronts"]
    assert [one["evaluations"] for one in growth] == [6, 15, 30, 60]
    front = [(one.objectives["latency_ms"], one.objectives["error"]) for one in study.front()]
    assert growth[-1]["points"] == [
        [pytest.approx(ms, abs=1e-6), pytest.approx(100 - error, abs=1e-4)]
        for ms, error in sorted(front)
    ]
    changes = job.said["search"].json["neighbours"]["changes"]
    assert {change["choice"] for change in changes} <= {c.name for c in space.choices} != set()
    # Another search on the same predictions joins them; one that is to be alone runs no other.
    budget = ("--latency-ms", BUDGET_MS)
    said = nas("search", run, *budget, "--searcher", "random", "--seed", 99, "--no-baselines")
    assert said.code == 0, said.err
    more = json.loads((run / "curves.json").read_text())
    assert more["curves"][:-1] == kept["curves"] and more["reference"] == kept["reference"]
    assert (more["curves"][-1]["searcher"], more["curves"][-1]["seed"]) == ("random", 99)
    said = nas("search", run, "--latency-ms", 2 * BUDGET_MS, "--no-baselines")
    assert said.code == 0, said.err
    alone = json.loads((run / "curves.json").read_text())
    assert [one["searcher"] for one in alone["curves"]] == ["nsga2"]


def test_another_folder_seed_searcher_and_predictor(job: Job, run: Path, tmp_path: Path) -> None:
    before = files(run)
    table, out = run / "latency" / "cpu.json", tmp_path / "elsewhere"
    how = ("--searcher", "random", "--predictor", "ridge", "--budget", 15, "--seed", 7)
    where = ("--table", table, "-o", out)
    said = nas("search", run, "--latency-ms", 1, *how, *where, "--json")
    assert said.code == 0, said.err
    front = said.json
    asked = {"searcher": "random", "predictor": "ridge", "evaluations": 15, "seed": 7}
    assert {name: front[name] for name in asked} == asked
    assert {"front.json", "best.json", "curves.json", "study.sqlite"} <= set(files(out))
    after = files(run)
    assert {name for name in after if after[name] != before.get(name)} <= {"samples.sqlite"}


def test_the_budget_of_the_configuration(run: Path) -> None:
    text = (run / "config.yaml").read_text()
    (run / "config.yaml").write_text(text.replace("latency_ms: null", "latency_ms: 2.5"))
    said = nas("search", run, "--budget", 5, "--json")
    assert said.code == 0 and said.json["budget_ms"] == 2.5, said.err


def test_export(job: Job, run: Path, tmp_path: Path) -> None:
    data = job.said["export"].json
    assert data["file"] == str(job.run / "best.onnx")
    assert data["bytes"] == (job.run / "best.onnx").stat().st_size
    assert data["agreement"]["images"] == 40 and data["agreement"]["different"] == 0
    out = tmp_path / "other.onnx"
    said = nas("export", run, "--architecture", job.run / "best.json", "-o", out)
    assert said.code == 0 and f"wrote {out}" in said.out
    assert out.read_bytes() == (job.run / "best.onnx").read_bytes()


def test_what_was_timed_is_what_is_shipped(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    timed: dict[str, bytes] = {}
    plain = candidates.measure_networks

    def watched(models: list[Model], *arguments: Any, **options: Any) -> list[NetworkLatency]:
        timed.update({model.name: model.content() for model in models})
        return plain(models, *arguments, **options)

    monkeypatch.setattr("nas.jobs.candidates.measure_networks", watched)
    said = nas("search", run, "--latency-ms", BUDGET_MS, "--json")
    assert said.code == 0, said.err
    (run / "best.onnx").unlink()
    assert nas("export", run).code == 0
    best = said.json["points"][said.json["best"]]["architecture"]
    name = tiny().digest(Architecture.from_json(json.dumps(best)))
    assert (run / "best.onnx").read_bytes() == timed[name]
    assert len(set(timed.values())) == len(timed) > 1


def test_profile(job: Job) -> None:
    said = nas("profile", job.run / "best.onnx", "--json")
    assert said.code == 0, said.err
    assert next(iter(said.json)) == "latency_ms" and 0 < said.json["latency_ms"] < 1000
    assert said.json["metadata"] == job.said["export"].json["metadata"]


def test_show_with_a_run_tells_latency(job: Job) -> None:
    best = job.run / "best.json"
    said = nas("show", best, best, "--run", job.run, "--json")
    assert said.code == 0, said.err
    first, second = said.json["architectures"]
    assert first == second and first["name"] == str(best) and first["predicted_latency_ms"] > 0
    assert nas("show", best, "--run", job.run).out.count("predicted") == 1


def test_show_of_an_exported_file_is_that_of_its_architecture(job: Job) -> None:
    best, model = (
        nas("show", job.run / name, "--run", job.run, "--json").json["architectures"][0]
        for name in ("best.json", "best.onnx")
    )
    assert {**model, "name": best["name"]} == best


def test_export_of_an_exported_files_architecture_is_that_file(job: Job, run: Path) -> None:
    again = run / "again.ONNX"
    shutil.copy(job.run / "best.onnx", again)
    said = nas("export", run, "--architecture", again, "-o", run / "new.onnx")
    assert said.code == 0, said.err
    assert (run / "new.onnx").read_bytes() == again.read_bytes()


def test_show_without_a_run_takes_the_space_as_it_is_by_default(tmp_path: Path) -> None:
    space = search_spaces.get("small-images")
    largest = tmp_path / "largest.json"
    largest.write_text(space.decode(space.largest).to_json())
    said = nas("show", largest, "--json")
    assert said.code == 0, said.err
    (shown,) = said.json["architectures"]
    assert shown["macs"] == space.macs(space.largest)[0] and "predicted_latency_ms" not in shown


def test_report(job: Job) -> None:
    data = job.said["report"].json
    assert data["report"] == str(job.run / "report.html")
    assert (job.run / "report.html").read_text().startswith("<!doctype html>")
    assert 0 <= data["test_accuracy"] <= 100
    document = json.loads((job.run / "test.json").read_text())
    front = job.said["search"].json
    assert document["images"] == 40 and len(document["points"]) == len(front["points"])
    assert document["points"][front["best"]]["test_accuracy"] == data["test_accuracy"]


@pytest.mark.parametrize("key", ["", "weights", "data"])
def test_a_second_report_tests_again_only_what_differs(job: Job, run: Path, key: str) -> None:
    expected = json.loads((job.run / "test.json").read_text())
    document = json.loads((job.run / "test.json").read_text())
    for point in document["points"]:
        point["test_accuracy"] = 12.5
    document[key] = "something else"
    (run / "test.json").write_text(json.dumps(document))
    assert nas("report", run).code == 0
    points = json.loads((run / "test.json").read_text())["points"]
    if key in ("weights", "data"):
        assert points == expected["points"]
    else:
        assert {point["test_accuracy"] for point in points} == {12.5}


@pytest.mark.parametrize("content", ["", "[]", '{"weights": 5}'])
def test_a_damaged_record_of_tests_is_made_anew(job: Job, run: Path, content: str) -> None:
    (run / "test.json").write_text(content)
    assert nas("report", run).code == 0
    assert (run / "test.json").read_bytes() == (job.run / "test.json").read_bytes()


def test_a_report_before_the_search(run: Path) -> None:
    (run / "front.json").unlink()
    said = nas("report", run, "--json")
    assert said.code == 0 and "test_accuracy" not in said.json, said.err


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ((), ", of which some are held out for the search and the report\n"),
        (("train", "test"), ", of which some are held out for the search\n"),
        (("train", "val", "test"), "2 training images\n"),
    ],
)
def test_init_says_what_is_divided_off(tmp_path: Path, parts: tuple[str, ...], said: str) -> None:
    for part in parts or (".",):
        for name in ("cats", "dogs"):
            (tmp_path / "photos" / part / name).mkdir(parents=True)
            Image.new("RGB", (12, 9)).save(tmp_path / "photos" / part / name / "1.png")
    assert said in nas("init", tmp_path / "photos", "-o", tmp_path / "nas.yaml").out


def test_init_writes_what_train_reads(tmp_path: Path) -> None:
    for name, colour in (("cats", (200, 30, 30)), ("dogs", (30, 30, 200))):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for i in range(5):
            image = Image.new("RGB", (12, 9 + i), colour)
            image.save(tmp_path / "photos" / name / f"{i}.png")
    out = tmp_path / "nas.yaml"
    said = nas("init", tmp_path / "photos", "-o", out, "--json")
    assert said.code == 0, said.err
    assert said.json == {
        "config": str(out),
        "classes": ["cats", "dogs"],
        "counts": {"train": [5, 5]},
    }
    document = yaml.safe_load(out.read_text())
    document["train"]["phases"] = [
        {"name": "largest", "epochs": 1},
        {"name": "width", "epochs": 0},
    ]
    out.write_text(yaml.safe_dump(document))
    said = nas("train", out, "--out", tmp_path / "run")
    assert said.code == 0, said.err
    assert said.out == (
        f"trained: {tmp_path}/run/supernet.safetensors; next: nas measure {tmp_path}/run\n"
    )


def test_spaces_tells_size_choices_and_costs() -> None:
    said = nas("spaces", "--json")
    with registered():
        expected = {name: search_spaces.get(name) for name in search_spaces.names()}
    assert [one["name"] for one in said.json["spaces"]] == list(expected) != []
    for one in said.json["spaces"]:
        space = expected[one["name"]]
        assert (one["size"], one["choices"]) == (space.size, len(space.choices))
        rows = space.sample(1000, np.random.default_rng(0))
        rows = np.concatenate([rows, [space.smallest, space.largest]])
        for name, costs in (("macs", space.macs(rows)), ("parameters", space.parameters(rows))):
            # All of these list their options from small to large, so the rows have the ends.
            assert (one["smallest"][name], one["largest"][name]) == (costs.min(), costs.max())
    text = nas("spaces").out
    for name, space in expected.items():
        size = f"{space.size:,}" if space.size < 10**9 else f"{space.size:.2e}"
        assert re.search(rf"{name}\W+{re.escape(size)} ", text)
    assert "…" not in text


def test_a_resolution_that_is_measured_again_joins_the_others(job: Job, run: Path) -> None:
    table = run / "latency" / "cpu.json"
    before = json.loads(table.read_text())
    said = nas("measure", run, "--resolution", 8, "--allow-noisy", "--json")
    assert said.code == 0 and said.json["table"] == str(table), said.err
    after = json.loads(table.read_text())
    assert set(after["fits"]) == {"8", "10"}
    assert after["fits"]["10"] == before["fits"]["10"] and after["fits"]["8"] != before["fits"]["8"]
    assert nas("search", run, "--latency-ms", BUDGET_MS, "--budget", 20).code == 0


def test_a_demo_goes_on_where_it_stopped_to_the_end(
    job: Job, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = {"config.yaml", "checkpoint.pt", "log.csv", "samples.sqlite"}
    for name in set(files(run)) - kept:
        (run / name).unlink()

    def busy_machine(*_: object, allow_noisy: bool = False, **__: object) -> LatencyTable:
        assert allow_noisy
        table = LatencyTable.load(job.run / "latency" / "cpu.json", tiny())
        table = replace(table, campaign=replace(table.campaign, noisy=True, disagreement=0.123))
        table.save(run / "latency" / "cpu.json")
        return table

    monkeypatch.setattr("nas.jobs.demo.CONFIG", Config.load(run / "config.yaml"))
    monkeypatch.setattr("nas.jobs.demo.measure_table", busy_machine)
    said = nas("demo", "--out", run, "--json")
    assert said.code == 0, said.err
    # What was trained is kept; the accuracies are, too, and no search has timed its candidates.
    assert re.search(r"candidates to measure: up to \d+ s to go and up to \d MB in", said.err)
    assert "differ by 12.3% on the same networks; the demo goes on" in said.err
    data = said.json
    assert data["latency_ms"] <= data["budget_ms"]
    assert 0 <= data["test_accuracy"] <= 100 and math.isfinite(data["seconds"])
    assert data["onnx"] == str(run / "best.onnx") and data["profile"]["latency_ms"] > 0
    assert data["profile"]["pace"] > 0
    assert data["profile"]["table"] == str(run / "latency" / "cpu.json")
    assert set(files(run)) == {*files(job.run)}
    name = "supernet.safetensors"
    assert (run / name).read_bytes() == (job.run / name).read_bytes()


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_and_json(command: str) -> None:
    said = nas(command, "--help")
    assert said.code == 0 and "--json" in said.out and said.err == ""


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (OSError(28, "No space left on device", "/tmp/x y"), "/tmp/x y: No space left on device"),
        (PermissionError(13, "Permission denied"), "Permission denied"),
        (OSError("the socket is gone"), "the socket is gone"),
    ],
)
def test_trouble_with_the_system_is_one_line(
    run: Path, monkeypatch: pytest.MonkeyPatch, error: OSError, line: str
) -> None:
    def fails(*_: object) -> None:
        raise error

    monkeypatch.setattr("nas.jobs.report.write_report", fails)
    said = nas("report", run)
    assert (said.code, said.err) == (2, f"nas: {line}; what was written before is kept\n")


def test_a_bug_is_not_taken_for_bad_input(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nas.jobs.report.write_report", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        nas("report", run)


def test_without_a_command_there_is_help() -> None:
    said = nas()
    assert said.code == 2
    assert all(command in said.out + said.err for command in COMMANDS)


def test_the_installed_program(job: Job) -> None:
    program = Path(sys.executable).with_name("nas")
    done = subprocess.run(
        [program, "spaces", "--json"], capture_output=True, text=True, check=True, timeout=60
    )
    assert json.loads(done.stdout)["spaces"] and done.stderr == ""


def test_in_a_process_of_its_own(job: Job) -> None:
    with start("show", job.run / "best.json", "--run", job.run, "--json") as process:
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0 and err == ""
    assert json.loads(out)["space"] == "tiny" and CLASSES == 4
