"""The problem of a search as a Gymnasium environment, for those who bring an agent of their own.

After Krishnan et al., "ArchGym: An Open-Source Gymnasium for Machine Learning Assisted Architecture
Design" (ISCA 2023): an action is a design decision, an observation what is known of the design, and
the reward comes from its objectives, so that any agent can be compared with any searcher. Needs the
extra ``gym``; nothing else in ``nas.search`` does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nas.search.problem import Function, Problem, SearchError, state
from nas.search.searcher import Floats, Rows
from nas.search.session import Session
from nas.search.study import Study
from search_spaces.space import Space
from search_spaces.unknown import unknown

try:
    import gymnasium
    from gymnasium import spaces
except ImportError as missing:
    raise SearchError(
        f"nas.search.environment needs Gymnasium, which is not installed here ({missing}); run "
        "`pip install 'nas-loop[gym]'`"
    ) from missing

Evaluate = Callable[[Rows], Floats]
"""Canonical rows [n, choices] to values [n, names] in the order of ``Problem.names``.

NaN where a network has none. Whoever evaluates also remembers: equal rows may be asked for again.
"""


@dataclass(frozen=True)
class Reward:
    """What a network is worth to an agent; more is better.

    The weighted sum of its objectives, negative, because those are minimised; less ``penalty``
    times the shares by which it is above its limits, summed. Choose weights that make objectives
    of like size: ``{"error": 1, "macs": 1e-8}``.

    Attributes:
        weights: by the objectives' names; 1 for those that are not there.
        penalty: for a limit that is exceeded by all of itself. With an error in percent, 100 sets
            a percent of the limit against a percent of error.
        failed: the reward of a network that has no values.
    """

    weights: Mapping[str, float] = field(default_factory=dict)
    penalty: float = 100.0
    failed: float = -1000.0

    def __call__(self, problem: Problem, values: Floats) -> float:
        """The reward for values [names].

        Raises ``SearchError`` where a weight is of no objective.
        """
        for name in self.weights:
            if name not in problem.objectives:
                raise SearchError(unknown("objective with a weight", name, problem.objectives))
        if not np.isfinite(values).all():
            return self.failed
        weights = [self.weights.get(name, 1.0) for name in problem.objectives]
        objectives = problem.objective_values(values[None])[0]
        excess = np.maximum(problem.violations(values[None])[0], 0).sum()
        return float(-(objectives @ np.array(weights)) - self.penalty * excess)


class Environment(gymnasium.Env[dict[str, npt.NDArray[Any]], Any]):
    """An episode is one network: it is evaluated when all its choices are made, and that ends it.

    **Actions.** One option for each choice, one after another in the order of ``space.choices``:
    ``Discrete`` with as many actions as the largest choice has options. A choice with fewer counts
    them around (action 4 of 3 options is option 1); ``info["action_mask"]`` says which to use
    instead, as ``action_space.sample(mask)`` takes it. With ``whole`` an episode has a single step,
    whose action is a whole row (``MultiDiscrete``). Options that the network does not read change
    nothing, since rows become canonical before they are evaluated.

    **Observations.** ``row``: 0 for what is not chosen, else the option plus 1, [choices].
    ``values``: those of the last network that was evaluated, in the order of ``problem.names``;
    zeros before the first, and where it had none.

    **Rewards.** 0 until the last choice, then ``reward(problem, values)``.

    **Info.** After the last choice ``row`` (canonical), ``objectives``, ``constraints``,
    ``feasible``, or ``failed`` for a network without values.
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012

    def __init__(
        self,
        problem: Problem,
        evaluate: Evaluate,
        *,
        reward: Callable[[Problem, Floats], float] | None = None,
        whole: bool = False,
        study: Study | None = None,
        end: Callable[[], None] | None = None,
    ) -> None:
        """``evaluate`` is asked about one row at a time, when an episode ends.

        ``study`` is what it evaluates into, if it does; ``end`` is called by ``close``.
        """
        self.problem = problem
        self.study = study
        self._end = end
        self._evaluate = evaluate
        self._reward = Reward() if reward is None else reward
        self._whole = whole
        self._sizes = np.array([len(choice.values) for choice in problem.space.choices])
        self._chosen: list[int] = []
        self._values = np.zeros(len(problem.names))
        self.action_space: Any = (
            spaces.MultiDiscrete(self._sizes) if whole else spaces.Discrete(int(self._sizes.max()))
        )
        self.observation_space: Any = spaces.Dict(
            {
                "row": spaces.MultiDiscrete(self._sizes + 1),
                "values": spaces.Box(-np.inf, np.inf, (len(problem.names),), np.float64),
            }
        )

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, npt.NDArray[Any]], dict[str, Any]]:
        """Begin a network. The environment draws nothing: ``seed`` is for those who ask it to."""
        super().reset(seed=seed)
        self._chosen = []
        if seed is not None:
            self._values = np.zeros(len(self.problem.names))
        return self._observation(), self._mask()

    def step(
        self, action: Any
    ) -> tuple[dict[str, npt.NDArray[Any]], float, bool, bool, dict[str, Any]]:
        """Make a choice, or all of them; observation, reward, whether it ended, False, info.

        Raises:
            SearchError: the episode is over, or the action is none; whatever ``evaluate`` raises.
        """
        if len(self._chosen) == len(self._sizes):
            raise SearchError("the network is complete; call reset() to begin the next")
        if not self.action_space.contains(action):
            raise SearchError(f"an action is one of {self.action_space}; got {action!r}")
        if self._whole:
            self._chosen = [int(option) for option in action]
        else:
            self._chosen.append(int(action) % int(self._sizes[len(self._chosen)]))
        if len(self._chosen) < len(self._sizes):
            return self._observation(), 0.0, False, False, self._mask()
        row = self.problem.space.canonical(np.array([self._chosen], dtype=np.int64))
        values = np.asarray(self._evaluate(row.copy()), dtype=np.float64)
        if values.shape != (1, len(self.problem.names)):
            raise SearchError(
                f"evaluate returns values [rows, {len(self.problem.names)}], of "
                f"{', '.join(self.problem.names)}; got shape {values.shape} for one row"
            )
        good = bool(np.isfinite(values).all())
        self._values = values[0] if good else np.zeros(values.shape[1])
        reward = self._reward(self.problem, values[0])
        told = {"row": tuple(row[0].tolist()), "failed": not good, **self._told(values, good)}
        return self._observation(), reward, True, False, {**self._mask(), **told}

    def close(self) -> None:
        """Let go of what evaluates."""
        if self._end is not None:
            self._end()

    def _told(self, values: Floats, good: bool) -> dict[str, Any]:
        if not good:
            return {}
        named = dict(zip(self.problem.names, values[0].tolist(), strict=True))
        return {
            "objectives": {name: named[name] for name in self.problem.objectives},
            "constraints": {name: named[name] for name in self.problem.limits},
            "feasible": bool((self.problem.violations(values) <= 0).all()),
        }

    def _observation(self) -> dict[str, npt.NDArray[Any]]:
        row = np.zeros(len(self._sizes), dtype=np.int64)
        row[: len(self._chosen)] = np.array(self._chosen, dtype=np.int64) + 1
        return {"row": row, "values": self._values.copy()}

    def _mask(self) -> dict[str, Any]:
        """Which actions are options of the next choice, int8 [actions]; after the last, none is."""
        if self._whole:
            return {}
        done = len(self._chosen)
        options = self._sizes[done] if done < len(self._sizes) else 0
        return {"action_mask": (np.arange(self.action_space.n) < options).astype(np.int8)}


def environment(
    space: Space,
    objectives: Mapping[str, Function],
    constraints: Mapping[str, float] | None = None,
    *,
    functions: Mapping[str, Function] | None = None,
    path: str | Path | None = None,
    belongs: Mapping[str, str] | None = None,
    reward: Callable[[Problem, Floats], float] | None = None,
    whole: bool = False,
) -> Environment:
    """The environment of what ``nas.search.minimize`` is asked: objectives, limits, functions.

    Every network is evaluated once, into ``environment.study`` and into the study's file where
    there is a ``path``, as ``minimize`` has it; ``close`` lets go of the file.

    Raises:
        SearchError: no objective, or a constraint that no function evaluates.
        ArtefactError: the file belongs to another search.
    """
    problem, known = state(space, objectives, constraints or {}, functions or {})
    session = Session(problem, known, "agent", path=path, belongs=belongs)
    return Environment(
        problem,
        session.evaluate,
        reward=reward,
        whole=whole,
        study=session.study,
        end=session.close,
    )
