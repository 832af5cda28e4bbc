"""Which choices may vary in which phase."""

from __future__ import annotations

import functools

import numpy as np
import pytest

import search_spaces
from nas.config import PHASES, Phase, PhaseName
from nas.training.phases import check_kinds, kind, largest, opens, smallest_open
from search_spaces import Net, Space
from search_spaces.errors import ConfigError
from search_spaces.specs import Classifier, Conv

OPEN = {
    "largest": {"resolution"},
    "kernel": {"resolution", "kernel"},
    "depth": {"resolution", "kernel", "depth"},
    "expand": {"resolution", "kernel", "depth", "expand"},
    "width": {"resolution", "kernel", "depth", "expand", "width"},
    "all": {"resolution", "kernel", "depth", "expand", "width"},
}


@functools.cache
def space() -> Space:
    return search_spaces.get("small-images", resolutions=(8, 10, 12))


def phases(*names: PhaseName) -> list[Phase]:
    return [Phase(name, 3) for name in names]


@pytest.mark.parametrize("phase", PHASES)
def test_what_is_open_reaches_down_to_the_smallest_and_the_rest_is_largest(
    phase: PhaseName,
) -> None:
    given = phases(*dict.fromkeys(("largest", phase)))
    low = smallest_open(space(), given, len(given) - 1)
    for value, choice in zip(low, space().choices, strict=True):
        assert value == (0 if kind(choice) in OPEN[phase] else len(choice.values) - 1)
    assert [len(choice.values) - 1 for choice in space().choices] == largest(space()).tolist()


def test_a_phase_named_twice_opens_its_choices_in_two_steps() -> None:
    given = phases("largest", "kernel", "depth", "depth", "expand", "expand", "width")
    by_kind: dict[str, list[list[int]]] = {}
    for number in range(len(given)):
        for value, choice in zip(
            smallest_open(space(), given, number), space().choices, strict=True
        ):
            if choice.name in ("resolution", "s3.depth", "s3.1.expand", "s4.width", "s4.0.kernel"):
                by_kind.setdefault(choice.name, []).append(value)
    # Three values each; width has four and kernel two.
    assert by_kind == {
        "resolution": [0, 0, 0, 0, 0, 0, 0],
        "s4.0.kernel": [1, 0, 0, 0, 0, 0, 0],
        "s3.depth": [2, 2, 1, 0, 0, 0, 0],
        "s3.1.expand": [2, 2, 2, 2, 1, 0, 0],
        "s4.width": [3, 3, 3, 3, 3, 3, 0],
    }


@pytest.mark.parametrize(
    ("names", "closed", "way_out"),
    [
        (["largest"], ["s1.depth", "s1.width", "s4.0.kernel"], "width"),
        (["largest", "kernel"], ["s1.depth", "s1.width", "s1.0.expand"], "width"),
        (["largest", "expand"], ["s1.width", "s2.width", "s3.width", "s4.width"], "width"),
    ],
)
def test_choices_that_no_phase_opens_are_refused_by_name(
    names: list[PhaseName], closed: list[str], way_out: str
) -> None:
    with pytest.raises(ConfigError, match=f"ends with {names[-1]}, .*name: {way_out}") as caught:
        check_kinds(space(), phases(*names))
    assert all(f" {name}" in str(caught.value) for name in closed)
    opened = [choice.name for choice in space().choices if kind(choice) in OPEN[names[-1]]]
    assert not any(f" {name}," in str(caught.value) for name in opened)
    check_kinds(space(), [*phases(*names), Phase("width", 0)])  # Said on purpose.


def test_a_phase_may_be_left_out_if_a_later_one_opens_its_choices() -> None:
    check_kinds(space(), phases("largest", "width"))
    check_kinds(space(), phases("all"))


def test_choices_of_another_kind_open_with_all() -> None:
    macro = search_spaces.get("nas-bench-macro")
    assert {opens(choice) for choice in macro.choices if len(choice.values) > 1} == {"all"}
    check_kinds(macro, phases("all"))
    with pytest.raises(ConfigError, match=r"largest: add \{name: all, epochs: N\}"):
        check_kinds(macro, phases("largest"))


def fixed() -> Space:
    net = Net(image=(3, search_spaces.choice("resolution", 8)))
    net("stem", Conv, out=search_spaces.choice("stem.width", 8), kernel=3)
    net("classifier", Classifier, classes=2)
    return Space(net, "fixed")


def test_a_choice_of_one_value_needs_no_phase() -> None:
    check_kinds(fixed(), phases("largest"))


def test_a_phase_that_the_space_has_no_choice_for_is_refused() -> None:
    with pytest.raises(ConfigError, match="has a phase width, and fixed has no choice of that"):
        check_kinds(fixed(), phases("largest", "width"))


def test_in_the_last_phase_the_smallest_is_the_smallest_of_the_space() -> None:
    low = space().canonical(smallest_open(space(), phases("largest", "width"), 1))[0]
    assert np.array_equal(low, space().smallest)
