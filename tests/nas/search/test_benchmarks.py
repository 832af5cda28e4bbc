"""A search on published accuracies against brute force over all of them."""

from __future__ import annotations

import itertools
import json
import traceback
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

import nas.search
from nas.search import Function, SearchError, benchmarks, nondominated
from search_spaces.errors import ArtefactError, SpaceError
from search_spaces.nas_bench_macro import genotypes, nas_bench_macro, rows_of

SPACE = nas_bench_macro()
EVERY: npt.NDArray[np.int64] = np.array(list(itertools.product(range(3), repeat=8)))


@pytest.fixture(scope="module")
def published(shared_data: Path) -> Path:
    path = shared_data / "nas-bench-macro_cifar10.json"
    if not path.is_file():
        pytest.skip(f"needs the benchmark ({path} is not there)")
    return path


@pytest.fixture
def made_up(tmp_path: Path) -> Path:
    """A file of the benchmark's form: a training's accuracy is its number and the row's."""
    networks = {
        genotype: {"test_acc": [i / 100, 10 + i / 100, 20 + i / 100]}
        for i, genotype in enumerate(genotypes(EVERY))
    }
    path = tmp_path / "benchmark.json"
    path.write_text(json.dumps(networks))
    return path


class Counted:
    """A function that remembers the genotypes that it was asked for."""

    def __init__(self, function: Function) -> None:
        self.function = function
        self.asked: list[str] = []

    def __call__(self, rows: npt.NDArray[np.int64]) -> npt.ArrayLike:
        self.asked += genotypes(rows)
        return self.function(rows)


def test_errors_are_those_of_a_training_or_of_their_mean(made_up: Path) -> None:
    numbers = np.array([0, 5, 6560, 5])
    for run, first in ((None, 10), (0, 0), (1, 10), (2, 20)):
        error = benchmarks.nas_bench_macro(made_up, run)
        np.testing.assert_allclose(error(EVERY[numbers]), 100 - first - numbers / 100)


def test_the_mean_is_the_files_own(published: Path) -> None:
    networks = json.loads(published.read_text())
    error = benchmarks.nas_bench_macro(published)
    expected = [100 - one["mean_acc"] for one in networks.values()]
    np.testing.assert_allclose(error(rows_of(networks)), expected, atol=1e-5)


def test_a_row_is_looked_up_as_it_is(made_up: Path) -> None:
    error = benchmarks.nas_bench_macro(made_up)
    twins = rows_of(["00001000", "00010000"])
    np.testing.assert_array_equal(SPACE.canonical(twins)[0], twins[1])
    first, second = np.asarray(error(twins))
    assert first != second


def test_a_search_finds_the_best_network_within_a_limit(published: Path) -> None:
    error = benchmarks.nas_bench_macro(published)
    errors, macs = np.asarray(error(EVERY)), SPACE.macs(EVERY)
    for limit in (40e6, 80e6):
        study = nas.search.minimize(
            SPACE,
            {"error": error, "macs": SPACE.macs},
            {"macs": limit},
            "local",
            budget=1000,
            seed=0,
            batch=50,
        )
        best = study.front()[0]
        assert best.objectives["error"] == errors[macs <= limit].min()
        assert best.objectives["macs"] <= limit


def test_a_budget_counts_networks_not_rows_and_the_whole_space_has_the_true_front(
    published: Path,
) -> None:
    error = Counted(benchmarks.nas_bench_macro(published))
    study = nas.search.minimize(
        SPACE, {"error": error, "macs": SPACE.macs}, searcher="random", budget=10_000, seed=1
    )
    assert len(study) == len(set(error.asked)) == len(error.asked) == SPACE.size == 3969
    distinct = np.unique(SPACE.canonical(EVERY), axis=0)
    objectives = np.column_stack([error.function(distinct), SPACE.macs(distinct)])
    expected = {tuple(row) for row in distinct[nondominated(objectives)].tolist()}
    assert {one.row for one in study.front()} == expected


def test_a_training_that_is_not_there_is_refused(made_up: Path) -> None:
    with pytest.raises(SearchError, match="run is 0 to 2, or None for the mean; got 3"):
        benchmarks.nas_bench_macro(made_up, 3)


def test_rows_of_another_space_are_refused(made_up: Path) -> None:
    with pytest.raises(SpaceError, match="integers"):
        benchmarks.nas_bench_macro(made_up)(np.zeros((1, 3), dtype=np.int64))


def test_files_that_are_not_the_whole_benchmark_are_refused(made_up: Path, tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match="absent.json: the benchmark cannot be read") as found:
        benchmarks.nas_bench_macro(tmp_path / "absent.json")
    assert "FileNotFoundError" not in "".join(traceback.format_exception(found.value))
    text = made_up.read_text()
    made_up.write_text(text[: len(text) // 2])
    with pytest.raises(ArtefactError, match="truncated, or not JSON.*get .* again from"):
        benchmarks.nas_bench_macro(made_up)
    made_up.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ArtefactError, match="truncated, or not JSON"):
        benchmarks.nas_bench_macro(made_up)
    made_up.write_text("[]")
    with pytest.raises(ArtefactError, match="an object of networks is expected, got list"):
        benchmarks.nas_bench_macro(made_up)
    networks = json.loads(text)
    made_up.write_text(json.dumps(dict(list(networks.items())[2:])))
    with pytest.raises(ArtefactError, match="6,561 networks, here 2 of them .*'00000000' first"):
        benchmarks.nas_bench_macro(made_up)


@pytest.mark.parametrize("bad", [None, [], [1, 2], [1, 2, "3"], [1, 2, 101], [1, 2, float("nan")]])
def test_accuracies_that_are_none_are_refused_with_their_network(
    bad: object, made_up: Path
) -> None:
    networks = json.loads(made_up.read_text())
    networks["01201212"] = {"test_acc": bad}
    made_up.write_text(json.dumps(networks))
    with pytest.raises(ArtefactError, match="test_acc of '01201212' must be 3 percentages, got"):
        benchmarks.nas_bench_macro(made_up)
