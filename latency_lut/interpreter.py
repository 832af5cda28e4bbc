"""Which Python runs the measuring process of this machine, and what onnxruntime has there.

The packages ``onnxruntime``, ``onnxruntime-gpu`` and ``onnxruntime-openvino`` cannot be installed
side by side. So each lives in an environment of its own, whose Python ``NAS_LOOP_PYTHON`` names.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from latency_lut import worker
from latency_lut.errors import DeviceError
from latency_lut.process import WorkerProcess

VARIABLE = "NAS_LOOP_PYTHON"
WORKER = (sys.executable, worker.__file__)
TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Installed:
    """A machine as ``worker.machine`` says it, and the providers of its onnxruntime."""

    machine: Mapping[str, Any]
    providers: tuple[str, ...]


def worker_command() -> tuple[str, ...]:
    """What starts a measuring process on this machine."""
    other = os.environ.get(VARIABLE)
    # -I, because that Python must not see the packages that PYTHONPATH names for this one.
    return (other, "-I", worker.__file__) if other else WORKER


@functools.cache
def installed(command: tuple[str, ...]) -> Installed:
    """Ask the Python of ``command``, once. Raises ``DeviceError`` where it has no onnxruntime."""
    try:
        with WorkerProcess(command, command[0], TIMEOUT_S, 1) as process:
            process.send({"about": "providers"})
            answer = process.receive("providers")
    except DeviceError as error:
        raise DeviceError(
            f"{error}; {VARIABLE} names the Python of an environment with NumPy and onnxruntime"
        ) from error
    return Installed(dict(answer["machine"]), tuple(answer["providers"]))
