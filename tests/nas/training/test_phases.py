"""Which choices may vary in which phase."""

from __future__ import annotations

import functools
import itertools

import numpy as np
import pytest

import search_spaces
from nas.config import PHASES, Phase, PhaseName
from nas.training.phases import OPENS, check_kinds, kind, sample_open, smallest_open
from search_spaces import Net, Space
from search_spaces.errors import ConfigError
from search_spaces.specs import Classifier, Conv


@functools.cache
def space() -> Space:
    return search_spaces.get("small-images", resolutions=(8, 12))


def test_every_kind_of_choice_opens_in_the_end_and_none_closes_again() -> None:
    assert {kind(choice) for choice in space().choices} == OPENS["width"]
    for before, after in itertools.pairwise(PHASES):
        assert OPENS[before] < OPENS[after]


@pytest.mark.parametrize("phase", PHASES)
def test_closed_choices_keep_their_largest_value(phase: PhaseName) -> None:
    rows = sample_open(space(), OPENS[phase], 300, 0.25, np.random.default_rng(0))
    assert np.array_equal(rows, space().canonical(rows))
    read = space().used(rows)
    for column, choice in enumerate(space().choices):
        values = set(rows[read[:, column], column])
        if kind(choice) in OPENS[phase]:
            assert values == set(range(len(choice.values))), choice.name
        else:
            assert values == {len(choice.values) - 1}, choice.name


@pytest.mark.parametrize(
    ("phases", "names", "way_out"),
    [
        (["largest"], ["resolution", "s1.depth", "s1.width", "s4.0.kernel"], "width"),
        (["largest", "kernel"], ["s1.depth", "s1.width", "s1.0.expand"], "width"),
        (["largest", "depth"], ["s1.width", "s2.width", "s3.width", "s4.width"], "width"),
    ],
)
def test_choices_that_no_phase_opens_are_refused_by_name(
    phases: list[PhaseName], names: list[str], way_out: str
) -> None:
    given = [Phase(name, 3) for name in phases]
    with pytest.raises(ConfigError, match=f"ends with {phases[-1]}, .*name: {way_out}") as caught:
        check_kinds(space(), given)
    assert all(f" {name}" in str(caught.value) for name in names)
    opened = [choice.name for choice in space().choices if kind(choice) in OPENS[phases[-1]]]
    assert not any(f" {name}," in str(caught.value) for name in opened)
    check_kinds(space(), [*given, Phase("width", 0)])  # Said on purpose.


def test_a_phase_may_be_left_out_if_a_later_one_opens_its_choices() -> None:
    check_kinds(space(), [Phase("largest", 1), Phase("width", 1)])


def test_a_choice_of_one_value_needs_no_phase() -> None:
    net = Net(image=(3, search_spaces.choice("resolution", 8)))
    net("stem", Conv, out=search_spaces.choice("stem.width", 8), kernel=3)
    net("classifier", Classifier, classes=2)
    check_kinds(Space(net, "fixed"), [Phase("largest", 1)])


def test_before_anything_opens_there_is_the_largest_alone() -> None:
    rows = sample_open(space(), OPENS["largest"], 20, 0.25, np.random.default_rng(0))
    assert (rows == space().largest).all()


@pytest.mark.parametrize("phase", ["kernel", "depth", "width"])
def test_extremes_are_the_smallest_and_the_largest_open_ones(phase: PhaseName) -> None:
    rows = sample_open(space(), OPENS[phase], 400, 1.0, np.random.default_rng(1))
    smallest = space().canonical(smallest_open(space(), OPENS[phase]))[0]
    is_smallest = (rows == smallest).all(axis=1)
    is_largest = (rows == space().largest).all(axis=1)
    assert (is_smallest ^ is_largest).all()
    assert 150 < is_smallest.sum() < 250
    assert space().macs(smallest)[0] == space().macs(rows).min()


def test_extremes_are_as_frequent_as_asked() -> None:
    rows = sample_open(space(), OPENS["width"], 4000, 0.25, np.random.default_rng(2))
    ends = [(rows == end).all(axis=1).mean() for end in (space().smallest, space().largest)]
    assert ends == pytest.approx([0.125, 0.125], abs=0.02)
    none = sample_open(space(), OPENS["width"], 4000, 0.0, np.random.default_rng(2))
    assert not (none == space().largest).all(axis=1).any()


def test_in_the_last_phase_the_smallest_is_the_smallest_of_the_space() -> None:
    smallest = space().canonical(smallest_open(space(), OPENS["width"]))[0]
    assert np.array_equal(smallest, space().smallest)


def test_the_same_generator_draws_the_same_rows() -> None:
    first, second = (
        sample_open(space(), OPENS["width"], 50, 0.25, np.random.default_rng(3)) for _ in range(2)
    )
    assert np.array_equal(first, second)
