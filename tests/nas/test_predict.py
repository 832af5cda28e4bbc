"""``nas predict``: a predictor of a run, and how good each of them is."""

from __future__ import annotations

import csv
import dataclasses
import json
import math
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file
from scipy.stats import kendalltau

import predictors
from nas.jobs.evaluate import measured
from nas.jobs.predictor import measured_sample
from nas.jobs.proxies import COMBINED, ProxyScores
from nas.jobs.sampling import foreseen
from nas.jobs.trained import TrainedRun
from nas.run import Run
from nas.terminal import Screen
from predictors import proxies
from predictors.cross_validation import cross_validated
from predictors.evaluation import Measures, evaluate, split
from predictors.proxies import combine
from tests.nas.tiny import accuracies, nas, registered, tiny

TASTE = np.array([3.0, -2.0, 1.1, 2.3, -1.7, 0.4, 1.9, -0.8, 2.6, -1.2, 0.7])
EVALUATE = ("--evaluate", "--networks", 45, "--samples", 20, "--samples", 12, "--repeats", 2)


def left_of_draws(X: np.ndarray, size: int, repeats: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Positions of what is fitted on and of what is left, for each repetition."""
    rngs = [np.random.default_rng(seed) for seed in range(repeats)]
    return [split(tiny(), X, size, rng) for rng in rngs]


def test_predictors_are_evaluated_on_what_was_measured(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = ("--predictor", "ridge", "--predictor", "gp", "--predictor", "ridge")
    (run / "samples.sqlite").unlink()
    # Hard to predict, so that something is lost and it shows which way is up.
    monkeypatch.setattr(
        TrainedRun, "val_accuracy", lambda _, row: 60 + 9 * math.sin(row @ TASTE * 11)
    )
    # More than are asked for: no more are measured.
    config = run / "config.yaml"
    config.write_text(config.read_text().replace("samples: 12", "samples: 50"))
    asked: list[object] = []

    def third_fails(*arguments: Any, **options: Any) -> Measures:
        asked.append(arguments)
        if len(asked) == 3:
            raise KeyboardInterrupt
        return evaluate(*arguments, **options)

    monkeypatch.setattr("nas.jobs.evaluate.evaluate", third_fails)
    assert nas("predict", run, *EVALUATE, *chosen).code == 130
    assert len(asked) == 3 and not (run / "predictors.json").exists()
    said = nas("predict", run, *EVALUATE, *chosen, "--json")
    assert said.code == 0, said.err
    assert len(asked) == 3 + 2 * 2 * 2 - 2, "what was fitted is not fitted again"
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
    accuracy = np.array([accuracy for _, accuracy in measured])
    tau, lost, lost_by_macs, wrongly = [], [], [], []

    def best_left_out(scores: np.ndarray, quality: np.ndarray) -> float:
        return float(quality.max() - quality[np.argsort(-scores, kind="stable")[:10]].max())

    for fitted, others in left_of_draws(X, 12, 2):
        ridge = predictors.get("ridge", tiny(), seed=len(lost))
        errors = ridge.fit(X[fitted], 100 - accuracy[fitted]).predict(X[others])
        lost.append(best_left_out(-errors, accuracy[others]))
        wrongly.append(best_left_out(errors, -accuracy[others]))
    assert rows["ridge", 12]["regret"] == pytest.approx(np.mean(lost), abs=1e-5)
    assert abs(np.mean(lost) - np.mean(wrongly)) > 0.1, "nobody would notice"
    for _, others in left_of_draws(X, 20, 2):
        macs = tiny().macs(X[others])
        tau.append(kendalltau(macs, accuracy[others]).statistic)
        lost_by_macs.append(best_left_out(macs, accuracy[others]))
    assert rows["macs", 0]["kendall"] == pytest.approx(np.mean(tau), abs=1e-5)
    assert rows["macs", 0]["regret"] == pytest.approx(np.mean(lost_by_macs), abs=1e-5)
    assert rows["macs", 0]["coverage"] is None and rows["macs", 0]["counted"] == 2
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
    *_, last = again.out.splitlines()
    wrote = [str(run / f"predictors.{kind}") for kind in ("json", "csv", "html")]
    assert last == f"wrote {', '.join(wrote)}"
    assert accuracies(run) == measured and len(asked) == 9
    assert json.loads((run / "predictors.json").read_text()) == kept


def test_further_subnets_are_others_than_the_sample(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TrainedRun, "val_accuracy", lambda _, row: float(row.sum()))
    (run / "samples.sqlite").unlink()
    with registered():
        X, accuracy = measured(TrainedRun(Run.open(run)), 120, Screen(as_json=True))
        fewer, _ = measured(TrainedRun(Run.open(run)), 20, Screen(as_json=True))
    assert len(np.unique(X, axis=0)) == len(X) == 120
    np.testing.assert_array_equal(accuracy, X.sum(1))
    np.testing.assert_array_equal(fewer[:12], foreseen(tiny(), "stratified", 12, 0))
    np.testing.assert_array_equal(fewer[:12], X[:12])


def test_all_predictors_and_proxies_are_in_one_table(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Eight of them are enough to see how they come and go.
    names = ("parameters", "macs", "layers", "naswot", "synflow", "zen", *combine.DEFAULT)
    few = {name: proxies.catalogue.PROXIES[name] for name in dict.fromkeys(names)}
    monkeypatch.setattr("predictors.proxies.catalogue.PROXIES", few)
    chosen = ("--samples", 20, "--repeats", 1, "--networks", 40)
    (run / "samples.sqlite").unlink()
    told: list[set[str]] = []

    def watched(*arguments: Any, **options: Any) -> Measures:
        told.append(set(options["proxies"]))
        return evaluate(*arguments, **options)

    monkeypatch.setattr("nas.jobs.evaluate.evaluate", watched)
    said = nas("predict", run, "--evaluate", "--proxies", *chosen, "--json")
    assert said.code == 0, said.err
    rows = {row["predictor"]: row for row in said.json["rows"]}
    fitted = [*predictors.names(), "auto and proxies"]
    assert list(rows)[: len(fitted)] == fitted
    assert {*few, COMBINED} == {*rows} - {*fitted}
    # The combination has seen how those rank that are to be predicted.
    assert told == [set()] * len(predictors.names()) + [set(few)]
    X = np.array([json.loads(row) for row, _ in accuracies(run)])
    actual = np.array([accuracy for _, accuracy in accuracies(run)])
    ((_, others),) = left_of_draws(X, 20, 1)
    # Proxies whose value is known without them.
    tau = kendalltau(tiny().parameters(X[others]), actual[others]).statistic
    assert rows["parameters"]["kendall"] == pytest.approx(tau, abs=1e-5)
    store = ProxyScores(run / "proxies.sqlite", tiny(), _belongs(run))
    assert sorted(store.known()) == sorted(map(tuple, X.tolist()))
    taken = store.seconds()
    again = nas("predict", run, "--evaluate", "--proxies", *chosen)
    assert again.code == 0
    assert store.seconds() == taken, "nothing was scored again"
    _, head, *lines, _, _ = again.out.splitlines()
    assert head.split()[:2] == ["predictor", "samples"]
    assert [line[:16].rstrip() for line in lines] == [*rows], "80 columns cut no name"
    assert max(map(len, lines)) <= 80


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


def test_scores_by_another_formula_are_refused(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = ("--predictor", "ridge", "--samples", 12, "--repeats", 1, "--networks", 32)
    few = {name: proxies.catalogue.PROXIES[name] for name in ("macs", "layers")}
    monkeypatch.setattr("predictors.proxies.catalogue.PROXIES", few)
    assert proxies.formulas(("layers", "macs")) == ("layers", "macs")
    assert nas("predict", run, "--evaluate", "--proxies", *chosen).code == 0
    changed = {**few, "layers": dataclasses.replace(few["layers"], version=2)}
    monkeypatch.setattr("predictors.proxies.catalogue.PROXIES", changed)
    assert proxies.formulas(("layers", "macs")) == ("layers 2", "macs")
    said = nas("predict", run, "--evaluate", "--proxies", *chosen)
    assert said.code == 2
    assert "proxies.sqlite: its scores belong to another proxies; remove the file" in said.err


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
        kept = predictors.load(run / "predictor.npz", trained.space, belongs=trained.belongs())
        X, accuracy = measured_sample(trained, Screen(as_json=True))
    assert kept.labels == predictors.ERROR
    assert len(X) == 12
    expected = dataclasses.asdict(cross_validated("ridge", tiny(), X, 100 - accuracy))
    assert said.json["cross_validated"] == expected
    assert 0 <= kept.predict(trained.space.largest)[0] <= 100
    first = (run / "predictor.npz").read_bytes()
    told = nas("predict", run, "--predictor", "ridge")
    assert told.code == 0 and (run / "predictor.npz").read_bytes() == first
    tau = expected["kendall"]
    assert f"Kendall {tau['value']:.3f} ({tau['low']:.3f} to {tau['high']:.3f})" in told.out
    assert told.out.splitlines()[1].startswith(f"wrote {run / 'predictor.npz'}, fitted on 12")
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
        (("-o", "p.txt"), "-o p.txt: a predictor's file ends with .npz"),
        (("-o", "folder.npz"), "is a file, and this is a folder"),
        (("-o", "file/p.npz"), "file is no folder that can be written to"),
        (("--evaluate",), "rank 20 others takes 45 measured ones; got 12"),
        (("--evaluate", "--samples", 30, "--networks", 49), "takes 50 measured ones; got 49"),
    ],
)
def test_what_is_refused(
    run: Path, arguments: tuple[object, ...], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(run)
    (run / "folder.npz").mkdir()
    (run / "file").touch()
    before = accuracies(run)
    said = nas("predict", run, *arguments)
    assert said.code == 2 and says in said.err, said.err
    assert accuracies(run) == before
    assert not (run / "predictors.json").exists() and not (run / "predictor.npz").exists()


def test_subnets_that_are_all_as_accurate_are_measured_and_refused(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TrainedRun, "val_accuracy", lambda *_: 50.0)
    (run / "samples.sqlite").unlink()
    said = nas("predict", run)
    assert said.code == 2 and "labels of a predictor differ; all 12 are 50" in said.err
    assert len(accuracies(run)) == 12
    told = nas("predict", run, *EVALUATE, "--predictor", "ridge", "--json")
    assert told.code == 0, told.err
    assert {(row["kendall"], row["counted"]) for row in told.json["rows"]} == {(None, 0)}


def test_a_search_refuses_a_predictor_of_something_else(run: Path, tmp_path: Path) -> None:
    with registered():
        trained = TrainedRun(Run.open(run))
        belongs, space = trained.belongs(), trained.space
    rows = space.sample(20, np.random.default_rng(0))

    def refused(says: str, offset: int = 0, **said: Any) -> None:
        told = {"labels": predictors.ERROR, "belongs": belongs, **said}
        beside = told.pop("proxies", None)
        predictor = predictors.get("ridge", space, **told).fit(
            rows, offset + rows.sum(1), proxies=beside
        )
        predictor.save(tmp_path / "p.npz")
        found = nas("search", run, "--latency-ms", 1, "--predictor", tmp_path / "p.npz")
        assert found.code == 2 and says in found.err, found.err

    refused("wants the proxies zen of every network", proxies={"zen": rows.sum(1)})
    refused("other weights (w, not", belongs=belongs | {"weights": "w"})
    refused("other data (d, not", belongs=belongs | {"data": "d"})
    refused("does not say what its labels were measured on", belongs=None)
    refused("one predicts 'accuracy, %': fit one with", labels="accuracy, %")
    refused("from 0 to 100; this one says", offset=1000, labels=None)
    # Trained again: what was fitted before is of other weights.
    assert nas("predict", run, "--predictor", "ridge").code == 0
    weights = load_file(run / "supernet.safetensors")
    with safe_open(run / "supernet.safetensors", "np") as file:
        metadata = file.metadata()
    first = next(name for name, array in weights.items() if array.dtype == np.float32)
    weights[first] = weights[first] + 1
    save_file(weights, run / "supernet.safetensors", metadata)
    found = nas("search", run, "--latency-ms", 1, "--predictor", run / "predictor.npz")
    assert found.code == 2 and "predictor.npz: fitted on other weights (" in found.err
    assert "fit one with `nas predict RUN`" in found.err and found.err.count("\n") == 1
