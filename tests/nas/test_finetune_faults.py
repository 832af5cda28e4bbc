"""``nas finetune --searcher``: what happens in between is no fault of a subnet."""

from __future__ import annotations

import errno
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest

from nas.training.trainer import DivergedError, Trainer
from tests.nas.several import (
    LIMIT_MS,
    SPACE,
    halving,
    latency,
    lines,
    same,
    searched_run,
    some,
    studied,
)
from tests.nas.tiny import Said, nas

# Successive halving by thirds: three subnets for an epoch, the best of them for three, 5 epochs.
EPOCHS, ALL = 3, 5


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return searched_run(tmp_path_factory.mktemp("faults"))


def short(run: Path, out: Path, *more: object) -> Said:
    return halving(run, "--epochs", EPOCHS, "-o", out, *more)


@pytest.fixture(scope="module")
def whole(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a search that nothing befell leaves."""
    out = tmp_path_factory.mktemp("whole") / "out"
    assert short(run, out).code == 0
    return out


@contextmanager
def befalls(name: str, at: int, what: Callable[[], None]) -> Iterator[None]:
    """Do that instead of, or before, the ``at``-th file of that name is put in its place."""
    left, replace = [at], Path.replace

    def replaced(path: Path, target: Path) -> Path:
        if Path(target).name == name:
            left[0] -= 1
            if not left[0]:
                what()
        return replace(path, target)

    with mock.patch.object(Path, "replace", replaced):
        yield


def full() -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def interrupt() -> None:
    raise KeyboardInterrupt


@contextmanager
def trained() -> Iterator[list[int]]:
    """The epochs that are trained, one by one."""
    epochs: list[int] = []
    plain = Trainer.one_epoch

    def one(trainer: Trainer, *given: Any) -> None:
        epochs.append(trainer.epoch)
        plain(trainer, *given)

    with mock.patch.object(Trainer, "one_epoch", one):
        yield epochs


def idle() -> Any:
    return mock.patch.object(Trainer, "one_epoch", side_effect=AssertionError)


@pytest.mark.parametrize(
    ("name", "at"), [("checkpoint.pt", 2), ("accuracies.json", 4), ("log.csv", 1)]
)
def test_a_full_disk_ends_it_and_no_subnet_is_to_blame(
    run: Path, whole: Path, tmp_path: Path, name: str, at: int
) -> None:
    out = tmp_path / "out"
    with befalls(name, at, full):
        said = short(run, out)
    *_, last = said.err.splitlines()
    assert said.code == 2 and said.out == ""
    assert f"{name}: cannot be written (No space left on device)" in last and "--resume" in last
    assert studied(out) == studied(whole)[: at - 1]
    resumed = short(run, out, "--resume")
    assert resumed.code == 0, resumed.err
    same(out, whole)
    assert lines(out) == lines(whole)


@pytest.mark.parametrize(
    ("name", "at"), [("accuracies.json", 3), ("checkpoint.pt", 4), ("subnet.safetensors", 1)]
)
def test_interrupted_before_a_file_is_written_it_goes_on(
    run: Path, whole: Path, tmp_path: Path, name: str, at: int
) -> None:
    out = tmp_path / "out"
    with befalls(name, at, interrupt):
        assert short(run, out).code == 130
    assert not (out / "finetune.json").exists()
    resumed = short(run, out, "--resume")
    assert resumed.code == 0, resumed.err
    same(out, whole)
    assert lines(out) == lines(whole)


def test_memory_that_runs_out_ends_it(run: Path, whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with mock.patch.object(Trainer, "one_epoch", side_effect=MemoryError):
        said = short(run, out)
    assert said.code == 2 and said.err.splitlines()[-1].startswith("nas: MemoryError")
    assert studied(out) == []
    assert short(run, out, "--resume").code == 0
    same(out, whole)


def test_a_damaged_checkpoint_is_named(run: Path, whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with befalls("checkpoint.pt", 4, interrupt):
        assert short(run, out).code == 130
    for checkpoint in out.rglob("checkpoint.pt"):
        checkpoint.write_bytes(b"torn")
    said = short(run, out, "--resume")
    *_, last = said.err.splitlines()
    assert said.code == 2 and "checkpoint.pt: not a whole checkpoint" in last and "--resume" in last
    assert studied(out) == studied(whole)[:3]
    for checkpoint in out.rglob("checkpoint.pt"):
        checkpoint.unlink()
    with trained() as epochs:
        assert short(run, out, "--resume").code == 0
    assert epochs == [0, 1, 2]
    same(out, whole)


@contextmanager
def diverging(at: int) -> Iterator[None]:
    """The training of the ``at``-th subnet comes to nothing."""
    left, plain = [at], Trainer.one_epoch

    def one(trainer: Trainer, *given: Any) -> None:
        left[0] -= 1
        if not left[0]:
            raise DivergedError("the loss is nan")
        plain(trainer, *given)

    with mock.patch.object(Trainer, "one_epoch", one):
        yield


def test_a_loss_that_is_no_number_is_the_subnets_own(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    given = ("--searcher", "halving", "--latency-ms", LIMIT_MS, "--epochs", EPOCHS, "-o", out)
    with diverging(2):
        said = nas("finetune", run, *given)
    assert said.code == 0 and "; 1 subnet failed: its loss was no number, see " in said.out
    document = json.loads((out / "finetune.json").read_text())
    failures = [trial.get("failure") for trial in document["trials"]]
    assert failures == [None, "error: the loss is nan", None, None]
    # It would come to nothing again.
    with idle():
        assert short(run, out, "--resume").json == document


def test_where_none_comes_to_the_end_the_advice_is_another(run: Path, tmp_path: Path) -> None:
    with diverging(4):
        said = short(run, tmp_path / "out")
    *_, last = said.err.splitlines()
    assert said.code == 2 and "the last: error: the loss is nan; lower --learning-rate" in last


@pytest.mark.parametrize(("searcher", "first", "then"), [("halving", 3, 4), ("hyperband", 2, 4)])
def test_a_budget_may_end_anywhere(
    run: Path, tmp_path: Path, searcher: str, first: int, then: int
) -> None:
    def within(out: Path, budget: int) -> Said:
        return short(run, tmp_path / out, "--searcher", searcher, "--budget", budget, "--resume")

    with trained() as at_once:
        direct = within(Path("direct"), then)
    with trained() as before:
        assert within(Path("two"), first).code == 0
    with trained() as after:
        said = within(Path("two"), then)
    assert said.json["trials"] == [
        {**trial, "seconds": mine["seconds"]}
        for trial, mine in zip(direct.json["trials"], said.json["trials"], strict=True)
    ]
    assert len(before) + len(after) == len(at_once)
    if searcher == "halving":  # Elsewhere it depends a little on who was promoted.
        assert f"{len(at_once)} epochs in all" in direct.err
        assert f", {len(after)} of them to go" in said.err


def test_of_a_bracket_that_is_over_the_best_alone_is_kept(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    said = short(run, out, "--budget", 3)
    # The best of the first bracket, and that of the second, which ended before its turn.
    assert len(list(out.rglob("checkpoint.pt"))) == 2
    assert "1 subnet may go on with a larger --budget and --resume" in said.err
    said = short(run, out, "--budget", 4, "--resume")
    assert len(list(out.rglob("checkpoint.pt"))) == 1 and "may go on" not in said.err


@pytest.mark.parametrize("change", ["fewer", "none", "damaged"])
def test_a_search_in_between_changes_nothing(
    run: Path, whole: Path, tmp_path: Path, change: str
) -> None:
    changed = tmp_path / "run"
    shutil.copytree(run, changed, ignore=shutil.ignore_patterns("finetuned"))
    out, front = tmp_path / "out", changed / "front.json"
    with befalls("checkpoint.pt", 2, interrupt):
        assert short(changed, out).code == 130
    document = json.loads(front.read_text())
    front.unlink()
    if change != "none":
        fewer = json.dumps({**document, "points": document["points"][:1], "dominated": []})
        front.write_text(fewer if change == "fewer" else "{")
    resumed = short(changed, out, "--resume")
    assert resumed.code == 0, resumed.err
    assert "front.json" not in resumed.err
    same(out, whole)


def test_the_file_of_a_study_may_be_empty_and_nothing_else(
    run: Path, whole: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    with befalls("checkpoint.pt", 1, interrupt):
        assert short(run, out).code == 130
    study = out / "study.sqlite"
    study.write_text("no study")
    said = short(run, out, "--resume")
    assert said.code == 2 and f"nas: {study}: not a study, or damaged" in said.err
    # As it is between its making and its first table.
    study.write_bytes(b"")
    assert short(run, out, "--resume").code == 0
    same(out, whole)


def test_candidates_that_were_damaged_are_named(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with befalls("checkpoint.pt", 1, interrupt):
        assert short(run, out).code == 130
    (out / "candidates.json").write_text("[{}]")
    said = short(run, out, "--resume")
    assert said.code == 2 and f"nas: {out / 'candidates.json'}: damaged" in said.err


def test_a_front_of_other_weights_is_a_start_all_the_same(
    run: Path, whole: Path, tmp_path: Path
) -> None:
    changed, out = tmp_path / "run", tmp_path / "out"
    shutil.copytree(run, changed, ignore=shutil.ignore_patterns("finetuned"))
    document = json.loads((changed / "front.json").read_text())
    (changed / "front.json").write_text(json.dumps({**document, "weights": "0" * 64}))
    said = short(changed, out)
    assert said.code == 0 and "was found with other weights" in said.err
    assert studied(out) == studied(whole)


def test_one_that_is_done_leaves_to_another_what_that_is_at(run: Path, tmp_path: Path) -> None:
    out, done = tmp_path / "out", []

    def another() -> None:
        done.append(short(run, out, "--resume"))

    # The fifth subnet is in the second bracket, of which a smaller budget knows nothing.
    with befalls("accuracies.json", 6, another), trained() as epochs:
        said = short(run, out, "--budget", 4)
    assert said.code == done[0].code == 0, said.err + done[0].err
    assert len(epochs) == 2 * ALL


def test_two_may_tidy_up_at_once(run: Path, whole: Path, tmp_path: Path) -> None:
    unlink = Path.unlink

    def twice(path: Path, missing_ok: bool = False) -> None:
        if path.name == "checkpoint.pt":
            unlink(path)
        unlink(path, missing_ok=missing_ok)

    with mock.patch.object(Path, "unlink", twice):
        said = short(run, tmp_path / "out")
    assert said.code == 0, said.err
    same(tmp_path / "out", whole)


@pytest.mark.slow  # To see that there are no others takes a while.
def test_fewer_networks_than_a_bracket_takes(run: Path, tmp_path: Path) -> None:
    every = np.unique(SPACE.canonical(SPACE.sample(20_000, np.random.default_rng(0))), axis=0)
    second = float(np.unique(latency(every))[1])
    kept = int((latency(every) <= second).sum())
    said = short(run, tmp_path / "out", "--latency-ms", second, "--budget", 2)
    assert said.code == 0, said.err
    assert said.json["subnets"] <= kept and said.json["latency_ms"] <= second


def test_the_bar_ends_where_it_ends(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nas.jobs import finetune_search
    from nas.jobs.tuning_plan import Planned

    monkeypatch.setattr("nas.terminal.QUIET_INTERVAL_S", -1.0)
    row = some(1)
    # A plan that errs: a subnet for an epoch, where five are trained.
    monkeypatch.setattr(finetune_search, "planned", lambda *_: Planned(row, np.array([1])))
    said = short(run, tmp_path / "out")
    shown = [line for line in said.err.splitlines() if line.startswith("finetune: ")]
    assert said.code == 0 and shown
    assert {line.split(",")[0].split("/")[1] for line in shown} == {"1"}
    assert max(float(line.split()[1].split("/")[0]) for line in shown) == 1
