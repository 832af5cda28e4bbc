"""Networks without any layer are no networks."""

from __future__ import annotations

import pytest

from search_spaces import Net, Space, choice
from search_spaces.choices import layer, path
from search_spaces.errors import SpaceError
from search_spaces.specs import Conv


def test_a_network_whose_slots_may_all_be_skipped_is_refused() -> None:
    net = Net(image=(3, 8))
    depth = choice("depth", 0, 1, 2)
    net("a", Conv, out=8, kernel=3, when=depth > 0)
    net("b", Conv, out=8, kernel=3, when=depth > 1)
    net("c", path(conv=layer(Conv, out=8, kernel=1), none=None))
    with pytest.raises(SpaceError, match=r"'empty': .* slots \(a, b, c\) may be skipped at once"):
        Space(net, "empty")


def test_slots_that_are_never_skipped_together_are_a_network() -> None:
    net = Net(image=(3, 8))
    first = choice("first", 0, 1)
    net("a", Conv, out=8, kernel=3, when=first > 0)
    net("b", Conv, out=8, kernel=3, when=first < 1)
    assert Space(net, "either").size == 2


def test_one_slot_that_always_stands_is_enough() -> None:
    net = Net(image=(3, 8))
    net("a", Conv, out=8, kernel=3, when=choice("depth", 0, 1) > 0)
    net("b", Conv, out=8, kernel=1)
    assert Space(net, "deep").size == 2


def test_a_network_without_slots_is_refused() -> None:
    with pytest.raises(SpaceError, match=r"slots \(none\) may be skipped"):
        Space(Net(image=(3, 8)), "nothing")
