"""Further objectives and limits, by the command."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from latency_lut import LatencyTable
from nas.jobs.asked import Asked
from nas.jobs.budget import SearchOptions, require_accuracy
from nas.jobs.guide import Guide
from nas.report import gather
from nas.run import Run
from search_spaces import Architecture
from search_spaces.errors import InfeasibleError
from tests.latency_lut.synthetic import every_row
from tests.nas.conftest import BUDGET_MS, Job
from tests.nas.made_tables import another_device
from tests.nas.test_bad_input import refused
from tests.nas.tiny import nas, rows, tiny

SPACE = tiny()
EVERY = every_row(SPACE)
PRICE = "def price(space, rows):\n    return space.parameters(rows) ** 0.5\n"


def search(run: Path, *more: object) -> Any:
    said = nas("search", run, "--latency-ms", BUDGET_MS, *more, "--json")
    assert said.code == 0, said.err
    return said.json


def row_of(point: dict[str, Any]) -> np.ndarray:
    return SPACE.encode(Architecture.from_json(json.dumps(point["architecture"])))[None]


def test_limits_and_objectives_are_kept_written_and_shown(run: Path) -> None:
    table = LatencyTable.load(another_device(run, "pixel", 3.0, energy=True), SPACE)
    (run / "costs.py").write_text(PRICE)
    most = float(np.median(table.predict(EVERY)))
    limits = ("--limit", "macs=150000", "--limit", f"latency@pixel={most!r}")
    objectives = ("--objective", "energy_mj@pixel", "--objective", f"{run / 'costs.py'}:price")
    front = search(run, *limits, *objectives, "--limit", "accuracy=1", "--budget", 200)
    assert front == json.loads((run / "front.json").read_text())
    told = {one["name"]: one for one in front["quantities"]}
    found = {n: (one["basis"], one["objective"], one["limit"]) for n, one in told.items()}
    assert found == {
        "macs": ("counted", False, 150_000),
        "latency@pixel": ("predicted", False, most),
        "energy_mj@pixel": ("predicted", True, None),
        "price": ("computed", True, None),
        "accuracy": ("measured", True, 1),
    }
    assert told["latency@pixel"]["device"]["cpu"] == "pixel" and "device" not in told["macs"]
    for point in (*front["points"], *front["dominated"]):
        row = row_of(point)
        energy = 0.5 + 4e-6 * SPACE.parameters(row)[0] + 1e3 * SPACE.macs(row)[0] / 1e9
        assert point["quantities"] == pytest.approx(
            {
                "macs": SPACE.macs(row)[0],
                "latency@pixel": table.predict(row)[0],
                "energy_mj@pixel": energy,
                "price": SPACE.parameters(row)[0] ** 0.5,
            }
        )
        assert point["quantities"]["macs"] <= 150_000
        assert point["quantities"]["latency@pixel"] <= most
    columns = "(SELECT name FROM pragma_table_info('evaluations'))"
    header = {name for (name,) in rows(run / "study.sqlite", columns)}
    assert {"error", "latency_ms", "macs", "latency@pixel", "energy_mj@pixel", "price"} <= header
    assert nas("report", run).code == 0
    page = (run / "report.html").read_text()
    for shown in (
        "macs (at most 150000, counted)",
        "energy_mj@pixel (an objective, predicted)",
        "energy_mj@pixel, mJ (predicted)",
        "accuracy (an objective, at least 1%, measured)",
        "What is predicted was not measured",
    ):
        assert shown in page, shown
    # The report's command searches the same again.
    before = rows(run / "study.sqlite", "evaluations")
    (again,) = (c for c in gather(Run(run)).provenance.commands if c.startswith("nas search"))
    assert nas(*shlex.split(again)[1:]).code == 0
    assert rows(run / "study.sqlite", "evaluations") == before
    assert json.loads((run / "front.json").read_text())["told"] == front["told"]


def test_the_terminal_tells_measured_from_predicted(run: Path) -> None:
    another_device(run, "pixel", 3.0)
    arguments = ("--latency-ms", BUDGET_MS, "--limit", "model_mb=10", "--limit", "latency@pixel=9")
    said = nas("search", run, *arguments)
    assert said.code == 0, said.err
    assert " MB (measured, limit 10)" in said.out and " ms (predicted, limit 9)" in said.out


def test_a_measured_figure_counts_where_there_is_one(run: Path) -> None:
    """Files are some kilobytes larger than the weights, by which the search went."""
    weights = 4e-6 * SPACE.parameters(EVERY)
    smallest = float(weights.min())
    said = nas("search", run, "--latency-ms", BUDGET_MS, "--limit", f"model_mb={smallest!r}")
    assert said.code == 2
    assert "none keeps 1 ms and model_mb within" in said.err
    assert "once measured (the nearest misses model_mb by 0.00" in said.err
    most = float(weights.max()) + 0.01
    front = search(run, "--limit", f"model_mb={most!r}")
    best = front["points"][front["best"]]
    assert best["quantities"]["model_mb"] == best["model_mb"] <= most


def test_more_objectives_leave_more_on_the_front(run: Path) -> None:
    (run / "costs.py").write_text("def few(space, rows):\n    return -space.macs(rows)\n")
    one = search(run, "--objective", f"{run / 'costs.py'}:few", "--budget", 100)
    values = [
        (point["latency_ms"], -point["score"], point["quantities"]["few"])
        for point in (*one["points"], *one["dominated"])
    ]
    beaten = [a for a in values if any(b != a and all(map(float.__le__, b, a)) for b in values)]
    assert len(one["dominated"]) == len(beaten)


def test_a_confidence_holds_for_other_devices_too(run: Path) -> None:
    table = LatencyTable.load(another_device(run, "pixel", 3.0), SPACE)
    most = float(np.quantile(table.predict(EVERY), 0.3))
    front = search(run, "--limit", f"latency@pixel={most!r}", "--confidence", 0.95, "--budget", 200)
    for point in (*front["points"], *front["dominated"]):
        mean, std = table.predict(row_of(point), return_std=True)
        assert std[0] > 0 and mean[0] + 1.6448536 * std[0] <= most


def test_what_is_always_an_objective_may_be_named(run: Path) -> None:
    front = search(run, "--objective", "accuracy", "--objective", "latency", "--budget", 20)
    assert front["quantities"] == []


# Refused


def test_limits_that_nobody_can_keep_are_answered_with_what_can(
    job: Job, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (run / "samples.sqlite").unlink()
    monkeypatch.setattr("nas.jobs.trained.TrainedRun.val_accuracy", None)
    fewest = int(SPACE.macs(EVERY).min())
    said = refused(run, "search", run, "--latency-ms", 1, "--limit", "macs=1000")
    assert said == f"no network of tiny keeps macs within 1000; the nearest is {fewest}"
    table = LatencyTable.load(another_device(run, "pixel", 3.0), SPACE)
    said = refused(run, "search", run, "--latency-ms", 1, "--limit", "latency@pixel=0.0001")
    nearest = float(said.removesuffix(" ms").rpartition(" ")[2])
    assert said.startswith(
        "no network of tiny keeps latency@pixel within 0.0001 ms; the nearest is"
    )
    assert nearest == pytest.approx(table.predict(EVERY).min(), rel=1e-3)


def test_an_accuracy_that_nothing_is_predicted_to_have(run: Path) -> None:
    said = nas("search", run, "--latency-ms", 1, "--limit", "accuracy=101")
    assert said.code == 2
    assert "no network of tiny is predicted to reach an accuracy of 101%; the best re" in said.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--limit", "flops=1"), "no quantity 'flops'; there are accuracy, latency, macs, par"),
        (("--objective", "flops"), "no quantity 'flops'; there are accuracy, latency, macs, par"),
        (("--limit", "latency@pi4=1"), "latency: no latency table 'pi4'; there are cpu, pixel; "),
        (("--limit", "energy_mj=1"), "energy_mj: the latency table has"),
        (("--objective", "energy_mj@pixel"), "energy_mj@pixel: the latency table has"),
        (("--limit", "latency=1"), "--latency-ms 1 in place of --limit latency=1"),
        (("--limit", "latency@cpu=1"), "latency@cpu is the latency of the device that is search"),
        (("--limit", "macs"), "--limit is NAME=NUMBER, for example macs=3e8; got 'macs'"),
        (("--limit", "macs=many"), "--limit is NAME=NUMBER, for example macs=3e8; got 'macs=m"),
        (("--limit", "macs=nan"), "--limit is NAME=NUMBER, for example macs=3e8; got 'macs=nan'"),
        (("--limit", "macs=1e9", "--limit", "macs=2e9"), "--limit macs is given twice"),
        (("--limit", "nowhere.py:price=3"), "nowhere.py: no such file; give FILE.py:FUNCTION"),
        (("--proxy", "macs", "--limit", "accuracy=9"), "the proxy macs says nothing of accuracie"),
        (("--seed", "-1"), "--seed is 0 or more; got -1"),
    ],
)
def test_what_cannot_be_asked_for(run: Path, arguments: tuple[str, ...], said: str) -> None:
    another_device(run, "pixel", 3.0)
    (run / "samples.sqlite").unlink()
    assert said in refused(run, "search", run, "--latency-ms", 1, *arguments)


@pytest.mark.parametrize("name", ["error", "latency_ms", "Seconds"])
@pytest.mark.parametrize("option", ["--objective", "--limit"])
def test_a_function_by_the_name_of_what_a_search_has_itself(
    run: Path, name: str, option: str
) -> None:
    (run / "samples.sqlite").unlink()
    (run / "own.py").write_text(PRICE.replace("price", name))
    own = f"{run / 'own.py'}:{name}{'=1e9' * (option == '--limit')}"
    said = refused(run, "search", run, "--latency-ms", 1, option, own)
    assert said.startswith(f"a search calls something of its own {name!r}, as it does ")
    assert said.endswith("; rename the function")


def test_limits_that_exclude_each_other_are_told_before_anything_is_measured(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (run / "samples.sqlite").unlink()
    monkeypatch.setattr("nas.jobs.trained.TrainedRun.val_accuracy", None)
    (run / "own.py").write_text("def few(space, rows):\n    return -space.parameters(rows)\n")
    macs, few = 1.01 * SPACE.macs(EVERY).min(), -0.99 * SPACE.parameters(EVERY).max()
    limits = ("--limit", f"macs={float(macs)!r}", "--limit", f"{run / 'own.py'}:few={float(few)!r}")
    said = refused(run, "search", run, "--latency-ms", 1e6, *limits)
    assert "was found that keeps all limits together, though each can be kept" in said
    assert "macs " in said and "few " in said


def test_a_damaged_table_of_another_device(run: Path) -> None:
    path = another_device(run, "pixel", 3.0)
    path.write_text(path.read_text()[:5000])
    said = refused(run, "search", run, "--latency-ms", 1, "--limit", "latency@pixel=1")
    assert said.startswith(f"{path}: the latency table is no JSON")


def test_a_study_that_went_by_other_limits_or_code_is_not_gone_on_with(run: Path) -> None:
    (run / "costs.py").write_text(PRICE)
    own = f"{run / 'costs.py'}:price"
    search(run, "--limit", f"{own}=1e9", "--budget", 20)
    resumed = ("search", run, "--latency-ms", BUDGET_MS, "--budget", 20, "--resume")
    assert nas(*resumed, "--limit", f"{own}=1e9").code == 0
    said = nas(*resumed, "--limit", f"{own}=2e9")
    assert said.code == 2 and "are of another search" in said.err
    (run / "costs.py").write_text(PRICE + "# Another one.\n")
    said = nas(*resumed, "--limit", f"{own}=1e9")
    assert said.code == 2 and "are of another search" in said.err


@pytest.mark.parametrize("name", ["latency", "latency_ms"])
def test_a_limit_of_the_latency_is_the_budget(run: Path, name: str) -> None:
    said = refused(run, "search", run, "--latency-ms", 1, "--limit", f"{name}=0.5")
    assert said.endswith(f"--latency-ms 0.5 in place of --limit {name}=0.5")


def test_a_function_without_a_number_for_any_network(run: Path) -> None:
    (run / "samples.sqlite").unlink()
    (run / "own.py").write_text("def none(space, rows):\n    return [float('nan')] * len(rows)\n")
    said = refused(run, "search", run, "--latency-ms", 1, "--objective", f"{run / 'own.py'}:none")
    assert "has no number for any network that was tried" in said and "it returned nan" in said


def test_a_search_without_a_budget_names_where_it_goes(run: Path) -> None:
    said = refused(run, "search", run)
    assert "add --latency-ms, or latency_ms under search in" in said
    assert f"{run / 'config.yaml'}; by the latency table networks take from " in said
    assert refused(run, "search", run, "--searcher", "nobody").startswith("no searcher 'nobody'")
    assert "--limit is NAME=NUMBER" in refused(run, "search", run, "--limit", "macs")
    assert "nothing" in refused(run, "search", run, "--limit", "nothing=1")


def test_a_confidence_that_nothing_reaches_is_named(run: Path) -> None:
    said = refused(run, "search", run, "--latency-ms", 1e-6, "--confidence", 0.95)
    assert "runs within 1e-06 ms at 95% confidence on this table; the smallest reaches" in said
    another_device(run, "pixel", 3.0)
    more = ("--confidence", 0.95, "--limit", "latency@pixel=1e-6")
    other = refused(run, "search", run, "--latency-ms", 1e6, *more)
    assert "keeps latency@pixel within 0.000001 ms at 95% confidence; the nearest is" in other
    assert "ms without --confidence): lower --confidence, or raise --latency-ms" in said


def test_accuracy_and_latency_that_exclude_each_other(run: Path) -> None:
    """The largest network is predicted to be best, and is the slowest."""
    table = LatencyTable.load(next((run / "latency").glob("cpu*.json")), SPACE)
    fastest, price = float(table.predict(EVERY).min()), SPACE.parameters(EVERY)

    def error(X: np.ndarray) -> np.ndarray:
        return np.asarray(50 - 49 * SPACE.parameters(X) / price.max())

    guide = Guide("made up", "made up", SimpleNamespace(predict=error))
    options = SearchOptions(1.1 * fastest)
    with pytest.raises(InfeasibleError) as said:
        require_accuracy(SPACE, table, guide, options, Asked(least_accuracy=98.5))
    assert "and accuracy at least 98.5%, though each can be kept; the most accurate" in str(said)
    assert "error" not in str(said.value)
    require_accuracy(SPACE, table, guide, SearchOptions(1e6), Asked(least_accuracy=98.5))
