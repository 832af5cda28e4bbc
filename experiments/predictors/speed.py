"""How long does the default take, in every space?

    python experiments/predictors/speed.py [-o FILE]

CPU seconds on one thread, medians of several: fitting 400 samples, and predicting 100,000 networks
with and without deviations. A space's samples are fitted once as they come, with accuracies that
saturate in size, and then asked as if each member of the stack had weight: the most that a
prediction takes. Claims: a fit takes at most 5 s, a prediction at most 1 s. Exits with 1 if one
falls short. CPU time does not depend on who else runs, but for caches and clocks that are shared.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"  # Before anything that reads it.

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import predictors
import search_spaces
from predictors import USUAL, Predictor
from predictors.auto import MEMBERS
from search_spaces import Space

sys.path.append(str(Path(__file__).parents[1] / "speed"))
from timing import machine, save

SAMPLES, NETWORKS = 400, 100_000
MOST_FIT_S, MOST_PREDICT_S = 5.0, 1.0
FITS, PREDICTIONS = 3, 5


def cpu_seconds(work: Callable[[], object], times: int) -> float:
    """The median over so many calls."""
    taken = []
    for _ in range(times):
        began = time.process_time()
        work()
        taken.append(time.process_time() - began)
    return round(statistics.median(taken), 3)


def accuracies(space: Space, X: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Made-up ones in percent: saturating in size, with a taste for decisions, and noise."""
    rng = np.random.default_rng(1)
    size = np.log(space.macs(X)) + 0.5 * np.log(space.parameters(X))
    taste = (X * space.used(X)) @ rng.normal(size=X.shape[1])
    saturated = 40 * np.exp(-(size - np.quantile(size, 0.05)) / 2)
    return 92 - saturated + 0.3 * np.tanh(taste) + 0.2 * rng.normal(size=len(X))


def with_all_members(fitted: Predictor) -> Predictor:
    """The same, asking every member of the stack."""
    fitted._state["weights"] = np.full(len(MEMBERS), 1 / len(MEMBERS))
    return fitted


def timed(name: str) -> dict[str, float]:
    """What the default takes in the space of that name."""
    space = search_spaces.get(name)
    rng = np.random.default_rng(0)
    X, many = space.sample(SAMPLES, rng), space.sample(NETWORKS, rng)
    y = accuracies(space, X)
    fit = cpu_seconds(lambda: predictors.get(USUAL, space).fit(X, y), FITS)
    fitted = with_all_members(predictors.get(USUAL, space).fit(X, y))
    mean = cpu_seconds(lambda: fitted.predict(many), PREDICTIONS)
    both = cpu_seconds(lambda: fitted.predict(many, return_std=True), PREDICTIONS)
    return {"fit_s": fit, "predict_s": mean, "predict_with_std_s": both}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    usual = Path(__file__).parent / "results" / "speed.json"
    parser.add_argument("-o", "--out", type=Path, default=usual)
    out = parser.parse_args().out
    spaces: dict[str, dict[str, float]] = {}
    for name in search_spaces.names():
        spaces[name] = timed(name)
        print(name, spaces[name], flush=True)
    most = {key: max(of[key] for of in spaces.values()) for key in next(iter(spaces.values()))}
    document: dict[str, Any] = {
        "machine": machine(),
        "samples": SAMPLES,
        "networks": NETWORKS,
        "spaces": spaces,
        "most": most,
    }
    save(out, document)
    holds = most["fit_s"] <= MOST_FIT_S
    holds &= max(most["predict_s"], most["predict_with_std_s"]) <= MOST_PREDICT_S
    print(f"{'holds' if holds else 'FALLS SHORT'}: {most}")
    sys.exit(not holds)


if __name__ == "__main__":
    main()
