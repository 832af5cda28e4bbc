"""The core, against brute force on small spaces and against networkx."""

from __future__ import annotations

import dataclasses
import itertools
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import hypothesis.strategies as st
import networkx as nx
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from scipy.stats import chisquare

import search_spaces
from search_spaces import Architecture, Choice, Net, Plan, Space, choice, layer, one_of, path
from search_spaces.errors import SpaceError
from search_spaces.specs import Classifier, Conv, FusedMBConv, LayerSpec, MBConv, Tensor

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Sum(LayerSpec):
    """A new operator is one frozen dataclass: the sum of two tensors of one shape."""

    @property
    def output(self) -> Tensor:
        return self.inputs[0]

    @property
    def macs(self) -> int:
        return 0

    @property
    def params(self) -> int:
        return 0


def twins() -> Space:
    """Two slots that may each be a convolution or nothing: some networks have several rows."""
    net = Net(image=(3, choice("resolution", 8, 12)))
    net("stem", Conv, out=8, stride=2)
    options = {
        "none": None,
        "conv": layer(Conv, out=8, kernel=one_of(1, 3)),
        "mb": layer(MBConv, out=8, expand=one_of(1, 2)),
    }
    for i in range(2):
        net(f"m{i}", path(**options))
    net("classifier", Classifier, classes=3)
    return Space(net, "twins")


def branches() -> Space:
    """Two branches from one stem, summed, with a depth that both share."""
    net = Net(image=(1, 8))
    stem = net("stem", Conv, out=8)
    depth = choice("depth", 1, 2)
    left = net("left", Conv, out=8, kernel=one_of(1, 3), inputs=(stem,))
    net("right0", Conv, out=8, kernel=one_of(1, 3), inputs=(stem,))
    right = net("right1", Conv, out=8, kernel=one_of(1, 3), when=depth > 1)
    net("sum", Sum, inputs=(left, right))
    net("classifier", Classifier, classes=2)
    return Space(net, "branches")


def staged() -> Space:
    """Stages with depth, width and expansion, as the spaces for images have them."""
    net = Net(image=(3, choice("resolution", 8, 16)))
    net("stem", Conv, out=8, stride=2)
    for s in range(2):
        depth = choice(f"{s}.depth", 1, 2)
        width = choice(f"{s}.width", 8, 16)
        for i in range(2):
            net(
                f"{s}.{i}",
                MBConv if s else FusedMBConv,
                out=width,
                expand=one_of(1, 2),
                stride=1 if i else 2,
                when=depth > i,
            )
    net("classifier", Classifier, classes=3)
    return Space(net, "staged", rows_are_exact=True)


SPACES = {"twins": twins(), "branches": branches(), "staged": staged()}
SMALL_IMAGES = search_spaces.get("small-images")


@pytest.fixture(params=list(SPACES))
def space(request: pytest.FixtureRequest) -> Space:
    return SPACES[request.param]


def all_rows(space: Space) -> Rows:
    """Every row, canonical or not."""
    sizes = [range(len(choice.values)) for choice in space.choices]
    return np.array(list(itertools.product(*sizes)), dtype=np.int64)


def random_rows(space: Space, n: int, seed: int) -> Rows:
    sizes = [len(choice.values) for choice in space.choices]
    return np.random.default_rng(seed).integers(0, sizes, (n, len(sizes)))


def graph_of(plan: Plan) -> nx.DiGraph:
    """The network that a plan is, written here again: layers without names, ordered inputs.

    Layers that no output reads are left out.
    """
    graph: nx.DiGraph = nx.DiGraph()
    graph.add_node("image", label="image")
    for position, node in enumerate(plan.nodes):
        graph.add_node(position, label=node.spec)
        for source in set(node.inputs):
            places = tuple(i for i, other in enumerate(node.inputs) if other == source)
            graph.add_edge("image" if source < 0 else source, position, places=places)
    for output in plan.outputs:
        graph.add_node("output", label="output")
        graph.add_edge(output, "output", places=(0,))
    return graph.subgraph(nx.ancestors(graph, "output") | {"output"})


def isomorphic(a: nx.DiGraph, b: nx.DiGraph) -> bool:
    return nx.is_isomorphic(
        a,
        b,
        node_match=lambda one, other: one["label"] == other["label"],
        edge_match=lambda one, other: one["places"] == other["places"],
    )


@st.composite
def small_spaces(draw: st.DrawFn) -> Space:
    """A space with a few stages, paths among them, and choices that are not always read."""
    options = draw(st.sampled_from([(8,), (8, 12)]))
    net = Net(image=(draw(st.integers(1, 3)), choice("resolution", *options)))
    net("stem", Conv, out=8, stride=2)
    for s in range(draw(st.integers(1, 2))):
        deepest = draw(st.integers(1, 2))
        depth = choice(f"{s}.depth", *range(1, deepest + 1))
        width = choice(f"{s}.width", *draw(st.sampled_from([(8,), (8, 16), (16, 8, 24)])))
        for i in range(deepest):
            if draw(st.booleans()):
                taken = path(
                    thin=layer(Conv, out=width, kernel=one_of(1, 3)),
                    wide=layer(MBConv, out=width, expand=2, se=draw(st.booleans())),
                    **({"none": None} if i else {}),
                )
                net(f"{s}.{i}", taken, when=depth > i)
            else:
                net(f"{s}.{i}", Conv, out=width, kernel=one_of(3, 5), when=depth > i)
    net("classifier", Classifier, classes=2)
    return Space(net, "drawn")


def test_decode_and_encode_are_inverse(space: Space) -> None:
    for row in all_rows(space):
        architecture = space.decode(row)
        assert Architecture.from_json(architecture.to_json()) == architecture
        np.testing.assert_array_equal(space.encode(architecture), row)
        for asked, index, value in zip(space.choices, row, architecture.values, strict=True):
            assert value == (asked.name, asked.values[index])
            assert architecture[asked.name] == asked.values[index]


@given(small_spaces())
@settings(max_examples=40, deadline=None)
def test_canonical_is_idempotent_sound_and_counted(space: Space) -> None:
    rows = all_rows(space)
    canonical = space.canonical(rows)
    np.testing.assert_array_equal(space.canonical(canonical), canonical)
    # Sound: what was changed to 0 changes neither the plan nor what it costs.
    np.testing.assert_array_equal(space.index(canonical), space.index(rows))
    np.testing.assert_array_equal(space.used(canonical), space.used(rows))
    assert space.size == len(np.unique(canonical, axis=0))


@given(small_spaces(), st.integers(0, 2**32))
@settings(max_examples=25, deadline=None)
def test_an_unread_choice_changes_nothing_and_a_read_one_is_read(space: Space, seed: int) -> None:
    rows = random_rows(space, 20, seed)
    other = np.where(space.used(rows), rows, random_rows(space, 20, seed + 1))
    np.testing.assert_array_equal(space.index(other), space.index(rows))
    for row, changed in zip(rows, other, strict=True):
        assert space.lower_row(row) == space.lower_row(changed)
        assert space.digest(space.decode(row)) == space.digest(space.decode(changed))


@given(small_spaces())
@settings(max_examples=25, deadline=None)
def test_costs_are_sums_over_the_plan(space: Space) -> None:
    rows = random_rows(space, 30, 0)
    plans = [space.lower(space.decode(row)) for row in rows]
    np.testing.assert_array_equal(
        space.macs(rows), [sum(node.spec.macs for node in plan.nodes) for plan in plans]
    )
    np.testing.assert_array_equal(space.parameters(rows), [plan.params for plan in plans])
    np.testing.assert_array_equal(space.macs(rows), [plan.macs for plan in plans])
    metric = np.arange(len(space.specs), dtype=np.float64)
    number = {spec: i for i, spec in enumerate(space.specs)}
    np.testing.assert_array_equal(
        space.total(metric, rows),
        [sum(number[node.spec] for node in plan.nodes) for plan in plans],
    )


def test_a_cost_by_hand() -> None:
    space = branches()
    row = space.encode(
        Architecture(
            space.name,
            space.identity,
            (("left.kernel", 1), ("right0.kernel", 3), ("depth", 1), ("right1.kernel", 1)),
        )
    )
    stem, left, right, classifier = 9 * 1 * 8 * 64, 8 * 8 * 64, 9 * 8 * 8 * 64, 8 * 2
    assert space.macs(row)[0] == stem + left + right + classifier
    norms = 3 * 2 * 8
    assert space.parameters(row)[0] == 9 * 8 + 8 * 8 + 9 * 8 * 8 + 8 * 2 + 2 + norms


def test_equal_digests_are_equal_networks_and_unequal_ones_are_not(space: Space) -> None:
    """Against networkx, for every pair of networks of the space."""
    graphs = defaultdict(list)
    for row in np.unique(space.canonical(all_rows(space)), axis=0):
        architecture = space.decode(row)
        graphs[space.digest(architecture)].append(graph_of(space.lower(architecture)))
    for equal in graphs.values():
        assert all(isomorphic(equal[0], other) for other in equal[1:])
    by_layers = defaultdict(list)
    for equal in graphs.values():
        # Networks of different layers cannot be isomorphic; the rest is compared in earnest.
        labels = sorted(repr(label) for _, label in equal[0].nodes(data="label"))
        by_layers[tuple(labels)].append(equal[0])
    for unequal in by_layers.values():
        assert not any(isomorphic(a, b) for a, b in itertools.combinations(unequal, 2))


def test_equal_rows_are_equal_networks_and_the_converse_where_declared(space: Space) -> None:
    rows = np.unique(space.canonical(all_rows(space)), axis=0)
    digests = {space.digest(space.decode(row)) for row in rows}
    assert (len(digests) == len(rows)) is (space is not SPACES["twins"])
    assert not space.rows_are_exact or len(digests) == len(rows)


def test_networks_that_commute_are_equal_though_their_plans_are_not() -> None:
    space = twins()
    values = {"resolution": 8, "m0.conv.kernel": 3, "m0.mb.expand": 1}
    values |= {"m1.conv.kernel": 3, "m1.mb.expand": 1}
    pair = []
    for first, second in (("conv", "none"), ("none", "conv")):
        decided = values | {"m0": first, "m1": second}
        ordered = tuple((c.name, decided[c.name]) for c in space.choices)
        pair.append(Architecture(space.name, space.identity, ordered))
    a, b = (space.encode(architecture) for architecture in pair)
    assert space.digest(pair[0]) == space.digest(pair[1])
    assert (space.index(a) != space.index(b)).any()
    assert (space.canonical(a) != space.canonical(b)).any()


@pytest.mark.parametrize("span", ["wide", "narrow"])
def test_small_images_is_exact_on_a_sample(span: str) -> None:
    space = search_spaces.get("small-images", span=span)
    rows = np.unique(space.sample(500, np.random.default_rng(0)), axis=0)
    assert space.rows_are_exact
    digests = {space.digest(space.decode(row)) for row in rows}
    assert len(digests) == len(rows)
    assert space.size >= 10**9


def test_a_narrow_span_keeps_the_largest_network_and_raises_the_smallest() -> None:
    spans = {
        span: search_spaces.get("small-images", span=span, strides=(2, 1, 2, 2))
        for span in ("wide", "narrow")
    }
    ends = {
        span: space.macs(np.stack([space.smallest, space.largest])) for span, space in spans.items()
    }
    times = {span: round(largest / smallest) for span, (smallest, largest) in ends.items()}
    assert times == {"wide": 29, "narrow": 8}
    wide, narrow = (space.digest(space.decode(space.largest)) for space in spans.values())
    assert wide == narrow
    # Blocks of any kernel, expansion, depth, width and image size are still there.
    open_ = {c.name.rsplit(".", 1)[-1] for c in spans["narrow"].choices if len(c.values) > 1}
    assert open_ == {"resolution", "kernel", "expand", "depth", "width"}


def test_own_canonical_is_applied_after_the_unread_are_zeroed() -> None:
    def none_last(space: Space, rows: Rows) -> Rows:
        # Identities commute: the slot that is skipped is written last.
        names = [asked.name for asked in space.choices]
        first = [i for i, name in enumerate(names) if name.split(".")[0] == "m0"]
        second = [i for i, name in enumerate(names) if name.split(".")[0] == "m1"]
        m0 = names.index("m0")
        swapped = rows.copy()
        swapped[:, first], swapped[:, second] = rows[:, second], rows[:, first]
        return np.where((rows[:, [m0]] == 0), swapped, rows)

    net = Net(image=(3, 8))
    net("stem", Conv, out=8)
    for i in range(2):
        net(f"m{i}", path(none=None, conv=layer(Conv, out=8, kernel=one_of(1, 3))))
    net("classifier", Classifier, classes=3)
    # No convolution, one, or two, each of two kinds.
    space = Space(net, "exact", rows_are_exact=True, canonical=none_last, size=1 + 2 + 4)
    rows = np.unique(space.canonical(all_rows(space)), axis=0)
    assert len(rows) == space.size
    n = 60 * len(rows)
    drawn = space.sample(n, np.random.default_rng(0), uniform="networks")
    found, counts = np.unique(drawn, axis=0, return_counts=True)
    np.testing.assert_array_equal(found, rows)
    assert chisquare(counts).pvalue > 1e-3
    assert len({space.digest(space.decode(row)) for row in rows}) == len(rows)


def test_samples_are_canonical_reproducible_and_reach_everything(space: Space) -> None:
    rows = space.sample(3000, np.random.default_rng(3))
    np.testing.assert_array_equal(rows, space.canonical(rows))
    np.testing.assert_array_equal(rows, space.sample(3000, np.random.default_rng(3)))
    assert len(np.unique(rows, axis=0)) == space.size


@pytest.mark.parametrize("uniform", ["choices", "networks"])
def test_samples_are_uniform_over_what_they_say(uniform: str) -> None:
    space = SPACES["staged"]
    n = 40 * len(all_rows(space))
    drawn = space.sample(n, np.random.default_rng(1), uniform=uniform)  # type: ignore[arg-type]
    rows, counts = np.unique(drawn, axis=0, return_counts=True)
    everything, shares = np.unique(space.canonical(all_rows(space)), axis=0, return_counts=True)
    np.testing.assert_array_equal(rows, everything)
    expected = shares / shares.sum() if uniform == "choices" else np.full(len(rows), 1 / len(rows))
    assert chisquare(counts, n * expected).pvalue > 1e-3


def test_index_names_the_specs_of_the_plan(space: Space) -> None:
    for row in random_rows(space, 20, 1):
        nodes = {node.slot: node.spec for node in space.lower_row(row).nodes}
        for slot, number in zip(space.slots, space.index(row)[0], strict=True):
            assert nodes.get(slot, space.specs[0]) == space.specs[number]


def test_smallest_and_largest_are_the_ends_where_options_ascend() -> None:
    space = SPACES["staged"]
    for cost in (space.macs, space.parameters):
        assert cost(space.smallest)[0] == cost(all_rows(space)).min()
        assert cost(space.largest)[0] == cost(all_rows(space)).max()


def test_bounds_are_the_least_and_the_most_of_all_networks(space: Space) -> None:
    rows = all_rows(space)
    # The first metric has its ends in no particular options.
    taste = np.random.default_rng(4).normal(size=len(space.specs))
    taste[0] = 0
    for metric in (taste, [spec.macs for spec in space.specs]):
        totals = space.total(metric, rows)
        np.testing.assert_allclose(space.bounds(metric), (totals.min(), totals.max()))


def test_weights_shared_by_slices_are_listed() -> None:
    shared = SPACES["staged"].weight_specs()
    assert set(shared) == {"stem", "0.0", "0.1", "1.0", "1.1", "classifier"}
    assert {spec.out for spec in shared["1.1"] if isinstance(spec, MBConv)} == {8, 16}
    paths = SPACES["twins"].weight_specs()
    assert {"m0.conv", "m0.mb"} <= set(paths)


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        (np.zeros((2, 3), dtype=np.int64), "have 7 columns"),
        (np.zeros((1, 1, 7), dtype=np.int64), "have 7 columns"),
        (np.zeros((2, 7)), "integers; got dtype float64"),
        (np.full((1, 7), 9), "has options 0 to"),
        (np.full((1, 7), -1), "has options 0 to"),
    ],
)
def test_rows_of_something_else_are_refused(rows: Rows, says: str) -> None:
    net = Net(image=(3, choice("resolution", 8, 12)))
    for i in range(6):
        net(f"{i}", Conv, out=8, kernel=one_of(1, 3))
    space = Space(net, "seven")
    for function in (space.canonical, space.index, space.macs, space.used):
        with pytest.raises(SpaceError, match=says):
            function(rows)


def test_architectures_of_something_else_are_refused(space: Space) -> None:
    architecture = SMALL_IMAGES.decode(SMALL_IMAGES.smallest)
    with pytest.raises(SpaceError, match="not of "):
        space.encode(architecture)
    own = space.decode(space.smallest)
    first, *others = own.values
    with pytest.raises(SpaceError, match="one value for every choice"):
        space.encode(dataclasses.replace(own, values=tuple(others)))
    with pytest.raises(SpaceError, match="is one of"):
        space.encode(dataclasses.replace(own, values=((first[0], 77), *others)))
    with pytest.raises(KeyError):
        own["nothing"]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 1}', '{"format": 99}', "null"])
def test_text_that_is_no_architecture_is_refused(text: str) -> None:
    with pytest.raises(SpaceError, match="architecture"):
        Architecture.from_json(text)


def test_spaces_written_wrongly_are_refused() -> None:
    net = Net(image=(3, 8))
    net("a", Conv, out=8)
    with pytest.raises(SpaceError, match="stands twice"):
        net("a", Conv, out=8)
    with pytest.raises(SpaceError, match="which is not before it"):
        net("b", Conv, out=8, inputs=("later",))
    with pytest.raises(SpaceError, match="canonical and size come together; got only size"):
        Space(net, "sized", size=1)
    with pytest.raises(SpaceError, match="canonical and size come together; got only canonical"):
        Space(net, "formed", canonical=lambda space, rows: rows)
    with pytest.raises(SpaceError, match="options carry the attributes"):
        net("c", path(one=layer(Conv, out=8)), out=8)
    with pytest.raises(SpaceError, match="one name is one decision"):
        net("d", Conv, out=choice("w", 8, 16), when=choice("w", 8, 24) > 8)
    with pytest.raises(SpaceError, match="no truth value"):
        bool(choice("w", 1, 2) > 1)
    with pytest.raises(SpaceError, match="cannot stand here"):
        net("e", Conv, out=8, when=one_of(True, False))
    with pytest.raises(SpaceError, match="no values"):
        Choice("empty", ())
    with pytest.raises(SpaceError, match="lists a value twice"):
        Choice("twice", (1, 1))


def test_the_catalogue_knows_its_names_and_options() -> None:
    assert "small-images" in search_spaces.names()
    assert search_spaces.get("small-images", num_classes=3).identity != SMALL_IMAGES.identity
    assert search_spaces.get("small-images").identity == SMALL_IMAGES.identity
    with pytest.raises(SpaceError, match="did you mean 'small-images'"):
        search_spaces.get("small-image")
    with pytest.raises(SpaceError, match="options of space"):
        search_spaces.get("small-images", colour="red")
    wrong = {"resolutions": (32, 24), "num_classes": 1, "width": 0, "strides": (2, 2, 2)}
    for name, value in (*wrong.items(), ("strides", (2, 4, 1, 2)), ("span", "broad")):
        with pytest.raises(SpaceError, match="got"):
            search_spaces.get("small-images", **{name: value})


@pytest.mark.parametrize(
    ("strides", "sides"), [((2, 2, 1, 2), (16, 8, 8, 4)), ([1, 2, 2, 1], (32, 16, 8, 8))]
)
def test_strides_say_how_large_maps_are(strides: Sequence[int], sides: Sequence[int]) -> None:
    space = search_spaces.get("small-images", strides=strides)
    shapes = {node.weights: node.spec.output.shape for node in space.lower_row(space.largest).nodes}
    for number, side in enumerate(sides, start=1):
        assert shapes[f"s{number}.0"][1:] == shapes[f"s{number}.1"][1:] == (side, side)
    assert (space.identity == SMALL_IMAGES.identity) == (tuple(strides) == (2, 2, 1, 2))


@pytest.mark.parametrize("span", ["wide", "narrow"])
@pytest.mark.parametrize("width", [0.25, 0.5, 0.75, 1.0])
def test_exactness_is_taken_back_where_rounding_merges_options(width: float, span: str) -> None:
    space = search_spaces.get("small-images", width=width, span=span)
    one_choice_apart = []
    for row in space.sample(40, np.random.default_rng(1)):
        for column, option in itertools.product(range(len(row)), range(3)):
            other = row.copy()
            other[column] = min(option, len(space.choices[column].values) - 1)
            one_choice_apart.append(other)
    rows = np.unique(space.canonical(np.array(one_choice_apart)), axis=0)
    digests = {space.digest(space.decode(row)) for row in rows}
    assert (len(digests) == len(rows)) is space.rows_are_exact
