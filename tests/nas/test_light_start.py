"""Searching on what is known does not wait for PyTorch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import predictors
from nas.header import peek
from search_spaces.files import sha256_of
from tests.nas.conftest import Job
from tests.nas.tiny import ROOT, rows, tiny

BUDGET = 40

# From a table and samples to a front, as a script does it.
SEARCH = """
import json, sqlite3, sys
from pathlib import Path
import nas.search, latency_lut, predictors, nas.header
import numpy as np
from tests.nas.tiny import tiny

space, run = tiny(), Path(sys.argv[1])
assert nas.header.peek(run / "supernet.safetensors").identity == space.identity
table = latency_lut.LatencyTable.load(run / "latency" / "cpu.json", space)
samples = sqlite3.connect(run / "samples.sqlite")
known = samples.execute("SELECT row, accuracy FROM samples").fetchall()
X = np.array([json.loads(row) for row, _ in known])
predictor = predictors.get("auto", space).fit(X, [100 - accuracy for _, accuracy in known])
study = nas.search.minimize(
    space,
    {"error": predictor.predict, "latency_ms": table.predict},
    {"latency_ms": 1.0},
    budget=40,
)
print(json.dumps([len(study), "torch" in sys.modules]))
"""

# The command itself; says how many evaluations there were when PyTorch was first asked for.
COMMAND = """
import sys
from pathlib import Path
from tests.nas.tiny import registered, rows

study, seen = Path(sys.argv[2]) / "study.sqlite", []

class Watch:
    def find_spec(self, name, path=None, target=None):
        if name == "torch":
            seen.append(len(rows(study, "evaluations")))

sys.meta_path.insert(0, Watch())
from nas.cli import main
with registered():
    try:
        main()
    finally:
        print(seen, file=sys.stderr)
"""


def run_in_process(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def test_a_search_by_a_script_never_imports_pytorch(job: Job) -> None:
    done = run_in_process(SEARCH, job.run)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [BUDGET, False]


@pytest.mark.parametrize("guide", [(), ("--proxy", "macs"), ("--predictor", "fitted.npz")])
def test_the_command_imports_pytorch_to_measure_candidates_only(
    run: Path, guide: tuple[str, ...]
) -> None:
    (run / "study.sqlite").unlink()
    if guide:
        (run / "samples.sqlite").unlink()
    if "fitted.npz" in guide:
        weights = run / "supernet.safetensors"
        space, belongs = tiny(), {"weights": sha256_of(weights), "data": peek(weights).data}
        X = space.sample(20, np.random.default_rng(0))
        predictors.get("ridge", space, belongs=belongs).fit(X, X.sum(1)).save(run / "fitted.npz")
        guide = ("--predictor", str(run / "fitted.npz"))
    arguments = ("search", run, "--latency-ms", 1, "--budget", BUDGET, *guide)
    done = run_in_process(COMMAND, *arguments)
    assert done.returncode == 0, done.stderr
    # Who does not say what was predicted is told how it was read.
    assert ("it is read as the error in percent" in done.stderr) == ("--predictor" in guide)
    assert len(rows(run / "study.sqlite", "evaluations")) == BUDGET
    # Other packages look whether PyTorch is there, but import it no earlier than this.
    assert done.stderr.splitlines()[-1] == f"[{BUDGET}]"
