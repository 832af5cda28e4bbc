"""This machine's processor, through ONNX Runtime in a fresh process."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from latency_lut import worker
from latency_lut.conditions import Conditions
from latency_lut.connection import WorkerConnection, fingerprint_of_worker
from latency_lut.fingerprint import Fingerprint
from latency_lut.process import WorkerProcess
from latency_lut.seam import Connection

WORKER = (sys.executable, worker.__file__)


@dataclass(frozen=True)
class CpuDevice:
    """``threads`` is what a session may use, ``timeout_s`` how long it may take to answer."""

    threads: int = 1
    name: str = "cpu"
    provider: str = "CPUExecutionProvider"
    timeout_s: float = 120.0
    command: tuple[str, ...] = WORKER

    def fingerprint(self) -> Fingerprint:
        """This machine, thread count, provider and runtime."""
        return fingerprint_of_worker(worker.machine(), self.name, self.threads, self.provider)

    def conditions(self) -> Conditions:
        """The governor, the temperature and the load of now."""
        return worker.conditions()

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """A fresh worker."""
        with WorkerProcess(self.command, self.name, self.timeout_s, self.threads) as process:
            process.send({"threads": self.threads, "provider": self.provider})
            process.receive("ready")
            yield WorkerConnection(process)
