"""``nas predict``: a predictor of a run, and how good each of them is."""

from __future__ import annotations

import csv
import json
import sqlite3
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import kendalltau

import predictors
from nas.jobs.proxies import COMBINED, ProxyScores
from nas.jobs.trained import TrainedRun
from nas.run import Run
from tests.nas.tiny import accuracies, nas, registered, tiny

EVALUATE = ("--evaluate", "--networks", 45, "--samples", 20, "--samples", 12, "--repeats", 2)


def test_predictors_are_evaluated_on_what_was_measured(run: Path) -> None:
    chosen = ("--predictor", "ridge", "--predictor", "gp")
    (run / "samples.sqlite").unlink()
    said = nas("predict", run, *EVALUATE, *chosen, "--json")
    assert said.code == 0, said.err
    document = said.json
    rows = {(row["predictor"], row["samples"]): row for row in document["rows"]}
    assert list(rows) == [
        ("ridge", 12),
        ("ridge", 20),
        ("gp", 12),
        ("gp", 20),
        ("macs", 0),
        ("parameters", 0),
    ]
    assert document["networks"] == 45 and document["repeats"] == 2
    measured = accuracies(run)
    assert len(measured) == 45
    X = np.array([json.loads(row) for row, _ in measured])
    tau = kendalltau(tiny().macs(X), [accuracy for _, accuracy in measured]).statistic
    assert rows["macs", 0]["kendall"] == pytest.approx(tau, abs=1e-5)
    assert rows["macs", 0]["coverage"] is None and rows["macs", 0]["kendall_half"] is None
    assert all(-1 <= row["kendall"] <= 1 and row["regret"] >= 0 for row in rows.values())
    kept = json.loads((run / "predictors.json").read_text())
    assert kept["rows"] == document["rows"]
    with (run / "predictors.csv").open() as file:
        table = list(csv.DictReader(file))
    assert [float(row["kendall"]) for row in table] == [r["kendall"] for r in kept["rows"]]
    page = (run / "predictors.html").read_text()
    assert page.count("<svg") == 6 and "Kendall" in page and "nan" not in page.lower()
    again = nas("predict", run, *EVALUATE, *chosen)
    assert again.code == 0 and "ridge" in again.out and "±" in again.out
    assert accuracies(run) == measured
    assert json.loads((run / "predictors.json").read_text()) == kept


def test_proxies_join_in_and_are_kept(run: Path) -> None:
    chosen = ("--predictor", "auto", "--samples", 20, "--repeats", 1, "--networks", 40)
    (run / "samples.sqlite").unlink()
    said = nas("predict", run, "--evaluate", "--proxies", *chosen, "--json")
    assert said.code == 0, said.err
    rows = {row["predictor"]: row for row in said.json["rows"]}
    assert list(rows)[:2] == ["auto", "auto and proxies"]
    assert {"naswot", "zico", "synflow", "layers", COMBINED} < set(rows)
    X = np.array([json.loads(row) for row, _ in accuracies(run)])
    actual = [accuracy for _, accuracy in accuracies(run)]
    # Proxies whose value is known without them.
    tau = kendalltau(tiny().parameters(X), actual).statistic
    assert rows["parameters"]["kendall"] == pytest.approx(tau, abs=1e-5)
    store = ProxyScores(run / "proxies.sqlite", tiny(), _belongs(run))
    assert sorted(store.known()) == sorted(map(tuple, X.tolist()))
    taken = store.seconds()
    assert nas("predict", run, "--evaluate", "--proxies", *chosen).code == 0
    assert store.seconds() == taken, "nothing was scored again"


def test_scores_of_other_images_are_refused(run: Path) -> None:
    chosen = ("--predictor", "ridge", "--samples", 12, "--repeats", 1, "--networks", 32)
    with sqlite3.connect(run / "proxies.sqlite") as file:
        file.execute("CREATE TABLE belongs (name TEXT PRIMARY KEY, value TEXT)")
        file.executemany(
            "INSERT INTO belongs VALUES (?, ?)", {**_belongs(run), "data": "others"}.items()
        )
    said = nas("predict", run, "--evaluate", "--proxies", *chosen)
    assert said.code == 2
    assert "proxies.sqlite: its scores belong to another data; remove the file" in said.err


def _belongs(run: Path) -> dict[str, str]:
    """What a store of scores belongs to: what the run's own has to say."""
    return {
        "format": "1",
        "space": tiny().identity,
        "data": TrainedRun(Run.open(run)).header.data,
        "batch": "64 images, seed 0",
        "proxies": ", ".join(predictors.proxies.names()),
    }


@pytest.mark.parametrize("sampling", ["random", "active"])
def test_a_predictor_is_fitted_and_kept(run: Path, sampling: str) -> None:
    config = run / "config.yaml"
    text = config.read_text()
    assert "sampling: stratified" in text
    config.write_text(text.replace("sampling: stratified", f"sampling: {sampling}"))
    said = nas("predict", run, "--predictor", "ridge", "--json")
    assert said.code == 0, said.err
    assert said.json["name"] == "ridge" and said.json["predictor"] == str(run / "predictor.npz")
    measured = accuracies(run)
    with registered():
        trained = TrainedRun(Run.open(run))
        kept = predictors.load(run / "predictor.npz", trained.space, data=trained.header.data)
    assert 0 <= kept.predict(trained.space.largest)[0] <= 100
    first = (run / "predictor.npz").read_bytes()
    assert nas("predict", run, "--predictor", "ridge").code == 0
    assert (run / "predictor.npz").read_bytes() == first
    assert accuracies(run) == measured


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--predictor", "rigde"), "did you mean 'ridge'"),
        (("--evaluate", "--predictor", "rigde"), "did you mean 'ridge'"),
        (("--predictor", "gp", "--predictor", "mlp"), "one predictor is fitted"),
        (("--repeats", 3), "--repeats: only with --evaluate"),
        (("--proxies",), "--proxies: only with --evaluate"),
        (("--evaluate", "-o", "p.npz"), "-o: without --evaluate"),
        (("--evaluate",), "rank 20 others takes 45 measured ones; got 12"),
        (("--evaluate", "--samples", 30, "--networks", 49), "takes 50 measured ones; got 49"),
    ],
)
def test_what_is_refused(run: Path, arguments: tuple[object, ...], says: str) -> None:
    before = accuracies(run)
    said = nas("predict", run, *arguments)
    assert said.code == 2 and says in said.err, said.err
    assert accuracies(run) == before
    assert not (run / "predictors.json").exists() and not (run / "predictor.npz").exists()


def test_a_search_refuses_a_predictor_that_wants_proxies(run: Path, tmp_path: Path) -> None:
    with registered():
        trained = TrainedRun(Run.open(run))
        rows = trained.space.sample(20, np.random.default_rng(0))
        predictor = predictors.get("ridge", trained.space, data=trained.header.data)
    predictor.fit(rows, np.log(trained.space.macs(rows)), proxies={"zen": rows.sum(1)})
    predictor.save(tmp_path / "p.npz")
    said = nas("search", run, "--latency-ms", 1, "--predictor", tmp_path / "p.npz")
    assert said.code == 2
    assert "wants the proxies zen of every network" in said.err
