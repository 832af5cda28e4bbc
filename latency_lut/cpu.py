"""This machine's processor or accelerator, through ONNX Runtime in a fresh process."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from latency_lut import nvidia, worker
from latency_lut.conditions import Conditions
from latency_lut.connection import WorkerConnection, fingerprint_of_worker
from latency_lut.fingerprint import Fingerprint
from latency_lut.interpreter import WORKER, installed
from latency_lut.process import WorkerProcess
from latency_lut.seam import Connection


@dataclass(frozen=True)
class CpuDevice:
    """``threads`` is what a session may use, ``timeout_s`` how long it may take to answer.

    ``provider`` is ONNX Runtime's name of it, with its ``options``; ``memory`` is where inputs and
    outputs lie (``providers.Provider``).
    """

    threads: int = 1
    name: str = "cpu"
    provider: str = "CPUExecutionProvider"
    options: Mapping[str, str] = field(default_factory=dict)
    memory: tuple[str, int] | None = None
    timeout_s: float = 120.0
    command: tuple[str, ...] = WORKER

    def fingerprint(self) -> Fingerprint:
        """This machine (and its card), thread count, provider and runtime.

        Raises ``DeviceError`` where the Python that measures has no onnxruntime.
        """
        machine = worker.machine() if self.command == WORKER else installed(self.command).machine
        card, driver = nvidia.card(self.memory[1]) if self.memory else ("", "")
        if card:
            # The driver is updated like a runtime, and the card stays.
            runtime = f"{machine['runtime']}, driver {driver}"
            machine = {**machine, "cpu": f"{card} in {machine['cpu']}", "runtime": runtime}
        return fingerprint_of_worker(machine, self.name, self.threads, self.provider)

    def conditions(self) -> Conditions:
        """The governor, the temperature and the load of now; clocks and power of a card."""
        card = nvidia.conditions(self.memory[1]) if self.memory else {}
        return {**worker.conditions(), **card}

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """A fresh worker."""
        with WorkerProcess(self.command, self.name, self.timeout_s, self.threads) as process:
            process.send(
                {
                    "threads": self.threads,
                    "provider": self.provider,
                    "options": dict(self.options),
                    "memory": self.memory,
                }
            )
            process.receive("ready")
            yield WorkerConnection(process)
