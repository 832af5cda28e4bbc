"""How much memory do two million evaluated architectures take?

    python experiments/search/memory.py [--searcher random] [--batch 20000] [--stored] [-o FILE]

A fresh process searches ``ofa-mobilenetv3`` at one resolution by MACs and parameters, which are
free, until two million distinct networks are evaluated. Claim: it never holds more than 2 GiB
(peak resident set, as the kernel counts it). Written down is also what it held at each tenth of the
way, so that what grows with evaluations is told from what batches take. Exits with 1 if it falls
short.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"  # Before anything that reads it.

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[1] / "speed"))
from timing import machine, save

EVALUATIONS = 2_000_000
MOST_BYTES = 2 << 30
TENTHS = 10


def peak_bytes() -> int:
    """The most that this process ever held."""
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def searching(args: argparse.Namespace) -> dict[str, Any]:
    """The search, in this process: what it held on the way, and how long it took."""
    import search_spaces
    from nas.search import Step, Study, minimize

    space = search_spaces.get("ofa-mobilenetv3", resolutions=[224])
    held: dict[int, int] = {0: peak_bytes()}

    def observer(study: Study, _: Step) -> None:
        evaluated = len(study)
        if evaluated * TENTHS // args.evaluations > max(held) * TENTHS // args.evaluations:
            held[evaluated] = peak_bytes()

    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        study = minimize(
            space,
            {"macs": space.macs, "parameters": space.parameters},
            searcher=args.searcher,
            budget=args.evaluations,
            batch=args.batch,
            path=Path(folder) / "study.sqlite" if args.stored else None,
            free=("macs", "parameters"),
            observer=observer,
        )
        searched = peak_bytes()
        front = len(study.front())
    return {
        "evaluated": len(study),
        "front": front,
        "seconds": round(time.perf_counter() - began, 1),
        "peak_bytes_at": held,
        "peak_bytes_before_front": searched,
        "peak_bytes": peak_bytes(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    usual = Path(__file__).parent / "results" / "memory.json"
    parser.add_argument("-o", "--out", type=Path, default=usual)
    parser.add_argument("--searcher", default="random")
    parser.add_argument("--batch", type=int, default=20_000)
    parser.add_argument("--evaluations", type=int, default=EVALUATIONS)
    parser.add_argument("--stored", action="store_true", help="into a file of SQLite too")
    parser.add_argument("--here", action="store_true", help="in this process, for itself")
    args = parser.parse_args()
    if args.here:
        print(json.dumps(searching(args)))
        return
    command = [sys.executable, __file__, "--here", *sys.argv[1:]]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    measured: dict[str, Any] = json.loads(told.splitlines()[-1])
    holds = measured["peak_bytes"] <= MOST_BYTES and measured["evaluated"] == args.evaluations
    asked = {key: getattr(args, key) for key in ("searcher", "batch", "evaluations", "stored")}
    save(args.out, {"machine": machine(), **asked, **measured, "holds": holds})
    gib = measured["peak_bytes"] / 2**30
    print(f"{'holds' if holds else 'FALLS SHORT'}: {gib:.2f} GiB for {measured['evaluated']:,}")
    sys.exit(not holds)


if __name__ == "__main__":
    main()
