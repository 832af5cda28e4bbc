"""The seam: a proxy names the pass that it needs, and turns what the pass saw into a number."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from predictors.proxies.batch import Batch, checked
from predictors.proxies.errors import NotApplicableError
from predictors.proxies.scratch import scratch

FLOOR = -1e18
"""The score of a network whose numbers overflow: worse than any that could be computed."""

Pass = Callable[[nn.Module, Batch, torch.Generator, Set[str]], Any]
"""Runs a network on a batch and returns a record of what it saw.

It gets a copy of the network that is its own (``scratch``): in evaluation mode, all weights
requiring gradients, free to be changed. What it draws it draws from the generator. Last come the
parts of the record that proxies ask for: a pass may leave out what costs time and is not asked for.
"""


@dataclass(frozen=True)
class Proxy:
    """A score of an untrained network; a larger one is taken for better.

    Attributes:
        needs: the pass; proxies that name the same function share one run of it.
        read: the score, from the record of that pass. Pure, and quick beside the pass. Where a
            published value spans orders of magnitude this is its logarithm.
        parts: fields of the record that are filled only for those who ask.
        version: of the formula, of its pass too: to be raised when scores become others.
    """

    needs: Pass
    read: Callable[[Any], float]
    parts: tuple[str, ...] = ()
    version: int = 1

    def __call__(self, model: nn.Module, batch: tuple[Tensor, Tensor], *, seed: int = 0) -> float:
        """The score of one network on images and labels; see ``score``."""
        return run({"": self}, model, checked(model, *batch), seed)[""]


def run(
    proxies: Mapping[str, Proxy],
    model: nn.Module,
    batch: Batch,
    seed: int,
    *,
    lenient: bool = False,
) -> dict[str, float]:
    """The score by each proxy, all of which need the same pass.

    A score is finite: ``FLOOR`` where the network's numbers overflow. ``lenient`` leaves out
    proxies that do not apply to the network.
    """
    (needs,) = {proxy.needs for proxy in proxies.values()}
    asked = {part for proxy in proxies.values() for part in proxy.parts}
    found = {}
    with scratch(model, seed, needs) as mine:
        record = needs(mine, batch, torch.Generator().manual_seed(seed), asked)
        with torch.no_grad():
            for name, proxy in proxies.items():
                try:
                    value = float(proxy.read(record))
                except NotApplicableError:
                    if not lenient:
                        raise
                    continue
                found[name] = max(value, FLOOR) if math.isfinite(value) else FLOOR
    return found
