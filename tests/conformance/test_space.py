"""What every space promises. A new one is tested by being in the catalogue."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import numpy.typing as npt
import pytest

import search_spaces
from search_spaces import Architecture, Space
from search_spaces.convert import from_module
from tests.search_spaces.networks import resnet

Rows = npt.NDArray[np.int64]
ROWS = 100


@pytest.fixture(params=[*search_spaces.names(), "converted"], scope="module")
def space(request: pytest.FixtureRequest) -> Space:
    if request.param == "converted":
        return from_module(resnet(), (24, 32), sort=False)[0]
    return search_spaces.get(request.param)


def raw_rows(space: Space, seed: int) -> Rows:
    """Any options at all, canonical or not."""
    sizes = [len(choice.values) for choice in space.choices]
    return np.random.default_rng(seed).integers(0, sizes, (ROWS, len(sizes)))


def test_decode_and_encode_are_inverse(space: Space) -> None:
    for row in raw_rows(space, 0):
        architecture = space.decode(row)
        values = zip(space.choices, row, strict=True)
        assert dict(architecture.values) == {asked.name: asked.values[i] for asked, i in values}
        again = Architecture.from_json(architecture.to_json())
        assert again == architecture
        np.testing.assert_array_equal(space.encode(again), row)


def test_canonical_is_idempotent_and_changes_no_cost(space: Space) -> None:
    rows = raw_rows(space, 1)
    canonical = space.canonical(rows)
    assert (canonical != rows).any()
    np.testing.assert_array_equal(space.canonical(canonical), canonical)
    np.testing.assert_array_equal(space.macs(canonical), space.macs(rows))
    np.testing.assert_array_equal(space.parameters(canonical), space.parameters(rows))
    # What is worked out at once is what is said one by one.
    expected = canonical, space.used(canonical), space.index(canonical)
    for found, wanted in zip(space.resolved(rows), expected, strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_equal_canonical_rows_have_equal_digests_and_unequal_ones_where_declared(
    space: Space,
) -> None:
    rows = raw_rows(space, 2)
    # The same networks, said otherwise: what a row does not read may be anything.
    otherwise = np.where(space.used(rows), rows, raw_rows(space, 3))
    rows = np.unique(np.concatenate([rows, otherwise, space.canonical(rows)]), axis=0)
    digests = defaultdict(set)
    for row, canonical in zip(rows, space.canonical(rows), strict=True):
        digests[tuple(canonical)].add(space.digest(space.decode(row)))
    assert len(digests) < len(rows)
    assert all(len(same) == 1 for same in digests.values())
    if space.rows_are_exact:
        assert len(set.union(*digests.values())) == len(digests)


def test_costs_are_sums_over_the_plan(space: Space) -> None:
    rows = raw_rows(space, 4)
    specs = [[node.spec for node in space.lower(space.decode(row)).nodes] for row in rows]
    np.testing.assert_array_equal(space.macs(rows), [sum(s.macs for s in net) for net in specs])
    np.testing.assert_array_equal(
        space.parameters(rows), [sum(s.params for s in net) for net in specs]
    )
    # Any metric: here one that knows every layer from every other. What is skipped costs nothing.
    metric = np.random.default_rng(5).random(len(space.specs))
    metric[0] = 0
    number = {spec: i for i, spec in enumerate(space.specs)}
    np.testing.assert_allclose(
        space.total(metric, rows), [sum(metric[number[s]] for s in net) for net in specs]
    )
