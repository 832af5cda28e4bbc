"""A campaign on a device out of reach, from an unpacked bundle.

There it has ``plan.json``, the folder ``models``, those of our modules that it imports, and
Python 3.9 with NumPy and onnxruntime. Samples are kept in the folder ``samples`` as they come; what
comes back is one file, ``results.json``.
"""

from __future__ import annotations

import functools
import hashlib
import json
import sys
import time
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from latency_lut.agreement import HALVES, differ, settle
from latency_lut.campaign import Effort, Progress, kept
from latency_lut.conditions import described, remarks
from latency_lut.cpu import CpuDevice
from latency_lut.errors import DeviceError
from latency_lut.journal import Journal
from latency_lut.seam import Device, Model
from search_spaces.errors import ArtefactError, NasLoopError
from search_spaces.files import write_atomic

PLAN, MODELS, SAMPLES, RESULTS = "plan.json", "models", "samples", "results.json"
FORMAT, VERSION = "nas-loop results of a bundle", 2
DEVICE = "bundle"
INTERVAL_S = 10.0


def digest(document: Any) -> str:
    """The SHA-256 of a JSON document, whatever its layout in a file."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def run(folder: Path, device: Device | None = None) -> Path:
    """Measure what the plan in ``folder`` asks for, or go on with it; returns the results' file.

    ``device`` is by default this machine's processor, as the plan asks for it.

    Raises:
        ArtefactError: the bundle is damaged, or its samples are of another machine or bundle.
        DeviceError: the machine cannot measure; what was measured is kept.
    """
    plan = _plan(folder)
    device = device or CpuDevice(plan["threads"], DEVICE, plan["provider"])
    here = device.fingerprint()
    if not plan["threads"] <= here.cores:
        raise DeviceError(
            f"the bundle asks for {plan['threads']} threads, this machine has {here.cores} cores; "
            "make one for fewer threads"
        )
    belongs = {"bundle": digest(plan), "fingerprint": here.to_dict()}
    with closing(_journal(folder, belongs)) as journal:
        models = [_model(folder, one) for one in plan["models"]]
        networks = [one["name"] for one in plan["models"] if one["network"]]
        references = [_model(folder, one) for one in plan["references"]]
        effort = Effort(plan["rounds"], plan["runs"], plan["legs"])
        before = device.conditions()
        for remark in remarks(before):
            _say(f"note: {remark}")
        done = kept(models, journal, effort.rounds)
        _say(
            f"{len(models)} models, {done} of {effort.rounds * len(models)} visits done; leave the "
            "machine quiet (interrupt at will, the same command goes on)"
        )
        rng = np.random.default_rng([plan["seed"], len(journal.windows)])
        effort = settle(
            device, models, networks, effort, rng, journal, _Lines().tell, references=references
        )
        conditions = {"before": before, "after": device.conditions()}
        results = {
            "format": FORMAT,
            "version": VERSION,
            "bundle": digest(plan),
            "plan": plan,
            "fingerprint": here.to_dict(),
            "when": time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime()),
            "seconds": round(journal.seconds, 1),
            "rounds": effort.rounds,
            "conditions": conditions,
            "loaded": [asdict(one) for one in journal.loaded.values()],
            "windows": [asdict(window) for window in journal.windows],
        }
        write_atomic(folder / RESULTS, json.dumps({**results, "sha256": digest(results)}) + "\n")
    _say(f"conditions after it: {described(conditions['after'])}")
    apart = differ(journal.windows, networks, effort.rounds, rng)
    if apart > HALVES:
        _say(
            f"noisy: the halves of the campaign differ by {apart:.1%}, more than the {HALVES:.0%} "
            f"that a table may. Stop what else runs, delete {folder / SAMPLES} and run again"
        )
    return folder / RESULTS


def _plan(folder: Path) -> dict[str, Any]:
    try:
        plan = json.loads((folder / PLAN).read_text(encoding="utf-8"))
        return dict(plan)
    except (OSError, ValueError, TypeError) as error:
        raise ArtefactError(
            f"{folder / PLAN} cannot be read ({error}); unpack the bundle again"
        ) from error


def _journal(folder: Path, header: dict[str, Any]) -> Journal:
    journal = Journal(folder / SAMPLES)
    found = journal.header()
    if found is None:
        journal.begin(header)
        return journal
    journal.resume()
    if found != header:
        what = "bundle" if found.get("bundle") != header["bundle"] else "machine or runtime"
        raise ArtefactError(
            f"{folder / SAMPLES}: the samples there are of another {what}; delete that folder to "
            "start anew"
        )
    return journal


def _model(folder: Path, one: dict[str, Any]) -> Model:
    content = functools.partial(_content, folder / MODELS / one["file"], one["sha256"])
    shapes = {name: tuple(shape) for name, shape in one["shapes"].items()}
    return Model(one["name"], content, shapes, one["size"], one["guess_ms"])


def _content(path: Path, sha256: str) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ArtefactError(f"{path}: {error.strerror}; unpack the bundle again") from error
    if hashlib.sha256(content).hexdigest() != sha256:
        raise ArtefactError(f"{path} is not as it was bundled; unpack the bundle again")
    return content


class _Lines:
    """A line on progress now and then."""

    def __init__(self) -> None:
        self.last = time.monotonic()

    def tell(self, progress: Progress) -> None:
        if time.monotonic() - self.last >= INTERVAL_S:
            self.last = time.monotonic()
            left = progress.seconds_left / 60
            _say(f"{progress.done}/{progress.total} visits, about {left:.0f} min left")


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def main(folder: Path) -> None:
    """Run the bundle in ``folder``: exit 0, 2 with one line, or 130 when interrupted."""
    try:
        results = run(folder)
    except KeyboardInterrupt:
        _say("interrupted; what was measured is kept, the same command goes on from there")
        sys.exit(130)
    except NasLoopError as error:
        _say(" ".join(str(error).split()))
        sys.exit(2)
    _say(f"wrote {results}; take it back to `nas measure ... --import {results.name}`")
