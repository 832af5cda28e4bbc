"""Which proxies the default combines, and how: decided on development networks alone.

    python experiments/predictors/choice.py [--out FOLDER]

Nine sets of two to four proxies, each combined by average of ranks, by product of ranks and by
vote, on the 100 development networks of ``proxies.py`` as they were scored. The sets: the four of
the first default; those without one or two of them; those with grad_norm in place of fisher, and
with AZ-NAS's trainability; NASWOT beside one other, and beside NTK and fisher. Of each Spearman
with the accuracies that the benchmark's authors trained; of a thousand samples with replacement the
95% interval of its difference from the first default (the average of ranks), the share in which it
is above it, and the share in which it is the best of all.

The rule: members stay as they are, unless the interval of another set is above 0; of the three ways
to combine these members, the one with the largest correlation is taken. How much of that is luck:
in each sample the rule chooses a way anew, which is judged on the networks that are not in it.

Writes FOLDER/choice.json. The networks of ``final`` are not read.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))
from proxies import RESAMPLES, Floats, known_scores, networks

from predictors import ranks
from predictors.proxies import combine
from search_spaces.files import write_atomic
from search_spaces.nas_bench_macro import genotypes

FIRST = ("naswot", "swap", "fisher", "jacob_cov")
SETS = (
    FIRST,
    ("naswot", "fisher", "jacob_cov"),
    ("naswot", "swap", "fisher"),
    ("naswot", "fisher"),
    ("naswot", "jacob_cov"),
    ("naswot", "az_trainability"),
    ("naswot", "fisher", "jacob_cov", "az_trainability"),
    ("naswot", "swap", "grad_norm", "jacob_cov"),
    ("naswot", "ntk", "fisher"),
)
WAYS: dict[str, Callable[[Floats], Floats]] = {
    "rank average": combine.rank_average,
    "rank product": combine.rank_product,
    "vote": combine.vote,
}
Candidate = tuple[tuple[str, ...], str]
BEFORE: Candidate = FIRST, "rank average"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "proxies")
    parser.add_argument(
        "--data", type=Path, default=Path(os.environ.get("NAS_LOOP_DATA", "../shared/data"))
    )
    options = parser.parse_args()
    bench = json.loads((options.data / "nas-bench-macro_cifar10.json").read_text(encoding="utf-8"))
    done = known_scores(options.out / "development.jsonl")
    names = genotypes(networks("development", len(done)))
    accuracy = np.array([bench[name]["mean_acc"] for name in names])
    values: dict[Candidate, Floats] = {}
    for members, (way, combine_by) in itertools.product(SETS, WAYS.items()):
        table = np.array([[done[name]["scores"][proxy] for proxy in members] for name in names])
        values[members, way] = combine_by(table)
    rng = np.random.default_rng(0)
    draws = rng.integers(0, len(names), (RESAMPLES, len(names)))
    again = {
        key: np.array([ranks.spearman(of[draw], accuracy[draw]) for draw in draws])
        for key, of in values.items()
    }
    best = np.argmax(np.stack(list(again.values())), axis=0)
    results = []
    for number, (key, of) in enumerate(values.items()):
        above = again[key] - again[BEFORE]
        results.append(
            {
                "proxies": key[0],
                "way": key[1],
                "spearman": ranks.spearman(of, accuracy),
                "kendall": ranks.kendall(of, accuracy),
                "above_first_95": np.quantile(above, (0.025, 0.975)).tolist(),
                "share_above_first": float((above > 0).mean()),
                "share_best": float((best == number).mean()),
            }
        )
    ways = [(FIRST, way) for way in WAYS]
    chosen = np.argmax(np.stack([again[key] for key in ways]), axis=0)
    gains = []
    for draw, number in zip(draws, chosen, strict=True):
        left = np.setdiff1d(np.arange(len(names)), draw)
        by_rule, before = (
            ranks.spearman(values[key][left], accuracy[left]) for key in (ways[number], BEFORE)
        )
        gains.append(by_rule - before)
    document = {
        "part": "development",
        "networks": len(names),
        "candidates": results,
        "rule": {
            "members": FIRST,
            "chosen": max(ways, key=lambda key: ranks.spearman(values[key], accuracy))[1],
            "share_chosen": {
                way: float((chosen == number).mean()) for number, way in enumerate(WAYS)
            },
            "gain_on_those_left_out": float(np.mean(gains)),
        },
    }
    write_atomic(options.out / "choice.json", json.dumps(document, indent=1) + "\n")
    for one in sorted(results, key=lambda one: -one["spearman"]):
        less, more = one["above_first_95"]
        print(
            f"{one['way']:13} {one['spearman']:.4f}, above the first default {less:+.4f} to "
            f"{more:+.4f}, in {one['share_above_first']:.0%}; the best in {one['share_best']:.0%}: "
            f"{', '.join(one['proxies'])}"
        )
    print(document["rule"])


if __name__ == "__main__":
    main()
