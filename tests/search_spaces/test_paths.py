"""The graph of all networks against their enumeration, and means over it."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt
import pytest

import search_spaces
from search_spaces import Net, Space, choice, one_of
from search_spaces.errors import SpaceError
from search_spaces.expectation import expectation
from search_spaces.paths import Paths, paths
from search_spaces.specs import Classifier, Conv

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]


def elastic() -> Space:
    """Shared width, depth, two resolutions: states and decisions that outlive a slot."""
    net = Net(image=(3, choice("resolution", 8, 12)))
    depth = choice("depth", 1, 2, 3)
    width = choice("width", 8, 16)
    net("a", Conv, out=width, kernel=one_of(1, 3))
    net("b", Conv, out=one_of(8, 32), kernel=one_of(1, 3, 5), when=depth > 1)
    net("c", Conv, out=width, kernel=one_of(1, 3), when=depth > 2)
    net("classifier", Classifier, classes=2)
    return Space(net, "elastic", rows_are_exact=True)


@pytest.fixture(params=[elastic(), search_spaces.get("nas-bench-macro")], ids=lambda s: str(s.name))
def space(request: pytest.FixtureRequest) -> Space:
    found: Space = request.param
    return found


def raw(space: Space) -> Rows:
    sizes = [range(len(choice.values)) for choice in space.choices]
    return np.array(list(itertools.product(*sizes)))


def values(space: Space, graph: Paths) -> tuple[Floats, Floats]:
    """What edges are worth, and the same of every raw row by the space's own tables."""
    rng = np.random.default_rng(0)
    metric = rng.normal(size=len(space.specs))
    metric[0] = 0
    options = rng.normal(size=int(graph.offsets[-1]))
    rows = raw(space)
    said = (options[rows + graph.offsets[:-1]] * space.used(rows)).sum(axis=1)
    return graph.layers(metric) + graph.decisions(options), space.total(metric, rows) + said


def test_every_row_is_a_path_and_its_sum_the_sum_of_edges(space: Space) -> None:
    graph = paths(space)
    weights, expected = values(space, graph)
    walked = graph.edges(raw(space))
    assert (walked >= 0).all()
    np.testing.assert_allclose(weights[walked].sum(axis=1), expected)
    read = np.where(space.used(raw(space)), raw(space), 0)
    for row, path in list(zip(read, walked, strict=True))[::7]:
        np.testing.assert_array_equal(graph.row(path), row)
    assert len(np.unique(walked, axis=0)) == len(np.unique(read, axis=0))


def test_the_least_and_the_most_of_a_sum(space: Space) -> None:
    graph = paths(space)
    weights, expected = values(space, graph)
    assert graph.bounds(weights) == pytest.approx((expected.min(), expected.max()))


def test_a_value_for_every_slot_and_spec() -> None:
    space = elastic()
    graph = paths(space)
    by_slot = np.random.default_rng(0).normal(size=(len(space.slots), len(space.specs)))
    by_slot[:, 0] = 0
    plans = space.index(raw(space))
    expected = by_slot[np.arange(plans.shape[1]), plans].sum(axis=1)
    found = graph.layers(by_slot)[graph.edges(raw(space))].sum(axis=1)
    np.testing.assert_allclose(found, expected)


def test_paths_of_one_image_are_the_networks_that_take_it() -> None:
    space = elastic()
    rows = raw(space)
    for resolution, image in enumerate(space.images):
        walked = paths(space, image).edges(rows)
        np.testing.assert_array_equal((walked >= 0).all(axis=1), rows[:, 0] == resolution)


def distributions(space: Space, n: int) -> Floats:
    rng = np.random.default_rng(1)
    sizes = [len(choice.values) for choice in space.choices]
    return np.concatenate([rng.dirichlet(np.ones(size), n) for size in sizes], axis=1)


def enumerated(space: Space, graph: Paths, expected: Floats, given: Floats) -> Floats:
    rows = raw(space) + graph.offsets[:-1]
    chances = given[:, rows].prod(axis=2)
    assert chances.sum(axis=1) == pytest.approx(1.0)
    return np.asarray(chances @ expected, dtype=np.float64)


def test_an_expectation_is_the_mean_over_all_networks(space: Space) -> None:
    graph = paths(space)
    weights, expected = values(space, graph)
    given = distributions(space, 5)
    # One distribution is certain of every choice.
    given[0] = 0
    given[0, graph.offsets[:-1]] = 1
    found, _ = expectation(graph, weights, given)
    np.testing.assert_allclose(found, enumerated(space, graph, expected, given))
    alone, slope = expectation(graph, weights, given[1])
    assert alone.shape == ()
    assert slope.shape == given[1].shape
    assert float(alone) == pytest.approx(found[1])


def test_its_gradient_is_that_of_finite_differences(space: Space) -> None:
    graph = paths(space)
    weights, expected = values(space, graph)
    given = distributions(space, 3)
    # Certainty is no special case: products without a factor of 0 are not had by dividing.
    given[0] = 0
    given[0, graph.offsets[1:] - 1] = 1
    _, gradient = expectation(graph, weights, given)
    step = 1e-4
    for start, stop in itertools.pairwise(graph.offsets.tolist()):
        for option in range(start + 1, stop):
            # Probability moves between two options of a choice; the mean is linear in it.
            moved = np.zeros_like(given)
            moved[:, option], moved[:, start] = step, -step
            up = enumerated_linear(space, graph, expected, given + moved)
            down = enumerated_linear(space, graph, expected, given - moved)
            expected_slope = (up - down) / (2 * step)
            np.testing.assert_allclose(
                gradient[:, option] - gradient[:, start], expected_slope, atol=1e-8
            )


def enumerated_linear(space: Space, graph: Paths, expected: Floats, given: Floats) -> Floats:
    """The mean where a probability may be a little below 0."""
    return np.asarray(given[:, raw(space) + graph.offsets[:-1]].prod(axis=2) @ expected)


def test_in_a_large_space_it_is_the_mean_of_samples() -> None:
    space = search_spaces.get("ofa-mobilenetv3", resolutions=[224])
    graph = paths(space)
    sizes = [len(choice.values) for choice in space.choices]
    uniform = np.concatenate([np.full(size, 1 / size) for size in sizes])
    macs = graph.layers([spec.macs for spec in space.specs])
    mean, _ = expectation(graph, macs, uniform)
    sampled = space.macs(space.sample(20_000, np.random.default_rng(0)))
    assert float(mean) == pytest.approx(sampled.mean(), abs=4 * sampled.std() / 20_000**0.5)


def test_what_are_no_probabilities_is_refused() -> None:
    space = elastic()
    graph = paths(space)
    weights = np.zeros(len(graph.tail))
    given = distributions(space, 1)[0]
    with pytest.raises(SpaceError, match=r"elastic has \d+ options"):
        expectation(graph, weights, given[:-1])
    off = given.copy()
    off[0] += 0.5
    with pytest.raises(SpaceError, match="'resolution' are off by 0.5"):
        expectation(graph, weights, off)
    below = given.copy()
    below[:2] = -0.5, 1.5
    with pytest.raises(SpaceError, match=r"the least of all is -0\.5"):
        expectation(graph, weights, below)
