"""What parts of a training bring, from the accuracies of variants and seeds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from recipes import AGAINST
from scipy import stats

Trainings = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""Of each variant and seed: accuracies by way and images, and what it took."""


def residual(means: npt.NDArray[np.float64]) -> tuple[float, int]:
    """Standard deviation of one entry of [variants, seeds] once both effects are taken out, and
    its degrees of freedom.
    """
    variants, seeds = means.shape
    left = means - means.mean(1, keepdims=True) - means.mean(0, keepdims=True) + means.mean()
    freedom = (variants - 1) * (seeds - 1)
    return float(np.sqrt((left**2).sum() / max(1, freedom))), freedom


def brings(
    one: npt.NDArray[np.float64], other: npt.NDArray[np.float64], spread: tuple[float, int]
) -> dict[str, Any]:
    """Mean difference of [seeds] and the half of its 95% interval, in points."""
    deviation, freedom = spread
    found: dict[str, Any] = {
        "mean": round(float((one - other).mean()), 3),
        "by seed": (one - other).round(3).tolist(),
    }
    if freedom:
        half = stats.t.ppf(0.975, freedom) * deviation * (2 / len(one)) ** 0.5
        found["half"] = round(float(half), 3)
    return found


def summary(rows: Trainings, images: str, judged: str = "recalibrated") -> dict[str, Any]:
    """What each part brings to the mean accuracy on ``images``, by what is done.

    ``judged`` are the networks that are drawn, norms recalibrated, or those ``searched``. What
    recalibration and the moving average bring is known of the former alone.
    """

    def means(variant: str, way: str, seeds: Iterable[str]) -> npt.NDArray[np.float64]:
        return np.array([np.mean(rows[variant][seed][way][images]) for seed in seeds])

    several = {variant: set(by_seed) for variant, by_seed in rows.items() if len(by_seed) > 1}
    shared = sorted(set.intersection(*several.values())) if several else []
    table = np.array([means(variant, judged, shared) for variant in several])
    spread = residual(table) if table.size else (0.0, 0)
    found: dict[str, Any] = {"residual": [round(spread[0], 3), spread[1]]}
    for part, (with_it, without) in AGAINST.items():
        seeds = sorted(set(rows.get(with_it, {})) & set(rows.get(without, {})))
        if seeds:
            pair = [means(variant, judged, seeds) for variant in (with_it, without)]
            found[part] = brings(pair[0], pair[1], spread)
    ways = {"recalibration": "as left", "moving average": "not averaged"}
    for part, way in ways.items() if judged == "recalibrated" else ():
        # On the same weights, or weights of the same training: variants and seeds are all alike.
        apart = np.array(
            [
                np.mean(one["recalibrated"][images]) - np.mean(one[way][images])
                for by_seed in rows.values()
                for one in by_seed.values()
                if way in one
            ]
        )
        if len(apart) > 1:
            half = stats.t.ppf(0.975, len(apart) - 1) * apart.std(ddof=1) / len(apart) ** 0.5
            found[part] = {"mean": round(float(apart.mean()), 3), "half": round(float(half), 3)}
            found[part]["trainings"] = len(apart)
    return found


def costs(rows: Trainings) -> dict[str, dict[str, float]]:
    """What a training of each variant takes in the mean over seeds."""
    return {
        variant: {
            name: round(float(np.mean([one[name] for one in by_seed.values()])), 1)
            for name in ("passes", "seconds", "images_per_second", "tera_macs")
        }
        for variant, by_seed in rows.items()
    }
