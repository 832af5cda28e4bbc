"""Networks that do the same have one name, whatever they look like."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import search_spaces
from search_spaces.behaviour import Behaviour
from search_spaces.space import Population
from search_spaces.subnet import module_name
from search_spaces.supernet import Supernet

SPACE = search_spaces.get("small-images", resolutions=(24, 28), num_classes=4)
NAMES = [choice.name for choice in SPACE.choices]


@pytest.fixture
def supernet() -> Supernet:
    """The third block of stage 4 adds nothing to its input."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        made = SPACE.supernet()
    with torch.no_grad():
        block = made.blocks[module_name("s4.2")]
        last = [module for module in block.modules() if isinstance(module, torch.nn.BatchNorm2d)][
            -1
        ]
        last.weight.zero_()
        last.bias.zero_()
    return made


def rows(**options: int) -> Population:
    row = SPACE.largest.copy()
    for name, option in options.items():
        row[NAMES.index(name.replace("_", "."))] = option
    return SPACE.canonical(row[None])


def test_a_block_that_does_nothing_makes_no_difference(supernet: Supernet) -> None:
    name = Behaviour(supernet)
    deep, shallow = rows(s4_depth=2), rows(s4_depth=1)
    assert (deep != shallow).any()
    assert SPACE.digest(SPACE.decode(deep[0])) != SPACE.digest(SPACE.decode(shallow[0]))
    x = torch.randn(2, 3, 28, 28)
    with torch.no_grad():
        supernet.eval()
        pair = [supernet(x, SPACE.decode(row[0])) for row in (deep, shallow)]
    torch.testing.assert_close(*pair)
    assert name(deep) == name(shallow)


def test_everything_else_does(supernet: Supernet) -> None:
    name = Behaviour(supernet)
    sample = SPACE.sample(60, np.random.default_rng(0))
    depth = NAMES.index("s4.depth")
    sample[:, depth] = np.minimum(sample[:, depth], 1)
    sample = np.unique(SPACE.canonical(sample), axis=0)
    names = name(sample)
    assert len(set(names)) == len(sample)
    assert names == name(sample)
    assert names != Behaviour(supernet, seed=1)(sample)


def test_it_leaves_the_supernet_as_it_was(supernet: Supernet) -> None:
    supernet.train()
    before = {key: value.clone() for key, value in supernet.state_dict().items()}
    state = torch.get_rng_state()
    Behaviour(supernet)(SPACE.sample(3, np.random.default_rng(0)))
    assert supernet.training
    assert torch.equal(state, torch.get_rng_state())
    for key, value in supernet.state_dict().items():
        assert torch.equal(value, before[key])


def test_a_search_evaluates_one_of_them(supernet: Supernet) -> None:
    from nas import search

    asked: list[int] = []
    pair = np.concatenate([rows(s4_depth=2), rows(s4_depth=1)])

    class Pair:
        def __init__(self, task: search.Task, rng: np.random.Generator) -> None:
            pass

        def ask(self, n: int) -> search.Population:
            return search.Population(pair)

        def tell(self, *told: object) -> None:
            pass

    def error(rows: Population) -> list[float]:
        asked.append(len(rows))
        return [7.0] * len(rows)

    study = search.minimize(
        SPACE, {"error": error}, searcher=Pair, budget=10, equality=Behaviour(supernet)
    )
    assert asked == [1]
    assert [e.objectives["error"] for e in study.evaluations()] == [7.0, 7.0]
