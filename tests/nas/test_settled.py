"""The networks that a training settled on: with its weights, and in every search of them."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from latency_lut import LatencyTable
from nas import quantities
from nas.header import peek
from nas.jobs.asked import Asked
from nas.jobs.budget import SearchOptions
from nas.jobs.one_round import keeping
from nas.jobs.trained import TrainedRun
from nas.run import Run
from nas.training.learner import Learner
from nas.weights import save_supernet
from search_spaces import Architecture
from search_spaces.errors import ArtefactError
from search_spaces.space import Population
from tests.latency_lut.synthetic import every_row
from tests.nas.made_tables import another_device
from tests.nas.test_rounds import GUIDE, Job, middle, truth, uncertain
from tests.nas.test_rounds import SPACE as TIMED
from tests.nas.test_rounds import accuracy as worth
from tests.nas.tiny import nas, registered, tiny

SPACE = tiny()
Row = tuple[int, ...]


def as_rows(X: Population) -> set[Row]:
    return {tuple(row) for row in X.tolist()}


def some(n: int, seed: int = 0) -> Population:
    """Distinct networks of the tiny space, in no order."""
    return np.random.default_rng(seed).permutation(every_row(SPACE))[:n]


def settle(folder: Path, rows: Population) -> None:
    """As if the run's training had settled on ``rows``; what was found by its weights is gone."""
    run = Run(folder)
    with registered():
        known = TrainedRun(run).trained
    save_supernet(
        *(run.supernet, known.supernet, known.normalisation, known.classes, known.data),
        settled=rows,
    )
    for path in (*folder.glob("*.sqlite"), run.front, run.best, run.measured):
        path.unlink(missing_ok=True)


def measured(document: dict[str, Any]) -> list[Row]:
    points = [*document["points"], *document.get("dominated", [])]
    found = [Architecture.from_json(json.dumps(one["architecture"])) for one in points]
    return [tuple(SPACE.encode(one).tolist()) for one in found]


def test_they_are_those_of_its_last_steps(
    untrained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = yaml.safe_load(untrained.read_text())
    document["train"] |= {"strategy": "frontier", "subnets": 30, "settled": 3}
    document["train"]["phases"] = [{"name": "all", "epochs": 2}]
    untrained.write_text(yaml.safe_dump(document))
    asked: list[list[Architecture]] = []
    plain = Learner.step

    def noted(learner: Learner, x: Any, targets: Any, architectures: list[Architecture]) -> Any:
        asked.append(architectures)
        return plain(learner, x, targets, architectures)

    run = Run(tmp_path / "run")
    with monkeypatch.context() as patch:
        patch.setattr(Learner, "step", noted)
        assert nas("train", untrained, "--out", run.folder).code == 0
    trained = TrainedRun(run)
    with registered():
        space = trained.space
    last = {tuple(space.encode(one).tolist()) for one in asked[-1]}
    ends = as_rows(np.stack([space.smallest, space.largest]))
    # Sampled in pairs with what is between them, at most the settled ones are in a step.
    assert 0 < len(trained.settled) <= 3
    assert last - ends == as_rows(trained.settled)
    before = run.supernet.read_bytes()
    assert nas("train", untrained, "--out", run.folder, "--resume").code == 0
    assert run.supernet.read_bytes() == before, "they are known to who goes on, too"


def test_weights_without_any_are_read(run: Path) -> None:
    assert peek(run / "supernet.safetensors").settled == ()
    with registered():
        assert TrainedRun(Run(run)).settled.shape == (0, len(SPACE.choices))


@pytest.mark.parametrize("rows", [[[99] * len(SPACE.choices)], [[0]], [[0], [0, 0]]])
def test_rows_of_no_network_are_refused(run: Path, rows: Any) -> None:
    trained = TrainedRun(Run(run))
    trained.__dict__["header"] = replace(trained.header, settled=tuple(map(tuple, rows)))
    with (
        registered(),
        pytest.raises(ArtefactError, match=r"safetensors: its header is damaged .*train again"),
    ):
        _ = trained.settled


def test_a_search_measures_those_within_its_budget(run: Path) -> None:
    rows = some(5)
    settle(run, rows)
    table = LatencyTable.load(next((run / "latency").glob("*.json")), SPACE)
    predicted = table.predict(rows)
    budget = float(np.sort(predicted)[2:4].mean())
    said = nas("search", run, "--latency-ms", budget, "--no-baselines", "--json")
    assert said.code == 0, said.err
    found = measured(said.json)
    within = as_rows(rows[predicted <= budget])
    assert len(within) == 3 and within <= set(found)
    assert not as_rows(rows) - within & set(found)
    assert len(set(found)) == len(found) == said.json["rounds"][0]["measured"]
    announced = re.search(r"(\d+) to (\d+) candidates", said.err)
    assert announced is not None
    few, most = map(int, announced.groups())
    assert few + 1 <= len(found) <= few + 3 <= most


def test_a_search_for_a_fleet_measures_those_within_some_budget(run: Path) -> None:
    another_device(run, "pi4", 3.0)
    another_device(run, "pixel", 2.0)
    rows = some(5, seed=1)
    settle(run, rows)
    limits = {}
    within: set[Row] = set()
    for name, rank in (("pi4", 3), ("pixel", 2)):
        table = LatencyTable.load(run / "latency" / f"{name}.json", SPACE)
        predicted = table.predict(rows)
        limits[name] = float(np.sort(predicted)[rank - 1 : rank + 1].mean())
        within |= as_rows(rows[predicted <= limits[name]])
    options = [text for name, ms in limits.items() for text in ("--fleet", f"{name}={ms!r}")]
    said = nas("search", run, *options, "--no-baselines", "--json")
    assert said.code == 0, said.err
    found = measured(said.json)
    assert 3 <= len(within) < 5 and within <= set(found)
    assert not as_rows(rows) - within & set(found)
    assert len(set(found)) == len(found)


def test_known_good_networks_are_measured_once_beside_the_others() -> None:
    job = Job(middle())
    plain = job.run()
    everything = every_row(TIMED)
    good = np.array([row for row in everything if truth(tuple(row)) < job.budget][:4])
    again = Job(middle())
    extra = np.concatenate([good, np.array(job.asked[0][:2])])
    outcome = again.run(lambda table: extra)
    assert again.asked[0][: len(job.asked[0])] == job.asked[0], "the search's own come first"
    assert set(again.asked[0]) == set(job.asked[0]) | as_rows(good)
    assert len(outcome.candidates) == len(set(again.asked[0])) <= len(plain.candidates) + 4


def test_known_good_networks_of_a_corrected_table_are_measured_when_they_are_known() -> None:
    job = Job(middle(), lambda row: 0.7)
    everything = every_row(TIMED)

    def within(table: Any) -> Population:
        return everything[table.predict(everything) <= job.budget]

    outcome = job.run(within)
    assert len(outcome.rounds) > 1 and len(job.asked[1]) > 0
    asked = [row for one in job.asked for row in one]
    assert len(asked) == len(set(asked))
    for table, rows in zip(job.tables, job.asked, strict=True):
        assert as_rows(within(table)) <= set(asked) or rows is job.asked[0]


@pytest.mark.parametrize("confidence", [None, 0.95])
def test_what_keeps_all_that_is_asked(confidence: float | None) -> None:
    table, rows = uncertain(), every_row(TIMED)
    options = SearchOptions(middle(), confidence=confidence)
    macs = quantities.get("macs", TIMED)
    limit = float(np.quantile(TIMED.macs(rows), 0.6))
    least = float(np.quantile(worth(rows), 0.2))
    asked = Asked(limits={macs: limit}, least_accuracy=100.0 + least)
    kept = keeping(TIMED, table, GUIDE, options, asked, rows)
    mean, std = table.predict(rows, return_std=True)
    end = mean if confidence is None else mean + 1.6448536269514722 * std
    by_hand = (end <= middle()) & (TIMED.macs(rows) <= limit) & (worth(rows) >= least)
    assert 0 < len(kept) < len(rows) and np.array_equal(kept, rows[by_hand])
    assert len(keeping(TIMED, table, GUIDE, options, asked, rows[:0])) == 0
