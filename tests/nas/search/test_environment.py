"""The Gymnasium environment: its contract, its rewards by hand, and agents that use it."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from nas.search import Problem, SearchError
from nas.search.searcher import Floats, Rows
from tests.nas.tiny import ROOT, tiny

pytest.importorskip("gymnasium")

from gymnasium.utils.env_checker import check_env

from nas.search.environment import Environment, Reward, environment

SPACE = tiny()
SIZES = [len(choice.values) for choice in SPACE.choices]
TASTE = np.random.default_rng(3).normal(size=len(SIZES))


def bad(rows: Rows) -> Floats:
    return np.asarray(rows @ TASTE, dtype=np.float64)


def slow(rows: Rows) -> Floats:
    return 1.0 + rows.sum(axis=1)


class Asked:
    """Values of one problem, and the rows that they were asked for."""

    def __init__(self, *, fails: bool = False) -> None:
        self.rows: list[tuple[int, ...]] = []
        self.fails = fails

    def __call__(self, rows: Rows) -> Floats:
        self.rows += map(tuple, rows.tolist())
        values = np.column_stack([bad(rows), slow(rows)])
        return np.full_like(values, np.nan) if self.fails else values


PROBLEM = Problem(SPACE, ("bad",), {"slow": 4.0})


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.filterwarnings("ignore:.*Box observation space m.*:UserWarning")
def test_gymnasium_accepts_it(whole: bool) -> None:
    check_env(Environment(PROBLEM, Asked(), whole=whole), skip_render_check=True)


def test_a_network_choice_by_choice() -> None:
    asked = Asked()
    made = Environment(PROBLEM, asked)
    observation, info = made.reset()
    assert observation["row"].tolist() == [0] * len(SIZES)
    assert observation["values"].tolist() == [0, 0]
    row = [size - 1 for size in SIZES]
    for number, option in enumerate(row):
        assert info["action_mask"].tolist() == [
            int(action < SIZES[number]) for action in range(max(SIZES))
        ]
        assert not asked.rows
        observation, reward, ended, cut, info = made.step(option)
        assert observation["row"].tolist() == [
            row[n] + 1 if n <= number else 0 for n in range(len(row))
        ]
        assert not cut and ended == (number == len(row) - 1)
        assert ended or reward == 0
    canonical = SPACE.canonical(np.array([row]))
    assert asked.rows == [tuple(canonical[0].tolist())]
    values = [float(bad(canonical)[0]), float(slow(canonical)[0])]
    assert observation["values"].tolist() == values
    # The limit is 4, and a share of it is penalised by a hundred.
    assert reward == pytest.approx(-values[0] - 100 * (values[1] - 4) / 4)
    assert info["objectives"] == {"bad": values[0]} and info["constraints"] == {"slow": values[1]}
    assert info["feasible"] is False and info["failed"] is False
    assert info["row"] == asked.rows[0] and not info["action_mask"].any()
    with pytest.raises(SearchError, match=r"the network is complete; call reset\(\)"):
        made.step(0)


def test_a_whole_row_at_once() -> None:
    asked = Asked()
    made = Environment(PROBLEM, asked, whole=True, reward=Reward({"bad": 2.0}))
    made.reset()
    _, reward, ended, _, info = made.step(np.zeros(len(SIZES), dtype=np.int64))
    assert ended and info["feasible"] is True and "action_mask" not in info
    assert reward == 0.0 and info["constraints"] == {"slow": 1.0}
    assert asked.rows == [(0,) * len(SIZES)]


def test_a_weight_of_no_objective() -> None:
    made = Environment(PROBLEM, Asked(), whole=True, reward=Reward({"slow": 2.0}))
    made.reset()
    with pytest.raises(SearchError, match="no objective with a weight 'slow'; there are bad"):
        made.step(np.zeros(len(SIZES), dtype=np.int64))


def test_actions_beyond_a_choice_count_around() -> None:
    asked = Asked()
    made = Environment(PROBLEM, asked)
    made.reset()
    most = max(SIZES) - 1
    for _ in SIZES:
        made.step(most)
    around = SPACE.canonical(np.array([[most % size for size in SIZES]]))
    assert asked.rows == [tuple(around[0].tolist())]
    made.reset()
    with pytest.raises(SearchError, match=r"an action is one of Discrete\(\d+\); got 99"):
        made.step(99)


def test_a_network_without_values() -> None:
    made = Environment(PROBLEM, Asked(fails=True), whole=True)
    made.reset()
    observation, reward, ended, _, info = made.step(np.zeros(len(SIZES), dtype=np.int64))
    assert ended and info["failed"] is True and "objectives" not in info
    assert reward == -1000.0 and observation["values"].tolist() == [0, 0]


def test_values_of_another_shape() -> None:
    made = Environment(PROBLEM, bad, whole=True)
    made.reset()
    with pytest.raises(SearchError, match=r"values \[rows, 2\], of bad, slow; got shape \(1,\)"):
        made.step(np.zeros(len(SIZES), dtype=np.int64))


def test_made_of_what_minimize_is_asked() -> None:
    made = environment(SPACE, {"bad": bad}, {"slow": 4.0}, functions={"slow": slow}, whole=True)
    made.reset()
    row = SPACE.sample(1, np.random.default_rng(0))
    info = made.step(row[0])[4]
    assert info["objectives"]["bad"] == pytest.approx(float(bad(row)[0]))
    assert info["constraints"]["slow"] == slow(row)[0]
    with pytest.raises(SearchError, match="constraint 'slow' would never be evaluated"):
        environment(SPACE, {"bad": bad}, {"slow": 4.0})


def episode(made: Environment, choose: Any) -> float:
    """The reward of an episode; ``choose`` (number of the choice, mask) says the option."""
    _, info = made.reset()
    number, ended, reward = 0, False, 0.0
    while not ended:
        option = choose(number, info["action_mask"])
        _, reward, ended, _, info = made.step(option)
        number += 1
    return float(reward)


def random_agent(made: Environment, episodes: int, seed: int) -> list[float]:
    made.action_space.seed(seed)
    return [episode(made, lambda _, mask: made.action_space.sample(mask)) for _ in range(episodes)]


def learning_agent(made: Environment, episodes: int, seed: int) -> list[float]:
    """REINFORCE (Williams, Machine Learning 1992) with a table of logits and a moving baseline."""
    rng = np.random.default_rng(seed)
    logits = np.zeros((len(SIZES), max(SIZES)))
    rewards: list[float] = []
    gradient = np.zeros_like(logits)
    baseline = 0.0

    def choose(number: int, mask: Floats) -> int:
        chances = np.exp(logits[number]) * mask
        chances /= chances.sum()
        option = int(rng.choice(len(chances), p=chances))
        gradient[number] = -chances
        gradient[number, option] += 1
        return option

    for _ in range(episodes):
        rewards.append(episode(made, choose))
        baseline = rewards[0] if len(rewards) == 1 else 0.9 * baseline + 0.1 * rewards[-1]
        logits += 0.1 * (rewards[-1] - baseline) * gradient
    return rewards


def test_an_agent_that_learns_beats_one_that_does_not() -> None:
    made = environment(SPACE, {"bad": bad})
    for seed in range(3):
        learnt = learning_agent(made, 400, seed)
        chance = random_agent(made, 400, seed)
        assert np.mean(learnt[-100:]) > np.quantile(chance, 0.9)


def test_the_search_does_not_wait_for_gymnasium() -> None:
    code = "import sys, nas.search; assert 'gymnasium' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_without_gymnasium_the_command_to_get_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "nas.search.environment")
    monkeypatch.setitem(sys.modules, "gymnasium", None)
    with pytest.raises(SearchError, match=r"pip install 'nas-loop\[gym\]'"):
        import nas.search.environment  # noqa: F401
