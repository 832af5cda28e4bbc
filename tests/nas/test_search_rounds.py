"""Rounds, confidence and verification, as commands."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from latency_lut import Journal, LatencyTable
from nas.jobs import candidates
from nas.jobs.rounds import MOST_ROUNDS
from search_spaces import Architecture
from tests.nas.conftest import BUDGET_MS
from tests.nas.tiny import nas, raising, tiny, windows


def test_measured_rounds_are_not_measured_again(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nas.jobs.rounds.WITHIN", -1.0)  # Never near enough: all rounds.
    arguments = ("search", run, "--latency-ms", BUDGET_MS, "--resume", "--json")
    for name in ("study.sqlite", "front.json", "best.json", "measured.json"):
        (run / name).unlink()
    plain = candidates.measure_candidates
    asked: list[int] = []

    def cut(trained: Any, table: Any, guide: Any, X: Any, *rest: Any) -> Any:
        asked.append(len(X))
        if len(asked) == 2:
            raise KeyboardInterrupt
        return plain(trained, table, guide, X, *rest)

    monkeypatch.setattr(candidates, "measure_candidates", cut)
    assert nas(*arguments).code == 130
    assert not (run / "front.json").exists()
    (first,) = json.loads((run / "measured.json").read_text())["rounds"]
    assert len(first) == asked[0] == 2
    said = nas(*arguments)
    assert said.code == 0, said.err
    rounds = said.json["rounds"]
    assert [one["measured"] for one in rounds] == [2, *asked[2:]], "round 1 was not asked again"
    assert len(rounds) == MOST_ROUNDS and not said.json["settled"]
    found = [*said.json["points"], *said.json["dominated"]]
    latencies = {point["latency_ms"] for point in found}
    assert {candidate["point"]["latency_ms"] for candidate in first} <= latencies
    assert len(found) == sum(one["measured"] for one in rounds)
    again = nas(*arguments)
    assert again.code == 0, again.err
    assert again.json["points"] == said.json["points"] and len(asked) == 4, "nothing is left to do"
    assert {"study.sqlite", "study.2.sqlite", "study.3.sqlite"} <= {f.name for f in run.iterdir()}


def test_candidates_of_a_cut_round_keep_their_samples(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ("search", run, "--latency-ms", BUDGET_MS, "--resume", "--json")
    for name in ("study.sqlite", "front.json", "best.json", "measured.json"):
        (run / name).unlink()
    plain = candidates.measure_networks
    added: list[int] = []
    keep = Journal.add

    def cut(journal: Journal, entry: Any) -> None:
        keep(journal, entry)
        if journal.windows:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Journal, "add", cut)
        assert nas(*arguments).code == 130
    samples = run / "candidates.1" / "samples.jsonl"
    (window,) = windows(samples)

    def watched(*given: Any, journal: Journal, **options: Any) -> Any:
        added.append(len(journal.windows))
        assert list(journal.windows[0].before) == window
        return plain(*given, journal=journal, **options)

    monkeypatch.setattr("nas.jobs.candidates.measure_networks", watched)
    assert nas(*arguments).code == 0
    assert added == [1] and not samples.parent.exists()


def test_a_search_of_something_else_does_not_go_on_with_what_was_measured(run: Path) -> None:
    arguments = ("search", run, "--latency-ms", 2 * BUDGET_MS, "--json")
    (run / "study.sqlite").unlink()
    kept = {"format": 1, "belongs": {"of": "another search"}, "rounds": [[]]}
    (run / "measured.json").write_text(json.dumps(kept))
    before = (run / "front.json").read_bytes()
    refused = nas(*arguments, "--resume")
    assert refused.code == 2 and "measured.json: the measured candidates there" in refused.err
    assert (run / "front.json").read_bytes() == before
    said = nas(*arguments)
    assert said.code == 0, said.err
    assert json.loads((run / "measured.json").read_text())["rounds"] != [[]]


def test_a_search_that_is_killed_leaves_no_network_of_an_earlier_one(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    best = (run / "best.json").read_bytes()
    begun = ("search", run, "--latency-ms", 2 * BUDGET_MS, "--no-baselines")
    with monkeypatch.context() as patch, pytest.raises(KeyError):
        patch.setattr("nas.jobs.search.fitted_guide", raising)
        nas(*begun)
    assert (run / "best.json").read_bytes() == best, "there is nothing of the new search yet"
    with monkeypatch.context() as patch, pytest.raises(KeyError):
        patch.setattr("nas.jobs.search.round_study", raising)
        nas(*begun, "--resume")
    assert not (run / "best.json").exists() and not (run / "front.json").exists()
    assert (run / "best.earlier.json").read_bytes() == best
    assert nas("report", run).code == 0
    page = (run / "report.html").read_text()
    assert "front.json is missing: a search began anew and did not end" in page
    assert f"that of an earlier search is {run}/front.earlier.json" in page
    other = nas(*begun, "--resume", "--searcher", "random")
    assert other.code == 2 and "(it was started with --searcher nsga2);" in other.err
    said = nas(*begun, "--resume")
    assert said.code == 0 and not list(run.glob("*.earlier.json")), said.err


def test_timing_says_how_far_it_is(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nas.terminal.QUIET_INTERVAL_S", 0.0)
    said = nas("search", run, "--latency-ms", 2 * BUDGET_MS, "--no-baselines", "--budget", 60)
    assert said.code == 0
    assert re.search(r"timing (1 candidate|\d+ candidates) on cpu\n", said.err), said.err
    assert re.search(r"time candidates on cpu: \d+/1000, .* left", said.err), said.err


def test_a_budget_at_a_confidence(run: Path) -> None:
    space = tiny()
    table = LatencyTable.load(run / "latency" / "cpu.json", space)
    arguments = ("search", run, "--latency-ms", BUDGET_MS, "--json")
    said = nas(*arguments, "--confidence", 0.95)
    assert said.code == 0, said.err
    assert said.json["confidence"] == 0.95
    for point in (*said.json["points"], *said.json["dominated"]):
        row = space.encode(Architecture.from_json(json.dumps(point["architecture"])))
        mean, std = table.predict(row[None], return_std=True)
        assert mean[0] + 1.6448536 * std[0] <= BUDGET_MS
    best = said.json["points"][said.json["best"]]
    error = (best["latency_high"] - best["latency_ms"]) / 1.96
    assert best["latency_ms_upper"] == pytest.approx(best["latency_ms"] + 1.6448536 * error)
    assert best["latency_ms_upper"] <= BUDGET_MS
    # A budget that the middle of the fastest network meets, and the end of its interval not.
    mean, std = table.predict(space.smallest[None], return_std=True)
    wide = [
        replace(fit, posterior=replace(fit.posterior, repeat=10.0)) for fit in table.fits.values()
    ]
    replace(table, fits=dict(zip(table.fits, wide, strict=True))).save(run / "latency" / "cpu.json")
    tight = ("search", run, "--latency-ms", float(2 * mean[0]), "--json")
    refused = nas(*tight, "--confidence", 0.95)
    assert refused.code == 2 and "no network of tiny runs within" in refused.err
    for wrong in (0.3, 1.0, 95):
        refused = nas(*arguments, "--confidence", wrong)
        assert refused.code == 2 and "--confidence is from 0.5 to below 1" in refused.err


def test_a_table_is_verified(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # However busy the machine is that tests run on.
    monkeypatch.setattr(sys.modules["latency_lut.verify"], "HALVES", float("inf"))
    file = run / "latency" / "cpu.json"
    said = nas("measure", run, "--verify", file, "--json")
    assert said.code in (0, 1), said.err
    told = r"320 visits to networks on cpu: about \d+ s .* and up to \d+ MB in "
    assert re.search(told + re.escape(f"{run}/latency/cpu.verify;"), said.err), said.err
    found = said.json
    assert found["holds"] == (said.code == 0) and found["networks"] == 20
    table = LatencyTable.load(file, tiny())
    assert [one.holds for one in table.verified] == [found["holds"]]
    # Made-up times: nothing moves like that.
    networks = tuple(
        replace(network, latency=network.latency.scaled(1.0 + i % 5))
        for i, network in enumerate(table.networks)
    )
    replace(table, networks=networks, verified=()).save(file)
    said = nas("measure", run, "--verify", file)
    assert said.code == 1 and "no longer holds" in said.out and "measure it again" in said.out
    assert [one.holds for one in LatencyTable.load(file, tiny()).verified] == [False]
    refused = nas("search", run, "--latency-ms", BUDGET_MS)
    assert refused.code == 2 and "no longer holds on this device; measure it again" in refused.err
    for options, words in (
        (("--resolution", 8), "--verify takes --device, --threads; leave out --resolution"),
        (("--bundle", "x.zip"), "--verify and --bundle are different ways"),
    ):
        refused = nas("measure", run, "--verify", file, *options)
        assert refused.code == 2 and words in refused.err


def test_what_cannot_be_verified(run: Path, tmp_path: Path) -> None:
    file = run / "latency" / "cpu.json"
    said = nas("measure", "--verify", tmp_path / "none.json")
    assert said.code == 2 and "no latency table can be read" in said.err
    document = json.loads(file.read_text())
    for space, words in (
        ({**document["space"], "options": None}, "of a space that is not built in"),
        ({**document["space"], "name": "gone"}, "of a space that is not built in"),
    ):
        other = tmp_path / "other.json"
        other.write_text(json.dumps({**document, "space": space}))
        said = nas("measure", "--verify", other)
        assert said.code == 2 and words in said.err
    document["fingerprint"]["cpu"] = "another"
    other.write_text(json.dumps(document))
    said = nas("measure", run, "--verify", other)
    assert said.code == 2 and "only the same device after an update can be verified" in said.err
