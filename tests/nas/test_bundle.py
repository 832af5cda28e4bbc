"""`nas measure --bundle` and `--import`: what is said, what is refused, where the table goes."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from latency_lut import LatencyTable, offline
from tests.latency_lut.synthetic import SyntheticDevice
from tests.nas.tiny import files, nas, tiny

MEASURE = ("measure", "--space", "tiny", "--resolution", 8)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What came back of a bundle for one resolution, with all that was said on the way."""
    folder = tmp_path_factory.mktemp("bundle")
    said = nas(*MEASURE, "--bundle", folder / "out.zip", "--json")
    assert said.code == 0, said.err
    assert "models, about" in said.err
    assert (said.json["threads"], said.json["resolutions"]) == (1, [8])
    assert said.json["bytes"] == (folder / "out.zip").stat().st_size
    with zipfile.ZipFile(folder / "out.zip") as archive:
        archive.extractall(folder / "device")
    # The device that pretends has a provider of another name.
    plan = folder / "device" / "plan.json"
    plan.write_text(plan.read_text().replace("CPUExecutionProvider", "none"))
    return offline.run(folder / "device", SyntheticDevice(noise=0.005))


def test_a_table_is_made_of_what_came_back(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    said = nas("measure", "--space", "tiny", "--import", results, "--name", "pi", "--json")
    assert said.code == 0, said.err
    assert said.json["table"] == "pi.json" and said.json["resolutions"] == [8]
    assert said.json["conditions"]["before"]["governor"] == "performance"
    assert LatencyTable.load(tmp_path / "pi.json", tiny()).fingerprint.cpu == "none"
    told = nas("measure", "--space", "tiny", "--import", results, "-o", "other.json").out
    assert "after the campaign: governor performance, celsius absent, load 0.5" in told
    assert set(files(tmp_path)) == {"pi.json", "other.json"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--threads", 2), "are of another bundle, made with --threads 1, not 2"),
        (("--resolution", 10), "are of another bundle, made with --resolution 8, not 10"),
        (("--bundle", "x.zip"), "choose one of them"),
        (("--device", "ssh://pi"), "leave out --device"),
    ],
)
def test_options_that_contradict_the_results_are_refused(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    outcome = nas("measure", "--space", "tiny", "--import", results, *arguments)
    assert outcome.code == 2 and said in outcome.err and outcome.err.count("\n") == 1
    assert not files(tmp_path)


def test_bundles_that_cannot_be_written_are_refused(tmp_path: Path) -> None:
    said = nas(*MEASURE, "--bundle", tmp_path / "out.tar")
    assert said.code == 2 and "a bundle is a file .zip; got --bundle" in said.err
    said = nas("measure", "--bundle", tmp_path / "out.zip")
    assert said.code == 2 and "say what to measure" in said.err
    assert not files(tmp_path)


def test_results_that_are_none_are_refused(tmp_path: Path) -> None:
    (tmp_path / "results.json").write_text("{")
    said = nas("measure", "--space", "tiny", "--import", tmp_path / "results.json")
    assert said.code == 2 and "no JSON, truncated perhaps" in said.err and len(files(tmp_path)) == 1
