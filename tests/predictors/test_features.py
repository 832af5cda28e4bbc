from __future__ import annotations

import numpy as np
import pytest

import predictors
import search_spaces
from predictors import ranks
from predictors.features import Encoder, place, stages
from search_spaces import Net, Space, choice, layer, one_of, path
from search_spaces.specs import Classifier, Conv


def tiny() -> Space:
    net = Net(image=(3, choice("resolution", 8, 12, 16)))
    net("stem", Conv, out=8, stride=2)
    depth = choice("depth", 1, 2)
    net("a.0", Conv, out=8, kernel=one_of(1, 3))
    net("a.1", Conv, out=8, kernel=one_of(1, 3), when=depth > 1)
    net("b.0", path(none=None, one=layer(Conv, out=8, kernel=one_of(3, 5, 9))))
    net("classifier", Classifier, classes=2)
    return Space(net, "tiny")


def test_decisions_by_hand() -> None:
    space = tiny()
    names = [choice.name for choice in space.choices]
    assert names == ["resolution", "a.0.kernel", "depth", "a.1.kernel", "b.0", "b.0.one.kernel"]
    deep, shallow = Encoder(space)([[2, 1, 1, 0, 1, 1], [1, 0, 0, 1, 0, 2]])[0]
    one_hot = [[0, 0, 1], [0, 1], [0, 1], [1, 0], [0, 1], [0, 1, 0]]
    # Ordered: resolution, and the kernel of the path, 5 of 3 to 9.
    assert deep.tolist() == [*np.concatenate(one_hot), 1.0, pytest.approx(-1 / 3)]
    # What is not read is not there: the kernel of the absent layer, and that of the path.
    one_hot = [[0, 1, 0], [1, 0], [1, 0], [0, 0], [1, 0], [0, 0, 0]]
    assert shallow.tolist() == [*np.concatenate(one_hot), 0.0, 0.0]


def test_costs_are_those_of_the_plan() -> None:
    space = tiny()
    rows = space.sample(50, np.random.default_rng(0))
    costs = Encoder(space)(rows)[1]
    parts = [["stem"], ["a.0", "a.1"], ["b.0"], ["classifier"]]
    assert [[space.slots[i] for i in stage] for stage in stages(space)] == parts
    for row, found in zip(rows, costs, strict=True):
        nodes = space.lower_row(row).nodes
        totals = [np.log1p(sum(n.spec.macs for n in nodes))]
        totals += [np.log1p(sum(n.spec.params for n in nodes)), len(nodes)]
        inside = [[n.spec for n in nodes if n.slot in part] for part in parts]
        macs = [sum(spec.macs for spec in specs) for specs in inside]
        params = [sum(spec.params for spec in specs) for specs in inside]
        np.testing.assert_allclose(found, [*totals, *macs, *params, *map(len, inside)])


def test_stages_are_found_without_names_too() -> None:
    net = Net(image=(3, 16))
    for i, stride in enumerate((1, 2, 1, 2)):
        net(f"l{i}", Conv, out=8, stride=stride, kernel=one_of(1, 3))
    assert [len(stage) for stage in stages(Space(net, "flat"))] == [1, 2, 1]


def test_equal_networks_are_encoded_alike() -> None:
    space = search_spaces.get("small-images")
    rng = np.random.default_rng(1)
    rows = rng.integers(0, 2, (200, len(space.choices)))
    for part, same in zip(Encoder(space)(rows), Encoder(space)(space.canonical(rows)), strict=True):
        np.testing.assert_array_equal(part, same)


def test_places_by_hand() -> None:
    known = np.array([-1e308, 1.0, 1.0, 3.0, 1e308])
    values = np.array([-1.7e308, -1e308, 0.9, 1.0, 2.0, 3.0, 1e308, 1.7e308])
    expected = [0, 0, 0.375, 0.375, (0.375 + 0.75) / 2, 0.75, 1, 1]
    np.testing.assert_allclose(place(values, known), expected, atol=1e-9)
    assert place(np.array([5.0]), np.array([7.0])).tolist() == [0]


@pytest.mark.parametrize("seen", ["plain", "exp", "floor", "overflow"])
def test_a_proxy_that_tells_all_does_so_whatever_its_scale(seen: str) -> None:
    # The label itself is the proxy, and nothing else tells it.
    rng = np.random.default_rng(0)
    space = search_spaces.get("nas-bench-macro")
    X = np.unique(space.sample(260, rng), axis=0)
    y = rng.normal(size=len(X))
    proxy = np.exp(20 * y) if seen == "exp" else y.copy()
    proxy[:3] = {"floor": -1e18, "overflow": [-1.7e308, 1.7e308, 1.7e308]}.get(seen, proxy[:3])
    fitted, others = slice(0, 150), slice(150, None)
    predictor = predictors.get("auto", space)
    predictor.fit(X[fitted], y[fitted], proxies={"p": proxy[fitted]})
    mean = predictor.predict(X[others], proxies={"p": proxy[others]})
    assert np.isfinite(mean).all()
    assert ranks.kendall(mean, y[others]) > 0.92
