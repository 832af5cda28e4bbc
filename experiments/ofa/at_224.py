"""From published weights to three measured files: table, search, export, profile, on the clock.

    python experiments/ofa/at_224.py --weights OFA_STATE_DICT [--space ofa-mobilenetv3] [-o RUN]

Runs the commands as a user types them, one thread, resolution 224, no images (a search by the
proxy macs), for budgets at 0.35, 0.6 and 0.85 of the way from the smallest to the largest
network's predicted latency. Claims: table, three searches and three exports take at most 600 s in
all, and every exported file is measured (`nas profile`, at the pace of the table) within 3% of its
prediction.

With ``--width W`` and no ``--weights`` fresh random weights of that width stand in for published
ones: latency does not depend on their values. Exits with 1 if a claim falls short.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

import search_spaces
from latency_lut import LatencyTable
from nas.config import Config, SpaceConfig
from nas.jobs.outside import IMAGENET
from nas.jobs.trained import TrainedRun
from nas.run import Run
from nas.weights import save_supernet
from search_spaces.files import write_atomic

SHARES = (0.35, 0.6, 0.85)
MOST_S, MOST_OFF = 600, 0.03
SIDE = 224


def nas(*arguments: object) -> tuple[Mapping[str, Any], float]:
    """What a command says with ``--json``, and the seconds that it took."""
    began = time.monotonic()
    command = [sys.executable, "-m", "nas.cli", *map(str, arguments), "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    return json.loads(done.stdout), time.monotonic() - began


def fresh(space: str, width: float, out: Path) -> None:
    """A run of random weights."""
    config = Config(data=None, space=SpaceConfig(space, (SIDE,), {"width": width}))
    run = Run.create(out, config, resume=False)
    supernet = search_spaces.get(space, resolutions=(SIDE,), width=width).supernet()
    names = tuple(map(str, range(1000)))
    save_supernet(run.supernet, supernet, IMAGENET, names, "", f"random weights of width {width}")


def budgets(run: Path) -> list[float]:
    """Between the ends of the space, as the table predicts them."""
    space = TrainedRun(Run.open(run)).space
    table = LatencyTable.load(Run(run).latency("cpu"), space)
    low, high = table.predict(np.stack([space.smallest, space.largest]))
    return [float(f"{low + share * (high - low):.3g}") for share in SHARES]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--space", default="ofa-mobilenetv3")
    parser.add_argument("--width", type=float, default=1.0, help="not for ofa-resnet50")
    parser.add_argument("-o", "--out", type=Path, help="a new run folder; else one that is removed")
    parser.add_argument("--results", type=Path, help="a JSON file; else it is only printed")
    options = parser.parse_args()
    if options.out:
        whole_job(options, options.out)
    else:
        with tempfile.TemporaryDirectory() as folder:
            whole_job(options, Path(folder) / "run")


def whole_job(options: argparse.Namespace, run: Path) -> None:
    """All commands, what they took, and the claims."""
    began = time.monotonic()
    if options.weights:
        nas("import-ofa", options.weights, "--space", options.space, "--resolution", SIDE,
            "--out", run)  # fmt: skip
    else:
        fresh(options.space, options.width, run)
    table, measured_s = nas("measure", run)
    rows = []
    for budget in budgets(run):
        out = run / f"{budget:g}ms"
        front, searched_s = nas("search", run, "--latency-ms", budget, "--proxy", "macs", "-o", out)
        best = front["points"][front["best"]]
        file = out / "best.onnx"
        _, exported_s = nas("export", run, "--architecture", out / "best.json", "-o", file)
        rows.append({"budget_ms": budget, "predicted_ms": best["predicted_latency_ms"],
                     "searched_ms": best["latency_ms"], "macs": best["macs"], "file": str(file),
                     "search_s": searched_s, "export_s": exported_s})  # fmt: skip
    total = time.monotonic() - began
    for row in rows:
        profile, profiled_s = nas("profile", row["file"], "--table", run)
        row["profiled_ms"], row["profile_s"] = profile["latency_ms"], profiled_s
        row["off"] = row["profiled_ms"] / row["predicted_ms"] - 1
        print(
            f"budget {row['budget_ms']:.3g} ms: predicted {row['predicted_ms']:.3f}, measured "
            f"{row['searched_ms']:.3f} in the search and {row['profiled_ms']:.3f} as a file "
            f"({row['off']:+.1%}, at most {MOST_OFF:.0%})"
        )
    print(f"import, table, searches and exports: {total:.0f} s (at most {MOST_S})")
    document = {
        "space": options.space,
        "weights": options.weights.name if options.weights else f"random, width {options.width}",
        "seconds": round(total, 1),
        "measure_s": round(measured_s, 1),
        "held_out_mape": table["held_out_mape"],
        "fingerprint": table["fingerprint"],
        "rows": rows,
    }
    if options.results:
        write_atomic(options.results, json.dumps(document, indent=1) + "\n")
    sys.exit(total > MOST_S or any(abs(row["off"]) > MOST_OFF for row in rows))


if __name__ == "__main__":
    main()
