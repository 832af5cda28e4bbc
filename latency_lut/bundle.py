"""A campaign to carry to a device out of reach: one zip with models, worker and schedule."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from latency_lut import offline
from latency_lut.campaign import Effort
from latency_lut.plans import Plans
from latency_lut.references import references
from latency_lut.seam import Model
from search_spaces.files import atomic_path

FORMAT, VERSION = "nas-loop bundle", 1
ROOT = Path(__file__).resolve().parents[1]
# What a campaign imports of ours; nothing else is on the device.
MODULES = (
    "latency_lut/agreement.py",
    "latency_lut/arrays.py",
    "latency_lut/campaign.py",
    "latency_lut/conditions.py",
    "latency_lut/connection.py",
    "latency_lut/cpu.py",
    "latency_lut/errors.py",
    "latency_lut/fingerprint.py",
    "latency_lut/interpreter.py",
    "latency_lut/journal.py",
    "latency_lut/latency.py",
    "latency_lut/nvidia.py",
    "latency_lut/offline.py",
    "latency_lut/process.py",
    "latency_lut/seam.py",
    "latency_lut/windows.py",
    "latency_lut/worker.py",
    "search_spaces/errors.py",
    "search_spaces/files.py",
)
# The first of ours that is imported, before anything that an old Python cannot read.
CHECK = """\
import importlib.util
import sys

if sys.version_info < (3, 9):
    sys.exit("Python 3.9 or newer is needed; this is %d.%d" % sys.version_info[:2])
for name in ("numpy", "onnxruntime"):
    if importlib.util.find_spec(name) is None:
        sys.exit(name + " is needed: " + sys.executable + " -m pip install numpy onnxruntime")
"""
RUN = """\
from pathlib import Path

from latency_lut.offline import main

main(Path(__file__).resolve().parent)
"""
README = """\
Latencies of {models} models on the device that this is unpacked on, {threads} thread(s).

The device needs Python 3.9 or newer with NumPy and onnxruntime. Stop what else runs there, then

    python3 run.py

Interrupted, it goes on when it is started again. Take results.json back, and where the bundle was
made run `nas measure (RUN | --space NAME) --import results.json --name NAME-OF-THE-DEVICE`.
"""
# So that the same campaign makes the same file.
LONG_AGO = (1980, 1, 1, 0, 0, 0)


def bundle_bytes(plans: Plans) -> int:
    """About how large the bundle of ``plans`` will be."""
    return sum(model.size + (1 << 12) for model in plans.models) + (1 << 20)


def write_bundle(
    path: Path, plans: Plans, effort: Effort, threads: int, provider: str, seed: int
) -> str:
    """Write the bundle of a campaign; returns its identity, which results have to name.

    Raises ``NasLoopError`` if the disk is full; nothing is left then.
    """
    with atomic_path(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        networks = set(plans.network_names)
        document = {
            "format": FORMAT,
            "version": VERSION,
            "space": {"name": plans.space.name, "identity": plans.space.identity},
            "networks": plans.document(),
            **asdict(effort),
            "threads": threads,
            "provider": provider,
            "seed": seed,
            "references": list(_added(archive, "reference", references(), networks)),
            "models": list(_added(archive, "model", plans.models, networks)),
        }
        # As JSON gives it back: tuples are lists there.
        document = json.loads(json.dumps(document))
        _add(archive, offline.PLAN, json.dumps(document, indent=1))
        _add(archive, "README.txt", README.format(models=len(plans.models), threads=threads))
        _add(archive, "run.py", RUN)
        for name in MODULES:
            _add(archive, name, (ROOT / name).read_bytes())
        _add(archive, "latency_lut/__init__.py", CHECK)
        _add(archive, "search_spaces/__init__.py", "")
    return offline.digest(document)


def _added(
    archive: zipfile.ZipFile, kind: str, models: tuple[Model, ...], networks: set[str]
) -> Iterator[dict[str, Any]]:
    for number, model in enumerate(models):
        content = model.content()
        file = f"{kind}-{number:04d}.onnx"
        _add(archive, f"{offline.MODELS}/{file}", content)
        yield {
            "name": model.name,
            "file": file,
            "sha256": hashlib.sha256(content).hexdigest(),
            "shapes": {name: list(shape) for name, shape in model.shapes.items()},
            "size": model.size,
            "guess_ms": model.guess_ms,
            "network": model.name in networks,
        }


def _add(archive: zipfile.ZipFile, name: str, content: str | bytes) -> None:
    # Stored as they are: random weights do not become smaller, and the rest is next to nothing.
    entry = zipfile.ZipInfo(name, LONG_AGO)
    entry.external_attr = 0o644 << 16
    archive.writestr(entry, content)
