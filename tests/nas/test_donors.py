"""`nas measure --donors`: a table of this machine from one of another."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from latency_lut import LatencyTable
from tests.nas.tiny import nas, tiny


@pytest.fixture
def donor(run: Path, tmp_path: Path) -> Path:
    """The run's own table, as if another machine had measured it."""
    document = json.loads((run / "latency" / "cpu.json").read_text())
    document["fingerprint"]["cpu"] = "Z80"
    path = tmp_path / "z80.json"
    path.write_text(json.dumps(document))
    return path


@pytest.mark.slow
def test_a_table_from_donors_is_a_table_like_any_other(run: Path, donor: Path) -> None:
    said = nas("measure", run, "--donors", donor, "--samples", 5, "--name", "few", "--allow-noisy")
    assert said.code == 0, said.err
    assert "on each of its 5 networks by the others; its blocks were not measured" in said.out
    assert "they come from 1 donor" in said.out
    path = run / "latency" / "few.json"
    table = LatencyTable.load(path, tiny())
    assert set(table.donors) == {8, 10} and len(table.networks) == 10
    assert {one.fingerprint.cpu for ones in table.donors.values() for one in ones} == {"Z80"}
    said = nas("search", run, "--latency-ms", 1, "--budget", 20, "--table", path, "--json")
    assert said.code == 0, said.err
    assert nas("report", run).code == 0
    page = (run / "report.html").read_text()
    assert "Resolution 8, 10: few networks were measured and no blocks" in page


def test_the_json_names_the_donors(run: Path, donor: Path) -> None:
    said = nas(
        "measure", run, "--donors", donor, "--samples", 4, "--resolution", 8, "--name", "few",
        "--allow-noisy", "--json",
    )  # fmt: skip
    assert said.code == 0, said.err
    assert [one["cpu"] for one in said.json["donors"]["8"]] == ["Z80"]
    assert said.json["entries"] == 0


def test_samples_are_few_only_with_donors(run: Path) -> None:
    said = nas("measure", run, "--samples", 10)
    assert said.code == 2 and "with tables of other devices only" in said.err


def test_a_donor_of_another_space_or_of_this_device_is_refused(run: Path, donor: Path) -> None:
    own = run / "latency" / "cpu.json"
    said = nas("measure", run, "--donors", own, "--name", "few")
    assert said.code == 2 and "a donor is a table of another device" in said.err
    document = json.loads(donor.read_text())
    document["space"]["identity"] = "0" * 64
    donor.write_text(json.dumps(document))
    said = nas("measure", run, "--donors", donor, "--name", "few")
    assert said.code == 2 and "the table is of space" in said.err
    assert not (run / "latency" / "few.json").exists()


def test_what_was_measured_on_the_device_itself_is_not_replaced(run: Path, donor: Path) -> None:
    own = run / "latency" / "cpu.json"
    before = own.read_bytes()
    for resolutions, named in ((), "8, 10"), (("--resolution", 10), "10"):
        said = nas("measure", run, "--donors", donor, "--samples", 4, *resolutions)
        assert said.code == 2
        assert f"has resolution {named} measured on this very device" in said.err
        assert "leave --donors out, or choose another --name" in said.err
    assert own.read_bytes() == before
