"""What is known of a search while it goes on, against what is known at its end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from nas.live.picture import line, picture
from nas.live.progress import Looked, Progress
from nas.search import nondominated
from nas.search.problem import Problem
from nas.search.searcher import Floats
from nas.terminal import duration
from search_spaces.space import Space
from tests.nas.tiny import tiny

LIMIT = 60.0


@pytest.fixture(scope="module")
def space() -> Space:
    return tiny()


@dataclass
class Begun:
    """As much of a study as is looked at, after ``n`` of its evaluations."""

    problem: Problem
    every: Floats
    n: int = 0

    def values(self, numbers: slice) -> Floats:
        return self.every[: self.n][numbers]

    @property
    def feasible(self) -> np.ndarray:
        return (self.problem.violations(self.every[: self.n]) <= 0).all(axis=1)

    def after(self, n: int) -> Any:
        self.n = n
        return self


def begun(space: Space, n: int, objectives: int, limit: float = LIMIT) -> Begun:
    names = ("error", "ms", "macs")[:objectives]
    values = np.random.default_rng(objectives).uniform(1, 100, (n, objectives))
    return Begun(Problem(space, names, {"error": limit}), values)


@pytest.mark.parametrize("objectives", [1, 2, 3])
def test_looks_add_up_to_the_studys_own_front(space: Space, objectives: int) -> None:
    study, progress = begun(space, 120, objectives), Progress()
    looks = [progress.look(study.after(n), n, 120, float(n)) for n in (30, 60, 60, 90, 120)]
    last = looks[-1]
    assert last.front is not None
    assert last.names == ("error", "ms", "macs")[:objectives]
    within = study.every[study.every[:, 0] <= LIMIT]
    expected = {tuple(row) for row in within[nondominated(within)].tolist()}
    assert {tuple(row) for row in last.front.tolist()} == expected
    assert last.feasible == len(within)
    assert list(last.volumes) == sorted(last.volumes) and len(last.volumes) > 1
    grown = [look.evaluations for look in looks if look.grew == look.evaluations]
    assert grown and grown[-1] == last.grew


def test_the_reference_point_is_not_the_first_network_alone(space: Space) -> None:
    study, progress = begun(space, 60, 2, limit=1000.0), Progress()
    for number in range(1, 61):
        looked = progress.look(study.after(number), number, 60, float(number))
    # Below the worst of the first twenty and a tenth of their range, counted on a fine grid.
    low, high = study.every[:20].min(axis=0), study.every[:20].max(axis=0)
    worst = high + 0.1 * (high - low)
    grid = np.stack(np.meshgrid(*(np.linspace(0, w, 400) for w in worst)), -1).reshape(-1, 2)
    dominated = (study.every[:, None] <= grid[None]).all(-1).any(0).mean()
    assert looked.volumes[-1] == pytest.approx(dominated * worst.prod(), rel=0.02)
    assert len(looked.volumes) == 60 and list(looked.volumes) == sorted(looked.volumes)


def test_a_search_without_a_feasible_network_has_no_front(space: Space) -> None:
    looked = Progress().look(begun(space, 10, 2, limit=0.5).after(10), 10, 40, 1.0)
    assert looked.front is None and looked.feasible == 0
    assert "no network within error 0.5 so far" in picture("search", looked, 80)
    assert line("search", looked) == (
        "search: 10/40 evaluations; no network within error 0.5 so far"
    )


def test_speed_is_that_of_the_last_seconds(space: Space) -> None:
    study, progress = begun(space, 20, 2).after(20), Progress()
    progress.begin(5000, 0.0)  # What an earlier call had done.
    assert progress.look(study, 5100, 9000, 1.0).speed == pytest.approx(100)
    looked = progress.look(study, 5150, 9000, 2.0)
    assert looked.speed == pytest.approx(75)
    assert looked.left_s == pytest.approx(3850 / 75)
    for second in range(3, 40):
        looked = progress.look(study, 5150 + 10 * (second - 2), 9000, float(second))
    assert looked.speed == pytest.approx(10, rel=0.05), "what was faster is long ago"


def looked(objectives: int, **changes: object) -> Looked:
    front = np.array([[7.0, 1.0, 30.0], [5.0, 2.0, 20.0], [3.0, 4.0, 25.0]])[:, :objectives]
    if objectives == 1:
        front = front[-1:]
    known = {
        "evaluations": 1200,
        "budget": 5000,
        "seconds": 2.0,
        "speed": 600.0,
        "names": ("error", "latency_ms", "macs")[:objectives],
        "limits": (("latency_ms", 5.0),),
        "front": front,
        "volumes": (1.0, 2.0),
        "grew": 1100,
        "feasible": 900,
    }
    return Looked(**{**known, **changes})  # type: ignore[arg-type]


def test_the_picture_says_all_of_it() -> None:
    said = picture("search, round 2", looked(2), 100)
    first, state, within, *chart = said.splitlines()
    assert first == (
        "search, round 2  ━━━━━━╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌  1,200/5,000 evaluations, 600 a second, 6 s left"
    )
    assert state == "front of 3 networks, hypervolume 2, grew last at 1,100  ▁█"
    assert within == "900 networks within latency_ms 5"
    assert "error" in chart[0] and "latency_ms" in chart[-1]
    assert chart[1].startswith("7 ") and chart[-1].split()[0] == "1"


@pytest.mark.parametrize("columns", [40, 60, 80, 120])
@pytest.mark.parametrize("budget", [50_000, None])
def test_the_time_left_is_seen(columns: int, budget: int | None) -> None:
    large = looked(2, evaluations=2600, budget=budget, speed=16_965.0, until_s=600.0)
    first = picture("search, round 1", large, columns).splitlines()[0]
    assert len(first) <= columns and f"{duration(large.left_s or 0)} left" in first
    assert "a second" in first or columns < 80
    assert "━" in first or "╌" in first or columns < 80


@pytest.mark.parametrize("objectives", [1, 2, 3])
@pytest.mark.parametrize("columns", [10, 40, 80, 200])
@pytest.mark.parametrize("plain", [True, False])
def test_a_picture_fits_the_terminal(objectives: int, columns: int, plain: bool) -> None:
    said = picture("search", looked(objectives), columns, plain=plain)
    assert all(len(row) <= columns for row in said.splitlines())
    assert len(said.splitlines()) <= 20
    assert said.isascii() or not plain


def test_one_and_three_objectives_are_told_in_words() -> None:
    assert "least error: 3\n" in picture("search", looked(1), 80) + "\n"
    rows = picture("search", looked(3), 100).splitlines()
    assert rows[-3:] == [
        "least error: 3 (latency_ms 4, macs 25)",
        "least latency_ms: 1 (error 7, macs 30)",
        "least macs: 20 (error 5, latency_ms 2)",
    ]


@pytest.mark.parametrize(
    ("budget", "until_s", "left_s", "done"),
    [
        (5000, None, 3800 / 600, 0.24),
        (None, 8.0, 6.0, 0.25),
        (5000, 8.0, 6.0, 0.25),  # Whichever comes first.
        (5000, 80.0, 3800 / 600, 0.24),
        (1000, 1.0, 0.0, 1.0),
        (None, None, None, None),
    ],
)
def test_what_is_left(
    budget: int | None, until_s: float | None, left_s: float | None, done: float | None
) -> None:
    found = looked(2, budget=budget, until_s=until_s)
    assert found.left_s == (None if left_s is None else pytest.approx(left_s))
    assert found.done == (None if done is None else pytest.approx(done))


def test_a_search_without_a_number_to_reach_has_no_bar_and_no_end() -> None:
    endless = looked(2, budget=None)
    assert endless.left_s is None
    first = picture("search", endless, 100).splitlines()[0]
    assert first == "search  1,200 evaluations, 600 a second"
    assert line("search", endless) == (
        "search: 1,200 evaluations, 600 a second; front of 3 networks, hypervolume 2, "
        "grew last at 1,100"
    )
