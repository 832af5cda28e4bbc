"""A campaign carried to a device by hand and back: a bundle, run with a bare interpreter."""

from __future__ import annotations

import ast
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import latency_lut
from latency_lut import bundle, offline
from latency_lut.campaign import Effort
from latency_lut.cpu import CpuDevice
from latency_lut.errors import DeviceError, NoisyError
from latency_lut.journal import Journal
from latency_lut.measure import JOURNAL_VERSION
from latency_lut.references import NAMES
from latency_lut.results import Results, read_results
from search_spaces.errors import ArtefactError, NasLoopError
from tests.latency_lut.synthetic import SyntheticDevice, tiny_space

SPACE = tiny_space((16,))
EFFORT = Effort(rounds=2, runs=2, legs=2)
PLANS = latency_lut.plan_table(SPACE, np.random.default_rng(0), None, 4, 2)
PROVIDER = "CPUExecutionProvider"
WAIT_S = 120


def unpacked(folder: Path, **options: Any) -> Path:
    """A bundle, carried to ``folder``."""
    options = {"effort": EFFORT, "threads": 1, "provider": PROVIDER, "seed": 0, **options}
    zipped = folder / "out.zip"
    bundle.write_bundle(zipped, PLANS, **options)
    with zipfile.ZipFile(zipped) as archive:
        archive.extractall(folder / "device")
    return folder / "device"


def bare(folder: Path, *arguments: str, python: str = sys.executable) -> subprocess.Popen[str]:
    """The bundle's script, in an environment that knows nothing of our packages."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    command = [python, *arguments, str(folder / "run.py")]
    return subprocess.Popen(
        command,
        env=kept,
        cwd=folder.parent,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.fixture(scope="module")
def synthetic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of a bundle on a device that pretends."""
    folder = unpacked(tmp_path_factory.mktemp("bundle"), provider="none")
    return offline.run(folder, SyntheticDevice(noise=0.01))


# On a device.


def test_it_runs_anywhere_goes_on_after_a_kill_and_becomes_the_table_of_a_live_campaign(
    tmp_path: Path,
) -> None:
    folder = unpacked(tmp_path)
    samples = folder / "samples" / "samples.jsonl"
    process = bare(folder)
    end = time.monotonic() + WAIT_S
    while time.monotonic() < end and process.poll() is None:
        if samples.exists() and '"window"' in samples.read_text():
            break
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    kept = samples.read_text()
    assert '"window"' in kept and not (folder / "results.json").exists()
    again = bare(folder)
    _, said = again.communicate(timeout=WAIT_S)
    assert again.returncode == 0, said
    assert "the same command goes on" in said and "results.json; take it back" in said
    assert samples.read_text().startswith(kept[: kept.rfind("\n") + 1])
    results = read_results(folder / "results.json", SPACE)
    table = results.table(np.random.default_rng(0), allow_noisy=True)
    assert table.fingerprint == replace(CpuDevice().fingerprint(), device="bundle")
    assert table.campaign.conditions.keys() == {"before", "after"}
    live = live_table(results, tmp_path / "live")
    assert table.windows == live.windows and table.campaign.rounds == live.campaign.rounds
    assert {key: entry.ms for key, entry in table.entries.items()} == {
        key: entry.ms for key, entry in live.entries.items()
    }
    rows = SPACE.sample(50, np.random.default_rng(1))
    np.testing.assert_allclose(table.predict(rows), live.predict(rows), rtol=0.02)
    table.save(tmp_path / "table.json")
    loaded = latency_lut.LatencyTable.load(tmp_path / "table.json", SPACE)
    assert loaded.campaign == table.campaign


def live_table(results: Results, folder: Path) -> latency_lut.LatencyTable:
    """What ``measure`` makes of the same samples, found as those of its own campaign."""
    journal = Journal(folder)
    journal.begin(
        {
            "version": JOURNAL_VERSION,
            "space": SPACE.identity,
            "fingerprint": CpuDevice().fingerprint().to_dict(),
            "resolutions": [16],
            "whole_networks": 4,
            "held_out": 2,
            "rounds": results.effort.rounds,
            "runs": EFFORT.runs,
            "networks": PLANS.document(),
        }
    )
    for entry in (*results.journal.loaded.values(), *results.journal.windows):
        journal.add(entry)
    journal.close()
    options: dict[str, Any] = {"whole_networks": 4, "held_out": 2, "allow_noisy": True}
    nothing_left = replace(results.effort, legs=0)
    return latency_lut.measure(
        SPACE,
        CpuDevice(),
        rng=np.random.default_rng(0),
        effort=nothing_left,
        folder=folder,
        **options,
    )


def test_it_says_what_it_lacks(tmp_path: Path) -> None:
    folder = unpacked(tmp_path)
    isolated = bare(folder, "-S")  # Without the packages that are installed beside Python.
    out, said = isolated.communicate(timeout=WAIT_S)
    assert isolated.returncode == 1 and "Traceback" not in said
    assert said.startswith("numpy is needed: ") and said.strip().endswith("numpy onnxruntime")
    (folder / "models" / "reference-0000.onnx").write_bytes(b"half")
    damaged = bare(folder)
    out, said = damaged.communicate(timeout=WAIT_S)
    assert damaged.returncode == 2 and "Traceback" not in said and not out
    assert "reference-0000.onnx is not as it was bundled; unpack the bundle again" in said


def test_it_imports_nothing_but_what_it_carries(tmp_path: Path) -> None:
    """And what NumPy and Python bring: the modules that are named in it are all there."""
    folder = unpacked(tmp_path)
    allowed = {*sys.stdlib_module_names, "numpy", "onnxruntime"}
    for path in (folder / "latency_lut").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(), feature_version=(3, 9))):
            assert not isinstance(node, ast.keyword) or node.arg != "strict", "zip knew no such"
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [str(node.module)]
                names += [f"{node.module}.{a.name}" for a in node.names]
            for name in names:
                inside = folder / f"{name.replace('.', '/')}.py"
                known = (
                    name.split(".")[0] in allowed or inside.exists() or node_inside(folder, name)
                )
                assert known or name in LATE, f"{path.name} imports {name}"


# Asked for only where the references' files are not given.
LATE = {"latency_lut.references", "latency_lut.references.references"}


def node_inside(folder: Path, name: str) -> bool:
    """Whether ``name`` is a package of the bundle or a name in one of its modules."""
    path = folder / name.replace(".", "/")
    return (path / "__init__.py").exists() or path.parent.with_suffix(".py").exists()


def test_the_same_campaign_makes_the_same_file(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        unpacked(tmp_path / name)
    assert (tmp_path / "one" / "out.zip").read_bytes() == (
        tmp_path / "two" / "out.zip"
    ).read_bytes()
    files = {path.name for path in (tmp_path / "one" / "device").iterdir()}
    assert files == {"run.py", "README.txt", "plan.json", "models", "latency_lut", "search_spaces"}


def test_more_threads_than_cores_are_refused(tmp_path: Path) -> None:
    folder = unpacked(tmp_path, threads=4096)
    with pytest.raises(DeviceError, match=r"asks for 4096 threads, this machine has \d+ cores"):
        offline.run(folder)


def test_samples_of_another_machine_or_bundle_are_not_gone_on_with(tmp_path: Path) -> None:
    folder = unpacked(tmp_path)
    with pytest.raises(DeviceError, match="cut"):
        offline.run(folder, SyntheticDevice(dies_after=100))
    with pytest.raises(
        ArtefactError, match="are of another machine or runtime; delete that folder"
    ):
        offline.run(folder, SyntheticDevice(threads=2))
    shutil.copytree(folder / "samples", tmp_path / "samples")
    shutil.rmtree(folder)
    other = unpacked(tmp_path, seed=7)
    shutil.copytree(tmp_path / "samples", other / "samples")
    with pytest.raises(ArtefactError, match="are of another bundle; delete that folder"):
        offline.run(other, SyntheticDevice())
    (other / "plan.json").write_text("{")
    with pytest.raises(ArtefactError, match="cannot be read .*unpack the bundle again"):
        offline.run(other, SyntheticDevice())


def test_a_noisy_campaign_is_told_there_and_refused_here(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(0)
    wild = rng.uniform(1, 3, 1_000_000)
    device = SyntheticDevice(noise=0.5, pace=lambda run: wild[run])
    path = offline.run(unpacked(tmp_path, provider="none"), device)
    assert "noisy: the halves of the campaign differ by" in capsys.readouterr().err
    results = read_results(path, SPACE)
    assert results.effort.rounds == 2 * EFFORT.rounds, "it tried once more before"
    with pytest.raises(NoisyError, match="Nothing is published"):
        results.table(rng)
    assert results.table(rng, allow_noisy=True).campaign.noisy


# What comes back.


def test_results_become_the_table_that_the_device_has(synthetic: Path, tmp_path: Path) -> None:
    table = read_results(synthetic, SPACE).table(np.random.default_rng(0))
    device = SyntheticDevice()
    known = latency_lut.measure(
        SPACE,
        device,
        rng=np.random.default_rng(0),
        effort=EFFORT,
        whole_networks=4,
        held_out=2,
        allow_noisy=True,
    )
    for key, entry in known.entries.items():
        assert table.entries[key].ms == pytest.approx(entry.ms, rel=0.1, abs=0.003)
    assert table.campaign.conditions["after"] == device.conditions()
    assert table.campaign.when == json.loads(synthetic.read_text())["when"]
    with zipfile.ZipFile(tmp_path / "back.zip", "w") as archive:
        archive.write(synthetic, "device/results.json")
    zipped = read_results(tmp_path / "back.zip", SPACE)
    assert zipped.journal.windows == read_results(synthetic, SPACE).journal.windows


def test_results_of_another_space_are_refused(synthetic: Path) -> None:
    with pytest.raises(ArtefactError, match=r"are of a bundle of space 'tiny' \(\w{12}\), not of"):
        read_results(synthetic, tiny_space((24,)))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text[:-200], "no JSON, truncated perhaps"),
        (lambda text: "[]", "no file of results"),
        (lambda text: '{"format": "another"}', "no file of results"),
        (lambda text: text.replace('"version": 2', '"version": 3', 1), "have version 3.*reads 2"),
        (lambda text: text.replace('"leg": 0', '"leg": 1', 1), "not as the bundle wrote them"),
        (lambda text: text.replace('"seed": 0', '"seed": 1', 1), "not as the bundle wrote them"),
        (lambda text: text.replace('"sha256": "', '"sha256": "0'), "not as the bundle wrote them"),
    ],
    ids=["truncated", "list", "other", "version", "samples", "plan", "sum"],
)
def test_results_that_are_damaged_are_refused(
    synthetic: Path, tmp_path: Path, change: Callable[[str], str], said: str
) -> None:
    before = synthetic.read_text()
    path = tmp_path / "results.json"
    path.write_text(change(before))
    assert path.read_text() != before
    with pytest.raises(ArtefactError, match=rf"^{path}: .*{said}"):
        read_results(path, SPACE)


def first(document: dict[str, Any]) -> dict[str, Any]:
    return document["windows"][0]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda d: first(d)["before"].pop(), "3 times above 0 were due"),
        (lambda d: first(d).update(after=[1.0, 2.0, -1.0]), "3 times above 0 were due"),
        (lambda d: first(d).update(before=7), "3 times above 0 were due"),
        (lambda d: first(d).update(leg=-1), "a whole number was due"),
        (lambda d: first(d)["visits"][0].update(model="x"), "'x' is no model of the campaign"),
        (lambda d: first(d)["visits"][0].update(times_ms=["fast", 1.0]), "2 times above 0 were"),
        (lambda d: first(d)["visits"][0].update(times_ms=[]), "1 times above 0 were due"),
        (lambda d: first(d)["visits"][0].update(times_ms=1.0), "TypeError"),
        (lambda d: d["loaded"].pop(), "1 models have no samples, the first is"),
        (lambda d: d["loaded"][0].update(operators={"Conv": -1}), "a whole number was due"),
        (lambda d: d["loaded"][0].update(memory_bytes=0.5), "a whole number was due"),
        (lambda d: d.update(windows=first(d)), "TypeError: string indices"),
        (lambda d: d.pop("windows"), "KeyError: 'windows'"),
        (lambda d: d.update(rounds=99), "99 rounds of 2"),
        (lambda d: d["fingerprint"].update(threads=2), "threads 2 in the fingerprint"),
        (lambda d: d["fingerprint"].update(cpu=7), "cpu 7 in the fingerprint"),
        (lambda d: d["fingerprint"].pop("cpu"), "missing .* 'cpu'"),
        (lambda d: d.update(seconds="long"), "could not convert"),
        (lambda d: d.update(when=7), "when it was measured is no text"),
        (lambda d: d.update(conditions=7), "7 are no conditions"),
        (lambda d: d["conditions"].update(after={"load": []}), "are no conditions"),
        (lambda d: d["plan"]["models"].pop(), "of the .* that this program would ask for"),
        (lambda d: d["plan"]["networks"]["16"]["fitted"].pop(), "would ask for"),
        (lambda d: d["plan"]["networks"].update({"17": {}}), "KeyError: 'fitted'"),
        (
            lambda d: d["plan"]["networks"]["16"]["fitted"][0].append(99),
            "SpaceError: rows of tiny have 13 columns",
        ),
    ],
)
def test_sizes_and_shapes_are_checked_whatever_the_checksum_says(
    synthetic: Path, tmp_path: Path, change: Callable[[dict[str, Any]], object], said: str
) -> None:
    document = json.loads(synthetic.read_text())
    del document["sha256"]
    change(document)
    document["bundle"] = offline.digest(document["plan"])
    path = tmp_path / "results.json"
    path.write_text(json.dumps({**document, "sha256": offline.digest(document)}))
    with pytest.raises(ArtefactError, match=rf"the results are damaged \(.*{said}") as error:
        read_results(path, SPACE)
    assert "run the bundle there once more" in str(error.value)


def test_a_bundle_that_was_not_run_brings_nothing(tmp_path: Path) -> None:
    unpacked(tmp_path)
    with pytest.raises(ArtefactError, match="0 files results.json in it; a bundle leaves one"):
        read_results(tmp_path / "out.zip", SPACE)
    with pytest.raises(ArtefactError, match="there are no results"):
        read_results(tmp_path / "nothing.json", SPACE)


def test_a_full_disk_leaves_no_half_of_a_bundle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> Any:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(zipfile.ZipFile, "writestr", full)
    with pytest.raises(NasLoopError, match=r"out.zip: cannot be written \(No space left"):
        unpacked(tmp_path)
    assert not list(tmp_path.iterdir())


def test_loaded_models_come_back_as_they_went(synthetic: Path) -> None:
    results = read_results(synthetic, SPACE)
    assert set(results.journal.loaded) == {*NAMES, *(model.name for model in PLANS.models)}
    journal = Journal(synthetic.parent / "samples")
    journal.resume()
    assert [asdict(one) for one in journal.windows] == [
        asdict(one) for one in results.journal.windows
    ]
