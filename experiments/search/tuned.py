"""What was tried for searchers that know one number, where a front is asked of them.

    python experiments/search/tuned.py DATA/nas-bench-macro_cifar10.json [--seeds 20] [-o FILE]

``ga``, ``ageing`` and ``cma-es`` search NAS-Bench-Macro for error and MACs, 200 evaluations, with
other constants than those of their files, beside random search. Hypervolume in percent of the exact
front's, mean over seeds with a 95% interval (Student). It is the error of single trainings
(``run=0``), and seeds that ``macro.py`` does not use, so that what is chosen here is judged there.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"  # Before anything that reads it.

import argparse
import itertools
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

import numpy as np
from curves import Benchmark, search
from scipy.stats import t

from nas.search.searchers import ageing, cmaes, genetic

sys.path.append(str(Path(__file__).parents[1] / "speed"))
from timing import machine, save

EVALUATIONS, FIRST_SEED, TRAINING = 200, 100, 0
TRIED: dict[str, tuple[ModuleType, Mapping[str, tuple[float, ...]]]] = {
    "ga": (genetic, {"PARENTS": (1, 2, 4), "SAMPLE": (2, 4, 8)}),
    "ageing": (ageing, {"PART": (4, 8, 16), "SAMPLE_OF_SEVERAL": (1, 2, 4)}),
    "cma-es": (cmaes, {"GENERATIONS": (1, 2, 4), "FIRST": (0.15, 0.25, 0.4)}),
}


def volume(benchmark: Benchmark, name: str, seeds: int) -> dict[str, float]:
    """The mean hypervolume in percent after all evaluations, and half of its interval."""
    runs = [search(benchmark, name, FIRST_SEED + seed, True, EVALUATIONS) for seed in range(seeds)]
    found = 100 * np.array([benchmark.volumes(run)[-1] for run in runs])
    half = t.ppf(0.975, seeds - 1) * found.std(ddof=1) / seeds**0.5
    return {"mean": round(float(found.mean()), 2), "half": round(float(half), 2)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--seeds", type=int, default=20)
    usual = Path(__file__).parent / "results" / "tuned.json"
    parser.add_argument("-o", "--out", type=Path, default=usual)
    args = parser.parse_args()
    benchmark = Benchmark(args.data, TRAINING)
    found = [{"searcher": "random", "constants": {}, **volume(benchmark, "random", args.seeds)}]
    print(found[-1], flush=True)
    for name, (module, constants) in TRIED.items():
        usual_ones = {constant: getattr(module, constant) for constant in constants}
        for values in itertools.product(*constants.values()):
            chosen = dict(zip(constants, values, strict=True))
            for constant, value in chosen.items():
                setattr(module, constant, value)
            one = {"searcher": name, "constants": chosen, **volume(benchmark, name, args.seeds)}
            found.append({**one, "usual": chosen == usual_ones})
            print(found[-1], flush=True)
        for constant, value in usual_ones.items():
            setattr(module, constant, value)
    save(args.out, {"machine": machine(), "seeds": args.seeds, "tried": found})


if __name__ == "__main__":
    main()
