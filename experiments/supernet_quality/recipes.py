"""The recipes that ablations compare."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from compute import of_supernet
from lone import side_by_side

from nas.config import Phase, TrainConfig
from nas.training.schedule import peak
from search_spaces import Space

PARTS = 8
"""Of what is left after the largest network: one for each phase, and the others for the last."""


def shrinking(epochs: int) -> tuple[Phase, ...]:
    """Half of the passes for the largest network, the others for what opens in turn.

    Raises:
        SystemExit: there would be phases without a pass.
    """
    rest = epochs - epochs // 2
    each = rest // PARTS
    if not each:
        raise SystemExit(
            f"progressive shrinking takes {2 * PARTS - 1} epochs or more, so that each of its "
            f"phases has one; got {epochs}: raise --epochs"
        )
    names = ("kernel", "depth", "depth", "expand", "expand")
    return (
        Phase("largest", epochs // 2),
        *(Phase(name, each) for name in names),  # type: ignore[arg-type]
        Phase("width", rest - len(names) * each),
    )


def base(config: TrainConfig) -> TrainConfig:
    """A configuration's recipe, its learning rate that of its first phase, for other phases."""
    rate = peak(config.schedule[0], config)
    return replace(side_by_side(config), learning_rate=rate, weight_decay=config.decay)


def _shrinking(config: TrainConfig, epochs: int, **others: Any) -> TrainConfig:
    return replace(
        config,
        strategy="progressive-shrinking",
        subnets=None,
        stages=1,
        phases=shrinking(epochs),
        **others,
    )


def _sandwich(config: TrainConfig, epochs: int, **others: Any) -> TrainConfig:
    phases = (Phase("all", epochs),)
    return replace(config, strategy="sandwich", phases=phases, **{"stages": 1, **others})


def _frontier(config: TrainConfig, epochs: int, **others: Any) -> TrainConfig:
    return replace(_sandwich(config, epochs, **others), strategy="frontier")


STAGES = 3
"""As many as there are image sizes in ``small-images``."""
LONGER = "progressive shrinking for longer"
VARIANTS: Mapping[str, Callable[[TrainConfig, int], TrainConfig]] = {
    "sandwich": _sandwich,
    "frontier": _frontier,
    "frontier that never settles": functools.partial(_frontier, settled=0),
    "sandwich without distillation": functools.partial(_sandwich, distillation=0.0),
    "progressive shrinking": _shrinking,
    "sandwich in stages": functools.partial(_sandwich, stages=STAGES),
    "sandwich with SGD": functools.partial(
        _sandwich, optimizer="sgd", learning_rate=None, weight_decay=None
    ),
    LONGER: _shrinking,
    "progressive shrinking without distillation": functools.partial(_shrinking, distillation=0.0),
    "progressive shrinking without sorting": functools.partial(_shrinking, sort_channels=False),
}
"""Of a recipe and its passes over the images."""
AGAINST = {
    "frontier instead of the sandwich": ("frontier", "sandwich"),
    "settling": ("frontier", "frontier that never settles"),
    "distillation, in place": ("sandwich", "sandwich without distillation"),
    "sandwich instead of progressive shrinking, as many passes": (
        "sandwich",
        "progressive shrinking",
    ),
    "sandwich instead of progressive shrinking, as much computing": ("sandwich", LONGER),
    "stages": ("sandwich in stages", "sandwich"),
    "the optimizer instead of SGD": ("sandwich", "sandwich with SGD"),
    "distillation, shrinking": (
        "progressive shrinking",
        "progressive shrinking without distillation",
    ),
    "sorting, shrinking": ("progressive shrinking", "progressive shrinking without sorting"),
}
"""What a part brings is the first variant less the second."""


@functools.cache
def passes_of(name: str, space: Space, config: TrainConfig, epochs: int) -> int:
    """How often a variant sees the images: ``epochs`` times.

    Shrinking for longer computes as much as the sandwich does in ``epochs``.
    """
    if name != LONGER:
        return epochs
    sandwich = of_supernet(space, VARIANTS["sandwich"](config, epochs), 1)
    return round(epochs * sandwich / of_supernet(space, _shrinking(config, epochs), 1))
