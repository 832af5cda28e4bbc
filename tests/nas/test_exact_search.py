"""``nas search --exact``: against all networks of the tiny space, one by one."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import predictors
from latency_lut import LatencyTable
from nas import search as searching
from nas.jobs.asked import Asked
from nas.jobs.asking import asked_of
from nas.jobs.budget import SearchOptions
from nas.jobs.exact import exact_document, require_exact, said
from nas.jobs.guide import Guide
from nas.jobs.one_round import round_study
from nas.jobs.trained import TrainedRun
from nas.report.front_documents import read_front
from nas.run import Run
from nas.search.exact.known import formula, latents, sample
from predictors import CostProxy
from search_spaces import Architecture
from search_spaces.errors import ConfigError
from search_spaces.paths import paths
from tests.latency_lut.synthetic import every_row
from tests.nas.conftest import BUDGET_MS
from tests.nas.test_bad_input import refused
from tests.nas.tiny import nas, registered, tiny

SPACE = tiny()
EVERY = every_row(SPACE)


def table_of(run: Path) -> LatencyTable:
    return LatencyTable.load(run / "latency" / "cpu.json", SPACE)


def ridge() -> predictors.Predictor:
    rng = np.random.default_rng(0)
    X = SPACE.sample(100, rng)
    y = 30 - 2 * np.log(SPACE.macs(X)) + np.tanh((X * SPACE.used(X)) @ rng.normal(size=X.shape[1]))
    return predictors.get("ridge", SPACE).fit(X, y + 0.1 * rng.normal(size=len(X)))


@pytest.mark.parametrize("name", predictors.COSTS)
def test_a_proxy_is_a_sum_that_nobody_has_to_ask_for(name: str) -> None:
    proxy = CostProxy(name, SPACE)
    for image in SPACE.images:
        graph = paths(SPACE, image)
        found = formula("error", proxy.predict, graph)
        rows = sample(graph, 50, np.random.default_rng(0))
        np.testing.assert_allclose(latents(found, graph, rows), proxy.predict(rows), rtol=1e-12)


def test_the_optimum_of_a_predictor_and_how_far_a_search_stopped(run: Path) -> None:
    fitted, table = ridge(), table_of(run)
    budget = float(np.quantile(table.predict(EVERY), 0.3))
    guide, macs = Guide("ridge predictor", "test", fitted), float(np.median(SPACE.macs(EVERY)))
    with registered():
        asked = asked_of(TrainedRun(Run(run)), table, ["parameters"], [("macs", macs)])
    options = SearchOptions(budget, "random", "ridge", evaluations=40)
    require_exact(SPACE, guide, options, asked)
    study = round_study(SPACE, table, guide, options, asked=asked)
    found = exact_document(SPACE, table, guide, study, options, asked)
    kept = (table.predict(EVERY) <= budget) & (SPACE.macs(EVERY) <= macs)
    best = 100 - float(fitted.predict(EVERY)[kept].min())
    assert found["score"] == pytest.approx(best, abs=1e-4) and found["proven"]
    assert found["score"] <= found["bound"] + 1e-9 and found["bound"] - found["score"] < 1e-3
    met = 100 - min(one.objectives["error"] for one in study.front())
    assert found["searched"] == met
    assert found["short"] == pytest.approx(found["score"] - met) and found["short"] >= 0
    row = SPACE.encode(Architecture.from_json(json.dumps(found["architecture"])))
    assert table.predict(row[None])[0] == found["latency_ms"] <= budget
    assert 100 - fitted.predict(row[None])[0] == found["score"]
    assert f"and random stopped {found['short']:.2g} from it" in said(found, "random")


def test_what_is_not_proven_is_said(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fitted, table = ridge(), table_of(run)
    guide, options = Guide("ridge predictor", "test", fitted), SearchOptions(1e9, evaluations=40)
    study = round_study(SPACE, table, guide, options)
    optimum = searching.optimum(SPACE, {"error": fitted.predict})
    ended = SimpleNamespace(
        **{**vars(optimum), "bound": -np.inf, "proven": False, "limited": {"latency_ms": 1.0}}
    )
    monkeypatch.setattr(searching, "optimum", lambda *_, **__: ended)
    found = exact_document(SPACE, table, guide, study, options, Asked())
    assert found["bound"] is None and not found["proven"]
    proven = said({**found, "bound": found["score"], "proven": True}, "nsga2")
    assert proven.count(f"{found['score']:.4g}%") == 2, "one unit, as many digits"
    assert "(not proven: nothing is proven of what others may reach)" in said(found, "nsga2")
    json.dumps(found, allow_nan=False)


def test_predictors_and_limits_that_are_no_sums_are_refused_at_once(run: Path) -> None:
    (run / "samples.sqlite").unlink()
    asked = ("search", run, "--latency-ms", BUDGET_MS, "--exact")
    way = "take --predictor ridge or a file (.npz) of one, or a proxy (--proxy macs or parameters)"
    for name, options in (("auto", ()), ("gp", ("--predictor", "gp"))):
        text = refused(run, *asked, *options)
        assert text.startswith("--exact needs a predictor that is a sum over layers and decisions;")
        assert f"got the {name} predictor: {way}" in text
    X = SPACE.sample(40, np.random.default_rng(0))
    with registered():
        belongs = TrainedRun(Run(run)).belongs()
    labels = predictors.ERROR
    made = predictors.get("boosting", SPACE, labels=labels, belongs=belongs)
    made.fit(X, 10.0 + X.sum(axis=1)).save(run / "b.npz")
    assert "got the boosting predictor" in refused(run, *asked, "--predictor", run / "b.npz")
    text = refused(run, *asked, "--proxy", "macs", "--confidence", 0.9)
    assert "leave out --confidence 0.9" in text
    (run / "mine.py").write_text("def squared(space, rows):\n    return space.macs(rows) ** 2\n")
    text = refused(run, *asked, "--proxy", "macs", "--limit", f"{run / 'mine.py'}:squared=1e30")
    assert "is no sum over the layers and decisions of a network" in text
    text = refused(run, "search", run, "--fleet", "cpu=5", "--exact")
    assert "leave out --exact" in text
    guide = Guide("ridge predictor", "test", ridge())
    with pytest.raises(ConfigError, match="leave out --confidence 0.95"):
        require_exact(SPACE, guide, SearchOptions(1.0, confidence=0.95), Asked())


def test_the_command_says_and_stores_it(run: Path) -> None:
    table = table_of(run)
    budget = float(np.quantile(table.predict(EVERY), 0.5))
    asked = ("search", run, "--latency-ms", budget, "--no-baselines", "--predictor", "ridge")
    done = nas(*asked, "--exact")
    # What is predicted within the budget may be measured above it, which is another matter.
    if done.code:
        assert "no candidate was measured within" in done.err, done.err
        return
    front = json.loads((run / "front.json").read_text())
    exact = front["exact"]
    assert exact["proven"] and exact["scale"] == "predicted accuracy, %"
    assert "the exact optimum is predicted accuracy" in done.out and "nsga2 stopped" in done.out
    shown = read_front(front).exact
    assert shown is not None and shown.score == exact["score"] and shown.proven
    assert nas("report", run).code == 0
    assert "The exact optimum" in (run / "report.html").read_text()
    assert nas(*asked).code == 0
    assert json.loads((run / "front.json").read_text())["exact"] is None
