"""How long tables take that users ask for: whole commands, whole networks included.

    python experiments/latency/duration.py [-o duration.json]

Claims: the table of one resolution of ofa-mobilenetv3 takes at most 4 minutes, of five at most 15.
Exits with 1 if one falls short. Leave the machine quiet.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from search_spaces.files import write_atomic

SPACE = "ofa-mobilenetv3"
CASES = {(224,): 240.0, (128, 160, 176, 192, 224): 900.0}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--out", type=Path)
    options = parser.parse_args()
    rows = []
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
        rows.append({"resolutions": resolutions, "seconds": round(seconds, 1), "most_s": most,
                     "held_out_mape": told["held_out_mape"], "costs_mape": told["costs_mape"],
                     "fingerprint": told["fingerprint"]})  # fmt: skip
        verdict = "holds" if seconds <= most else "FALLS SHORT"
        print(f"{verdict}: {len(resolutions)} resolution(s) in {seconds:.0f} s, at most {most:.0f}")
    if options.out:
        write_atomic(options.out, json.dumps({"space": SPACE, "cases": rows}, indent=1) + "\n")
    sys.exit(any(row["seconds"] > row["most_s"] for row in rows))


if __name__ == "__main__":
    main()
