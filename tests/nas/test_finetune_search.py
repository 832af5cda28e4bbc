"""``nas finetune --searcher``: several subnets trained on, the poor ones stopped early."""

from __future__ import annotations

import csv
import json
import shutil
import signal
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from nas.jobs.trained import TrainedRun
from nas.jobs.tuning import tuning_config
from nas.jobs.tuning_plan import TuningOptions
from nas.jobs.tuning_trials import Tunings, epochs_of
from nas.run import Run
from search_spaces import Architecture
from search_spaces.space import Floats
from tests.nas.conftest import BUDGET_MS, Job
from tests.nas.several import (
    LIMIT_MS,
    SEARCHED,
    SPACE,
    halving,
    latency,
    lines,
    same,
    searched_run,
    some,
    studied,
)
from tests.nas.tiny import Said, nas, registered, rows, start

EPOCHS = 9
"""What a search over fine-tunings takes unless told otherwise."""


@dataclass(frozen=True)
class Done:
    """A run, and what a search over fine-tunings left in ``out``."""

    run: Path
    out: Path
    said: Said

    @property
    def document(self) -> dict[str, Any]:
        return dict(self.said.json)

    @property
    def trials(self) -> list[tuple[tuple[int, ...], float, float]]:
        """Rows, fidelities and errors of the study, in its order."""
        return studied(self.out)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return searched_run(tmp_path_factory.mktemp("several"))


@pytest.fixture(scope="module")
def done(run: Path) -> Done:
    out = run / "finetuned" / f"halving-{LIMIT_MS:g}ms"
    said = halving(run)
    assert said.code == 0, said.err
    return Done(run, out, said)


def test_a_third_goes_on_and_what_it_learned_is_kept(done: Done) -> None:
    trials = done.trials
    # Successive halving of nine epochs by thirds: nine subnets for one, three for three, one for 9.
    shares = [round(9 * share) for _, share, _ in trials]
    assert shares == [1] * 9 + [3] * 3 + [9]
    for below, above in ((trials[:9], trials[9:12]), (trials[9:12], trials[12:])):
        best = sorted(below, key=lambda trial: trial[2])[: len(above)]
        assert sorted(error for _, _, error in best) == sorted(
            error for row, _, error in below if row in {row for row, _, _ in above}
        )
    # Going on from one epoch to three costs two: 9 + 3 x 2 + 6 epochs, and not 9 + 3 x 3 + 9.
    assert lines(done.out) == [1] * 6 + [3] * 2 + [9]
    assert "9 subnets, 21 epochs in all (to the end they would take 81): about" in done.said.err
    took = [one["seconds"] for one in done.document["trials"]]
    assert len(took) == 13 and min(took) > 0


def test_candidates_are_the_networks_of_the_search_that_keep_the_latency(done: Done) -> None:
    tried = np.array([row for row, _, _ in done.trials])
    assert (latency(tried) <= LIMIT_MS).all()
    best_first = SEARCHED[::-1]
    kept = best_first[latency(best_first) <= LIMIT_MS]
    assert 3 <= len(kept) < 9  # Of both kinds, or this proves nothing.
    np.testing.assert_array_equal(tried[: len(kept)], kept)


def test_the_best_has_the_weights_of_one_uninterrupted_fine_tuning(
    done: Done, tmp_path: Path
) -> None:
    document = done.document
    (winner,) = [one for one in document["trials"] if one["epochs"] == 9]
    chosen = done.out / "architecture.json"
    architecture = Architecture.from_json(chosen.read_text())
    assert SPACE.digest(architecture) == winner["digest"]
    assert document["latency_ms"] == pytest.approx(
        float(latency(SPACE.encode(architecture)[None])[0]), abs=1e-6
    )
    alone = nas(
        *("finetune", done.run, "--architecture", chosen, "--epochs", EPOCHS),
        *("-o", tmp_path / "alone", "--json"),
    )
    assert alone.code == 0, alone.err
    one, other = load_file(str(document["weights"])), load_file(alone.json["weights"])
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)
    for name in ("val_inherited", "val_finetuned"):
        assert document[name] == alone.json[name]
    assert document["val_finetuned"] == winner["val_accuracy"]
    log = done.out / "trials" / winner["digest"][:12] / "log.csv"
    assert learned(log) == learned(tmp_path / "alone" / "log.csv")
    file = tmp_path / "best.onnx"
    exported = nas("export", done.run, "--weights", document["weights"], "-o", file, "--json")
    assert exported.code == 0, exported.err
    assert exported.json["metadata"]["network_digest"] == winner["digest"]


def learned(log: Path) -> list[dict[str, str]]:
    """A log without what the machine has to do with."""
    found = csv.DictReader(log.read_text().splitlines())
    return [
        {k: v for k, v in one.items() if k not in {"seconds", "images_per_second"}} for one in found
    ]


def test_what_is_left(done: Done) -> None:
    document = json.loads((done.out / "finetune.json").read_text())
    assert document == done.document
    assert document["subnets"] == 9 and document["budget"] == 3 and document["epochs"] == 9
    winner = document["trials"][-1]["digest"][:12]
    left = [file.parent.name for file in done.out.rglob("checkpoint.pt")]
    assert left == [winner]
    again = halving(done.run)
    assert again.code == 2 and "add --resume" in again.err
    before = rows(done.out / "study.sqlite", "evaluations")
    with mock.patch("nas.training.trainer.Trainer.one_epoch", side_effect=AssertionError):
        resumed = halving(done.run, "--resume")
    assert resumed.code == 0, resumed.err
    assert resumed.json == document
    assert rows(done.out / "study.sqlite", "evaluations") == before


def test_a_larger_budget_goes_on_with_what_is_known(done: Done, tmp_path: Path) -> None:
    out = tmp_path / "more"
    shutil.copytree(done.out, out)
    said = halving(done.run, "-o", out, "--budget", 6, "--resume")
    assert said.code == 0, said.err
    assert studied(out)[:13] == done.trials
    costs = Counter(round(9 * share) for _, share, _ in studied(out))
    assert costs == {1: 18, 3: 6, 9: 2}
    accuracies = [one["val_accuracy"] for one in said.json["trials"] if one["epochs"] == 9]
    assert said.json["val_finetuned"] == max(accuracies)
    tried = studied(out)
    fewer = halving(done.run, "-o", out, "--budget", 3, "--resume")
    assert fewer.code == 0 and studied(out) == tried, fewer.err
    assert f"{out} has tried 6 whole fine-tunings, more than a budget of 3: no more" in fewer.err
    assert fewer.json["val_finetuned"] == max(accuracies)
    assert "more than a budget" not in said.err


@pytest.mark.slow
def test_killed_it_goes_on(done: Done, tmp_path: Path) -> None:
    out = tmp_path / "cut"
    arguments = ["finetune", done.run, "--searcher", "halving", "--latency-ms", LIMIT_MS]
    arguments += ["--epochs", EPOCHS, "-o", out]
    with start(*arguments) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "finetune: 12." in line:  # In a trial that was taken up again.
                process.send_signal(signal.SIGKILL)
                break
        process.wait()
    assert 0 < len(studied(out)) < 13
    resumed = halving(done.run, "-o", out, "--resume")
    assert resumed.code == 0, resumed.err
    same(out, done.out)
    assert lines(out) == lines(done.out)


def test_hyperband_also_trains_some_to_the_end_unseen(run: Path, tmp_path: Path) -> None:
    said = nas(
        *("finetune", run, "--searcher", "hyperband", "--latency-ms", LIMIT_MS),
        *("--epochs", 3, "-o", tmp_path / "band", "--json"),
    )
    assert said.code == 0, said.err
    trials = studied(tmp_path / "band")
    # Hyperband for R = 3 by thirds: of three subnets the best goes on, and two are trained to the
    # end from the start; in both brackets the best of the search come first.
    cheap = [(row, error) for row, share, error in trials if share < 1][:3]
    whole = [row for row, share, _ in trials if share == 1]
    best_first = SEARCHED[::-1]
    first = [tuple(row) for row in best_first[latency(best_first) <= LIMIT_MS].tolist()][:3]
    assert [row for row, _ in cheap] == first
    assert set(whole) == {min(cheap, key=lambda one: one[1])[0], *first[:2]}
    accuracies = [one["val_accuracy"] for one in said.json["trials"] if one["epochs"] == 3]
    assert said.json["val_finetuned"] == max(accuracies)


def test_a_trial_is_worth_the_same_in_whatever_order(run: Path, tmp_path: Path) -> None:
    row = some(1)
    with registered():
        trained = TrainedRun(Run.open(run))
        config = tuning_config(trained.config.train, 3, None)

        def errors(name: str, share: float) -> Floats:
            tunings = Tunings(trained, config, [1 / 3], tmp_path / name)
            return tunings.errors(lambda epochs, _: told.append(epochs), row, np.array([share]))

        told: list[float] = []
        up = [errors("up", share) for share in (1 / 3, 1.0)]
        assert sum(told) == pytest.approx(3) and min(told) > 0
        down = [errors("down", share) for share in (1.0, 1 / 3)]
        assert sum(told) == pytest.approx(6)
    assert up == down[::-1]


def test_what_is_missing_is_what_would_be_trained(run: Path, tmp_path: Path) -> None:
    (row,) = some(1)
    with registered():
        trained = TrainedRun(Run.open(run))
        config = tuning_config(trained.config.train, 9, None)
        tunings = Tunings(trained, config, [1 / 9, 1 / 3], tmp_path)

        def missing() -> list[int]:
            return [int(tunings.missing(row[None], np.array([n]))[0]) for n in (1, 3, 9)]

        assert missing() == [1, 3, 9]
        tunings.errors(lambda *_: None, row[None], np.array([1 / 3]))
        assert missing() == [0, 0, 6]
        tunings.drop(row[None], row[None])
        assert tunings.kept(row)
        tunings.drop(row[None], row[:0].reshape(0, len(row)))
        assert not tunings.kept(row) and missing() == [0, 0, 9]


@pytest.mark.parametrize(
    ("share", "epochs", "expected"),
    [
        (3.0**-2, 9, 1),
        (3.0**-1, 9, 3),
        (3.0**-3, 81, 3),
        (3.0**-2, 10, 2),
        (3.0**-3, 10, 1),
        (1, 7, 7),
    ],
)
def test_epochs_are_rounded_up(share: float, epochs: int, expected: int) -> None:
    assert epochs_of(share, epochs) == expected


@pytest.mark.parametrize(
    ("epochs", "stops"), [(3, [1, 3]), (9, [1, 3, 9]), (10, [2, 4, 10]), (81, [3, 9, 27, 81])]
)
def test_levels_follow_from_the_epochs(epochs: int, stops: list[int]) -> None:
    options = TuningOptions("halving", epochs, 1.0)
    assert [epochs_of(share, epochs) for share in options.shares] == stops
    assert options.whole == len(stops)


def test_it_begins_with_what_a_search_in_earnest_found(job: Job, tmp_path: Path) -> None:
    front = json.loads((job.run / "front.json").read_text())
    digests = {
        SPACE.digest(Architecture.from_json(json.dumps(point["architecture"])))
        for point in (*front["points"], *front["dominated"])
    }
    said = nas(
        *("finetune", job.run, "--searcher", "halving", "--latency-ms", BUDGET_MS),
        *("--epochs", 3, "-o", tmp_path / "out", "--json"),
    )
    assert said.code == 0, said.err
    begun = [one["digest"] for one in said.json["trials"] if one["epochs"] == 1]
    assert len(begun) == 3 and set(begun[: len(digests)]) <= digests


def test_without_a_search_candidates_are_drawn(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "run", ignore=shutil.ignore_patterns("finetuned"))
    (tmp_path / "run" / "front.json").unlink()
    said = nas(
        *("finetune", tmp_path / "run", "--searcher", "halving", "--latency-ms", LIMIT_MS),
        *("--epochs", 3),
    )
    assert said.code == 0, said.err
    assert "front.json, so that the first candidates are drawn by chance" in said.err
    assert "ms by the latency table" in said.out and "not measured; next: nas export" in said.out


def test_a_rate_that_ruins_all_is_said(run: Path, tmp_path: Path) -> None:
    said = halving(run, "-o", tmp_path / "ruined", "--learning-rate", 1e30)
    assert said.code == 2
    assert "5 networks in a row could not be evaluated" in said.err and "the loss is" in said.err


def test_what_cannot_be_done_is_refused(done: Done, tmp_path: Path) -> None:
    run, chosen = done.run, done.out / "architecture.json"
    search = ("finetune", run, "--searcher", "halving")
    within = ("--latency-ms", LIMIT_MS, "-o", tmp_path / "none")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").touch()
    cases: tuple[tuple[tuple[object, ...], str], ...] = (
        (("finetune", run, "--latency-ms", 5), "--latency-ms: for a search over several subnets;"),
        (("finetune", run, "--budget", 5, "--seed", 1), "--budget, --seed: for a search"),
        ((*search, *within, "--architecture", chosen), "leave out one of them"),
        (search, "needs a latency to keep: add --latency-ms"),
        ((*search[:-1], "nsga2", *within), "--searcher is halving or hyperband here"),
        ((*search, *within, "--epochs", 2), "takes 3 or more; got 2"),
        ((*search, *within, "--budget", 0), "1 whole fine-tuning or more; got 0"),
        ((*search, *within, "--epochs", 9, "--budget", 2), "3 are enough"),
        ((*search, *within, "--seed", -1), "--seed is 0 or more"),
        ((*search, "--latency-ms", "nan"), "--latency-ms is a number above 0"),
        ((*search, "--latency-ms", 0.001), "no network of tiny runs within 0.001 ms on this table"),
        ((*search, *within, "--threads", 3), "there is no latency table; run `nas measure"),
        ((*search, *within[:-1], tmp_path / "full"), "no search over fine-tunings; choose another"),
        ((*search, *within[:-1], chosen), "is a file"),
        (
            (*search, *within[:-1], done.out, "--epochs", 27, "--resume"),
            "the study of another search (belongs --epochs 9 there, --epochs 27 here)",
        ),
        (
            (*search, *within[:-1], done.out, "--epochs", 9, "--seed", 3, "--resume"),
            "the study of another search (belongs searcher halving 0 there",
        ),
    )
    for arguments, reason in cases:
        answer = nas(*arguments)
        assert answer.code == 2 and reason in answer.err, (arguments, answer.err)
        *_, last = answer.err.strip().splitlines()
        assert last.startswith("nas: ")
    assert not (tmp_path / "none").exists()


def test_a_damaged_front_is_named(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "run", ignore=shutil.ignore_patterns("finetuned"))
    (tmp_path / "run" / "front.json").write_text('{"points": [{}], "dominated": []}')
    said = halving(tmp_path / "run")
    assert said.code == 2 and f"{tmp_path / 'run' / 'front.json'}: damaged, or not" in said.err


def test_a_full_disk_is_told_before(run: Path, tmp_path: Path) -> None:
    none = mock.Mock(free=1000)
    with mock.patch("nas.disk.shutil.disk_usage", return_value=none):
        said = halving(run, "-o", tmp_path / "out")
    assert said.code == 2 and "are needed" in said.err and "another --out" in said.err
    assert not (tmp_path / "out").exists()
