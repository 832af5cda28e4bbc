"""Does the default predictor have the members that it should have?

    python experiments/predictors/members.py NAS_BENCH_MACRO.json [--run RUN] [--seeds 10] [-o FILE]

The stack of `auto` as it is, without each of its members, and with each other predictor of the
catalogue as one more: on the data of ``benchmark.py``, fitted on the same draws, and judged on the
networks that are left over. NAS_BENCH_MACRO.json has the published accuracies of the benchmark's
networks; RUN is a run whose subnets were measured.

Writes how much each stack's measures are above those of `auto`: means over draws of the difference
within a draw, and halves of 95% intervals (Student's). One thread; fits that are done are kept in
FILE, so that the same command goes on, and one with more seeds adds to them.
"""

from __future__ import annotations

import os

os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")

import argparse
import dataclasses
import functools
import itertools
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.append(str(Path(__file__).resolve().parents[1] / "speed"))
from benchmark import Data, above, benchmark, row_of, subnets, tables_of
from timing import machine

from predictors import USUAL, Predictor
from predictors.auto import MEMBERS, stack
from predictors.catalogue import METHODS, READERS
from predictors.evaluation import Measures, examine
from predictors.fits import Fits, digest
from predictors.method import Floats, Held, Inputs, Method, State
from search_spaces import Space


def stacks(space: Space) -> dict[str, dict[str, Method]]:
    """The members of every stack by its name, that of the default first."""
    others = {name: METHODS[name] for name in METHODS if name not in (USUAL, *MEMBERS)}
    others |= {name: reader(space) for name, reader in READERS.items()}
    left = {f"without {name}": {k: MEMBERS[k] for k in MEMBERS if k != name} for name in MEMBERS}
    return {
        USUAL: MEMBERS,
        **left,
        **{f"with {name}": {**MEMBERS, name: method} for name, method in others.items()},
    }


def stacked(members: Mapping[str, Method], space: Space) -> Method:
    """The stack of them; where one reads plans, the others are shown none."""
    if not any(member.plans for member in members.values()):
        return stack(members)
    slots = len(space.slots)
    shown = {
        name: member if member.plans else without_plans(member, slots)
        for name, member in members.items()
    }
    return dataclasses.replace(stack(shown), plans=True)


def without_plans(method: Method, slots: int) -> Method:
    """The method on all columns but the last ``slots``."""

    def fit(
        Z: Floats, y: Floats, folds: np.ndarray[Any, Any], rng: np.random.Generator
    ) -> tuple[State, Held]:
        return method.fit(Z[:, :-slots], y, folds, rng)

    def predict(state: State, Z: Inputs, std: bool) -> tuple[Floats, Floats]:
        return method.predict(state, Z[:, :-slots], std)

    return Method(fit, predict)


def measure(data: Data, name: str, size: int, seed: int) -> Measures:
    """What a stack says of the networks that it has not seen."""
    method = stacked(stacks(data.space)[name], data.space)
    predictor = Predictor(name, method, data.space, seed=seed)
    found = examine(predictor, data.X, data.accuracy, size, seed)
    print(f"seed {seed}, {data.space.name}, {name}, {size}: {found}", file=sys.stderr)
    return found


def differences(fits: Fits, data: str) -> list[dict[str, Any]]:
    """For each other stack and size, by how much its measures are above the default's."""
    known = fits.known(data)
    return [
        row_of(name, size, above(measures, known[USUAL][size]), digits=6)
        for name, sizes in known.items()
        if name != USUAL
        for size, measures in sorted(sizes.items())
    ]


def show(document: Mapping[str, Any]) -> None:
    """Kendall's tau of every stack, and its difference from the default's."""
    for data, rows in document["tables"].items():
        more = {(row["predictor"], row["samples"]): row for row in document["differences"][data]}
        for row in rows:
            said = f"{data:16} {row['predictor']:14} {row['samples']:4}"
            said += f"  tau {row['mean']['kendall']:.3f}, {row['seeds']} seeds"
            if other := more.get((row["predictor"], row["samples"])):
                mean, half = other["mean"]["kendall"], other["half"]["kendall"]
                said += f", {mean:+.4f}"
                if half is not None:
                    clear = "higher" if mean > half else "lower" if mean < -half else "as auto"
                    said += f" ± {half:.4f} {clear}"
            print(said)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("networks", type=Path)
    parser.add_argument("--run", type=Path)
    parser.add_argument("--seeds", type=int, default=10)
    usual = Path(__file__).parent / "results" / "members.json"
    parser.add_argument("-o", "--out", type=Path, default=usual)
    options = parser.parse_args()
    sets = {"nas-bench-macro": benchmark(options.networks)}
    if options.run:
        sets["run"] = subnets(options.run)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    belongs = {
        name: digest({"space": data.space.identity}, data.X, data.accuracy, {})
        for name, data in sets.items()
    }
    fits = Fits(options.out, belongs)
    # Seed by seed, so that what is interrupted has as many of each.
    for seed, (label, data) in itertools.product(range(options.seeds), sets.items()):
        for name, size in itertools.product(stacks(data.space), data.sizes):
            one = functools.partial(measure, data, name, size, seed)
            fits.measured(label, name, size, seed, one)
    document = fits.document
    document["command"] = shlex.join(["python", *sys.argv])
    document["machine"] = machine()
    document["tables"] = tables_of(fits)
    document["differences"] = {data: differences(fits, data) for data in document["fits"]}
    fits.save()
    show(document)


if __name__ == "__main__":
    main()
