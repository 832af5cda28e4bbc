"""The archive of MAP-Elites against brute force, and who breeds."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

import search_spaces
from nas.search import Population, Problem, SearchError, Task
from nas.search.archive import Dimension, archive, best_of_cells
from nas.search.dimensions import usual_dimensions
from nas.search.searchers.map_elites import MapElites

Rows = npt.NDArray[np.int64]

SPACE = search_spaces.get("small-images")


def first(rows: Rows) -> Rows:
    return rows[:, 0]


def test_cells_have_their_lower_edge_and_ends_are_open() -> None:
    dimension = Dimension("a", np.array([0.0, 1.0, 2.5, 3.0]), lambda rows: rows[:, 0] / 2)
    values = np.array([[-9], [0], [1], [2], [4], [5], [6], [99]])
    np.testing.assert_array_equal(dimension.cell(values), [0, 0, 0, 1, 1, 2, 2, 2])


@pytest.mark.parametrize("edges", [[1.0], [1.0, 1.0], [2.0, 1.0], [0.0, float("nan")]])
def test_edges_that_do_not_increase_are_refused(edges: list[float]) -> None:
    with pytest.raises(SearchError, match="'speed'.*increasing"):
        Dimension("speed", np.array(edges), first)


@pytest.mark.parametrize("values", [[0.5], [0.5, 2.5], [0.5, float("nan")]])
def test_values_that_are_not_in_their_cells_are_refused(values: list[float]) -> None:
    with pytest.raises(SearchError, match="'speed'.*one number in each of its 2 cells"):
        Dimension("speed", np.array([0.0, 1.0, 2.0]), first, values=np.array(values))


@pytest.mark.parametrize("values", [[1.0, float("nan"), 2.0], [1.0, 2.0]])
def test_a_dimension_without_a_number_for_a_row_is_refused(values: list[float]) -> None:
    dimension = Dimension("speed", np.array([0.0, 1.0, 2.0]), lambda rows: values)
    with pytest.raises(SearchError, match="'speed'.*one number a row"):
        archive([dimension], np.zeros((3, 1), dtype=np.int64), np.zeros(3), np.zeros(3))


def test_a_map_without_dimensions_is_refused() -> None:
    with pytest.raises(SearchError, match="one dimension or more"):
        archive([], np.zeros((3, 1), dtype=np.int64), np.zeros(3), np.zeros(3))


def test_elites_are_those_of_brute_force() -> None:
    rng = np.random.default_rng(0)
    cells = rng.integers(0, 4, (500, 2))
    # Few values, so that there are ties; about a third of the rows break a limit.
    qualities = rng.integers(0, 6, 500).astype(float)
    violations = np.maximum(rng.integers(-4, 3, 500), -1).astype(float)
    elites: dict[tuple[int, ...], tuple[float, float, int]] = {}
    for number, cell in enumerate(map(tuple, cells.tolist())):
        standing = max(violations[number], 0), qualities[number], number
        elites[cell] = min(elites.get(cell, standing), standing)
    found, where = best_of_cells(cells, qualities, violations)
    assert {tuple(c): i for c, i in zip(found.tolist(), where.tolist(), strict=True)} == {
        cell: number for cell, (_, _, number) in elites.items()
    }
    assert len(found) == 16


def test_usual_dimensions_hold_every_network() -> None:
    rows = SPACE.sample(2_000, np.random.default_rng(0))
    rows = np.concatenate([rows, [SPACE.smallest, SPACE.largest]])
    macs, resolution = usual_dimensions(SPACE)
    assert (macs.name, resolution.name) == ("million MACs", "resolution")
    values = np.asarray(macs.function(rows))
    np.testing.assert_allclose(values, SPACE.macs(rows) / 1e6)
    assert macs.edges[0] <= values.min() * (1 + 1e-9)
    assert macs.edges[-1] >= values.max() * (1 - 1e-9)
    for value, cell in zip(values[:100], macs.cell(rows)[:100], strict=True):
        assert macs.edges[cell] <= value <= macs.edges[cell + 1]
    # Each of 24, 28 and 32 pixels has a cell.
    np.testing.assert_array_equal(resolution.cell(rows), rows[:, 0])
    np.testing.assert_allclose(resolution.edges, [22, 26, 30, 34])
    np.testing.assert_array_equal(resolution.values, [24, 28, 32])
    assert macs.values is None


def test_a_space_of_one_resolution_is_mapped_by_layers() -> None:
    space = search_spaces.get("nas-bench-macro")
    rows = space.sample(300, np.random.default_rng(0))
    _, layers = usual_dimensions(space)
    assert layers.name == "layers"
    counts = [len(space.lower_row(row).nodes) for row in rows]
    np.testing.assert_array_equal(layers.function(rows), counts)
    # One cell a count: five networks' layers that differ are in cells that differ as much.
    np.testing.assert_array_equal(
        layers.cell(rows) - layers.cell(rows)[0], counts - np.int64(counts[0])
    )


def told(searcher: MapElites, seed: int, limit: float) -> tuple[Rows, npt.NDArray, npt.NDArray]:
    rng = np.random.default_rng(seed)
    asked, objectives, violations = [], [], []
    for _ in range(6):
        rows = searcher.ask(25).rows
        values = np.column_stack([rng.random(25), SPACE.macs(rows)])
        over = values[:, 1:] / limit - 1
        searcher.tell(Population(rows), values, over)
        asked.append(rows)
        objectives.append(values)
        violations.append(over)
    return np.concatenate(asked), np.concatenate(objectives), np.concatenate(violations)


def test_the_searchers_archive_is_that_of_all_it_was_told() -> None:
    limit = float(np.median(SPACE.macs(SPACE.sample(500, np.random.default_rng(0)))))
    over = [
        Dimension("resolution", np.array([-0.5, 0.5, 1.5, 2.5]), lambda rows: rows[:, 0]),
        Dimension("depths", np.arange(-0.5, 8), lambda rows: rows[:, [1, 5, 9, 14]].sum(axis=1)),
    ]
    problem = Problem(SPACE, ("bad", "macs"), {"macs": limit})
    searcher = MapElites(Task(problem), np.random.default_rng(1), over)
    rows, objectives, violations = told(searcher, 2, limit)
    kept = searcher.archive
    expected = archive(over, rows, objectives[:, 0], np.maximum(violations, 0).sum(axis=1))
    np.testing.assert_array_equal(kept.cells, expected.cells)
    np.testing.assert_array_equal(kept.rows, expected.rows)
    np.testing.assert_array_equal(kept.qualities, expected.qualities)
    np.testing.assert_array_equal(kept.violations, expected.violations)
    assert 5 < len(kept) <= 3 * 8
    places = np.column_stack([kept.rows[:, 0], kept.rows[:, [1, 5, 9, 14]].sum(axis=1)])
    np.testing.assert_array_equal(places, kept.cells)
