"""When a search ends: evaluations, minutes, stagnation, whichever comes first."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from nas.jobs import one_round
from nas.jobs.budget import SearchOptions
from nas.jobs.curves import COMPARED
from nas.jobs.ends import MOST, Ends
from nas.jobs.guide import Guide
from nas.jobs.one_round import round_study
from nas.run import Run
from nas.search import load
from search_spaces.errors import ConfigError
from tests.nas.conftest import BUDGET_MS
from tests.nas.test_bad_input import refused
from tests.nas.test_rounds import SPACE, accuracy, middle, table
from tests.nas.tiny import nas, rows, tiny

GUIDE = Guide("MACs", "test", SimpleNamespace(predict=lambda rows: -accuracy(rows)), "log MACs")


def test_time_alone_leaves_evaluations_open() -> None:
    assert Ends().most(5_000) == 5_000
    assert Ends(stagnation=200).most(5_000) == 5_000
    assert Ends(minutes=1.5).most(5_000) == MOST
    assert Ends(70, 1.5, 50).most(5_000) == 70


@pytest.mark.parametrize("minutes", [0.0, -1.0, float("nan"), float("inf")])
def test_minutes_are_above_zero(minutes: float) -> None:
    with pytest.raises(ConfigError, match="--minutes is a number above 0, for example 0.5; got"):
        Ends(minutes=minutes)


def test_what_could_never_end_a_search_is_refused() -> None:
    with pytest.raises(ConfigError, match="--stagnation 60 would never end a round of 60"):
        Ends(60, stagnation=60).most(5_000)
    with pytest.raises(ConfigError, match="--stagnation 5000 would never end a round of 5000"):
        Ends(stagnation=5_000).most(5_000)


@pytest.mark.parametrize(
    ("ends", "ended_by", "fewest"),
    [
        ({"evaluations": 200, "minutes": 60.0}, "evaluations", 200),
        ({"evaluations": 400, "minutes": 1e-9}, "seconds", 10),
        ({"evaluations": 450, "minutes": 60.0, "stagnation": 20}, "stagnation", 20),
    ],
)
def test_a_round_ends_at_what_comes_first(
    ends: dict[str, float], ended_by: str, fewest: int
) -> None:
    study = round_study(SPACE, table(), GUIDE, SearchOptions(middle(), **ends))  # type: ignore[arg-type]
    assert study.ended_by == ended_by
    assert len(study) == fewest if ended_by == "evaluations" else fewest <= len(study) < 400


def test_studies_that_end_in_other_ways_are_other_studies() -> None:
    made = {
        SearchOptions(1.0, minutes=minutes, stagnation=stagnation).told
        for minutes in (None, 5.0)
        for stagnation in (None, 5)
    }
    assert len(made) == 4 and "nsga2 5000 0 None" in made, "as studies of before are called"


@pytest.mark.slow
def test_a_search_that_time_ended_goes_on_and_is_compared(run: Path) -> None:
    arguments = ("search", run, "--latency-ms", BUDGET_MS, "--minutes", 0.002, "--json")
    said = nas(*arguments)
    assert said.code == 0, said.err
    front = said.json
    assert (front["minutes"], front["ended_by"]) == (0.002, "seconds")
    kept = len(rows(run / "study.sqlite", "evaluations"))
    assert front["evaluations"] == kept > 0
    curves = json.loads((run / "curves.json").read_text())
    assert curves["numbers"][-1] == min(kept, COMPARED), "not over all that it made"
    again = nas(*arguments, "--resume")
    assert again.code == 0, again.err
    assert again.json["evaluations"] >= kept
    assert again.json["points"] == front["points"], "measured once"
    text = nas(*arguments[:-1]).out
    assert "(the last ended with its time)" in text


def test_a_search_that_stands_still_ends(run: Path) -> None:
    said = nas(
        "search", run, "--latency-ms", BUDGET_MS, "--budget", 900, "--stagnation", 100, "--json"
    )
    assert said.code == 0, said.err
    assert (said.json["stagnation"], said.json["ended_by"]) == (100, "stagnation")
    assert 100 < said.json["evaluations"] < 900
    study = load(Run(run).study, tiny())
    assert len(study) == said.json["evaluations"]
    curves = json.loads((run / "curves.json").read_text())
    assert curves["numbers"][-1] == said.json["evaluations"]
    assert len(np.unique(curves["numbers"])) == len(curves["numbers"])


def test_ends_that_are_none_are_refused(run: Path) -> None:
    asked = ("search", run, "--latency-ms", BUDGET_MS)
    for value in (0, -2, "nan"):
        said = refused(run, *asked, "--minutes", value)
        assert said.startswith("--minutes is a number above 0, for example 0.5; got")
    assert refused(run, *asked, "--stagnation", 0).startswith("--stagnation is 1 evaluation or")
    assert refused(run, *asked, "--budget", -1).startswith("--budget is 1 evaluation or more")
    said = refused(run, *asked, "--stagnation", 60)
    assert said.startswith("--stagnation 60 would never end a round of 60 evaluations; lower it")


def test_the_option_that_ended_a_round_is_named_where_it_met_nothing() -> None:
    for ended_by, option in (
        ("evaluations", "--budget"),
        ("seconds", "--minutes"),
        ("stagnation", "--stagnation"),
    ):
        assert one_round._ended(SimpleNamespace(ended_by=ended_by)) == option  # type: ignore[arg-type]
