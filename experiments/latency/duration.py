"""How long tables take that users ask for: whole commands, whole networks included.

    python experiments/latency/duration.py [-o FILE]

Claims: the table of one resolution of ofa-mobilenetv3 takes at most 4 minutes, of five at most 15,
and writing its models as ONNX, once each, a tenth of that. Exits with 1 if one falls short. Leave
the machine quiet.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

import search_spaces
from latency_lut import plan_table
from search_spaces.files import write_atomic

SPACE = "ofa-mobilenetv3"
WRITING = 0.1
CASES = {(224,): 240.0, (128, 160, 176, 192, 224): 900.0}


def writing_s(resolutions: tuple[int, ...]) -> float:
    """Seconds for writing all models of such a table as ONNX."""
    plans = plan_table(search_spaces.get(SPACE), np.random.default_rng(0), resolutions)
    began = time.monotonic()
    for model in plans.models:
        model.content()
    return time.monotonic() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--out", type=Path, default=Path(__file__).with_suffix(".json"))
    options = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for resolutions, most in CASES.items():
        asked = [word for side in resolutions for word in ("--resolution", str(side))]
        with tempfile.TemporaryDirectory() as folder:
            table = Path(folder) / "cpu.json"
            command = [sys.executable, "-m", "nas.cli", "measure", "--space", SPACE, *asked,
                       "-o", str(table), "--json"]  # fmt: skip
            began = time.monotonic()
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
            seconds = time.monotonic() - began
        if done.returncode:
            sys.exit(f"FALLS SHORT: nas measure ended with {done.returncode}, see above")
        told = json.loads(done.stdout)
        wrote = writing_s(resolutions)
        rows.append({"resolutions": resolutions, "seconds": round(seconds, 1), "most_s": most,
                     "writing_s": round(wrote, 1),
                     "held_out_mape": told["held_out_mape"], "costs_mape": told["costs_mape"],
                     "fingerprint": told["fingerprint"]})  # fmt: skip
        verdict = "holds" if seconds <= most else "FALLS SHORT"
        print(f"{verdict}: {len(resolutions)} resolution(s) in {seconds:.0f} s, at most {most:.0f}")
        verdict = "holds" if wrote <= WRITING * seconds else "FALLS SHORT"
        print(f"{verdict}: ONNX is written in {wrote:.1f} s, at most {WRITING * seconds:.0f}")
    document = {"command": " ".join(sys.argv), "space": SPACE, "cases": rows}
    write_atomic(options.out, json.dumps(document, indent=1) + "\n")
    slow = [r["seconds"] > r["most_s"] or r["writing_s"] > WRITING * r["seconds"] for r in rows]
    sys.exit(any(slow))


if __name__ == "__main__":
    main()
