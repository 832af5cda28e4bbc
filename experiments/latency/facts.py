"""What of the way to measure matters: computed from the samples that one campaign left.

    python experiments/latency/facts.py TABLE [-o facts.json]

TABLE is one that `accuracy.py` wrote (OUT/table.json), of a built-in space: it holds all times of
every visit, and hundreds of networks that its fit did not see. Nothing is measured. Says

- how much repeating the same networks differs, the two halves of the campaign against each other,
  if a visit counts by its minimum or by its median, at the pace of the references or as it came;
- how well latencies by each of the four are ranked alike in both halves;
- how far off the table is, and how often its 90% intervals hold, if the networks of its fit are
  chosen D-optimally, D-optimally one of each stratum of time (as campaigns do), or at random: as
  many as it has, from half of all its networks, drawn some times, on those that were not chosen.
  Campaigns choose from networks that are uniform over choices; about half of these are spread over
  MACs.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import kendalltau

from latency_lut import LatencyTable, space_in
from latency_lut.build import fit_resolution
from latency_lut.design import d_optimal, strata
from latency_lut.plans import guessed
from latency_lut.populations import network_name
from latency_lut.table import Network
from latency_lut.windows import paces, usual
from search_spaces.errors import ArtefactError
from search_spaces.files import write_atomic

DRAWS = 20
ESTIMATES: dict[str, Callable[[Sequence[float]], float]] = {"minimum": min, "median": np.median}

Floats = np.ndarray[Any, np.dtype[np.float64]]
Integers = np.ndarray[Any, np.dtype[np.int64]]


def halves(
    table: LatencyTable, of_visit: Callable[[Sequence[float]], float], paced: bool
) -> Floats:
    """The median over the visits of each half of the campaign: [networks, 2] ms."""
    pace = np.ones(len(table.windows))
    if paced:
        pace = np.sqrt(paces(table.windows, usual(table.windows)).prod(axis=1))
    visits: dict[str, list[float]] = {
        network_name(one.resolution, one.row): [] for one in table.networks
    }
    for window, slowness in zip(table.windows, pace, strict=True):
        for visit in window.visits:
            if visit.model in visits:
                visits[visit.model].append(of_visit(visit.times_ms) / slowness)
    middle = [len(ms) // 2 for ms in visits.values()]
    return np.array(
        [
            (np.median(ms[:half]), np.median(ms[-half:]))
            for ms, half in zip(visits.values(), middle, strict=True)
        ]
    )


def repeating(table: LatencyTable) -> dict[str, dict[str, float]]:
    """By way of estimating: the median difference of halves, and their Kendall's tau."""
    found = {}
    for name, of_visit in ESTIMATES.items():
        for paced in (True, False):
            ms = halves(table, of_visit, paced)
            differ = np.median(np.abs(ms[:, 0] - ms[:, 1]) / ms.mean(axis=1))
            found[f"{name}, {'at the pace' if paced else 'as it came'}"] = {
                "halves differ by": float(differ),
                "kendall": float(kendalltau(ms[:, 0], ms[:, 1]).statistic),
            }
    return found


def judged(table: LatencyTable, side: int, networks: Sequence[Network]) -> dict[str, Any]:
    """A fit of those that are ``fitted``, on the others; bias by thirds of their measured time."""
    space = table.space
    image = next(one for one in space.images if one.shape[-1] == side)
    fitted, found = fit_resolution(space, space.reachable(image), table.entries, networks)
    assert found is not None
    unseen = [one for one in networks if not one.fitted]
    ms = np.array([one.latency.latency_ms for one in unseen])
    predicted = replace(table, fits={side: fitted}).predict(np.array([one.row for one in unseen]))
    thirds = np.array_split(np.argsort(ms), 3)
    return {
        "mape": found.mape,
        "coverage_90": found.coverage_90,
        "bias": found.bias,
        "bias by thirds": [float((predicted[part] / ms[part] - 1).mean()) for part in thirds],
    }


def choosing(table: LatencyTable, side: int, rng: np.random.Generator) -> dict[str, Any]:
    """The error of fits whose networks are chosen from half of all in each way, on the others."""
    space = table.space
    here = [one for one in table.networks if one.resolution == side]
    n = sum(one.fitted for one in here)
    image = next(one for one in space.images if one.shape[-1] == side)
    design, prior = guessed(space, space.reachable(image), [one.row for one in here])
    guess_ms = design @ prior.mean_ms

    def free(half: Integers) -> Integers:
        return d_optimal(design[half], prior, np.arange(len(half)))[:n]

    def stratified(half: Integers) -> Integers:
        return d_optimal(design[half], prior, strata(guess_ms[half], n))

    def random(half: Integers) -> Integers:
        return np.arange(n)

    found: dict[str, Any] = {"networks": n}
    pools = [rng.permutation(len(here))[: len(here) // 2] for _ in range(DRAWS)]
    for name, choose in (
        ("D-optimal", free),
        ("D-optimal, one of each stratum of time", stratified),
        ("random", random),
    ):
        draws = []
        for half in pools:
            seen = set(half[choose(half)].tolist())
            networks = [replace(one, fitted=i in seen) for i, one in enumerate(here)]
            draws.append(judged(table, side, networks))
        means = {key: np.mean([one[key] for one in draws], axis=0).tolist() for key in draws[0]}
        found[name] = {**means, "worst mape": max(one["mape"] for one in draws)}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("table", type=Path)
    parser.add_argument("-o", "--out", type=Path, help="a JSON file; else it is only printed")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    space = space_in(options.table)
    if space is None:
        raise ArtefactError(f"{options.table}: the table is of a space that is not built in")
    table = LatencyTable.load(options.table, space)
    rng = np.random.default_rng(options.seed)
    found = {
        "when": table.campaign.when,
        "fingerprint": table.fingerprint.to_dict(),
        "repeating": repeating(table),
        "choosing": {str(side): choosing(table, side, rng) for side in table.fits},
    }
    text = json.dumps(found, indent=1)
    print(text)
    if options.out:
        write_atomic(options.out, text + "\n")


if __name__ == "__main__":
    main()
