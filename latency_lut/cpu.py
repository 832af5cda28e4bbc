"""This machine's processor or accelerator, through ONNX Runtime in a fresh process."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeGuard

from latency_lut import nvidia, worker
from latency_lut.errors import DeviceError
from latency_lut.fingerprint import Fingerprint
from latency_lut.interpreter import WORKER, installed
from latency_lut.process import WorkerProcess
from latency_lut.seam import Connection, Loaded, Model, Sample

VISIT_S = 0.001


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
        card = nvidia.card(self.memory[1]) if self.memory else ""
        return Fingerprint(
            device=self.name,
            cpu=f"{card} in {machine['cpu']}" if card else machine["cpu"],
            cores=machine["cores"],
            system=machine["system"],
            threads=self.threads,
            provider=self.provider,
            runtime=machine["runtime"],
        )

    def conditions(self) -> dict[str, str]:
        """Clocks, temperature and power of an NVIDIA card at this moment."""
        return nvidia.conditions(self.memory[1]) if self.memory else {}

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """A fresh worker and a temporary folder through which models reach it."""
        with (
            tempfile.TemporaryDirectory(prefix="nas-loop-") as folder,
            WorkerProcess(self.command, self.name, self.timeout_s, self.threads) as process,
        ):
            process.send(
                {
                    "threads": self.threads,
                    "provider": self.provider,
                    "options": dict(self.options),
                    "memory": self.memory,
                }
            )
            process.receive("ready")
            yield CpuConnection(process, Path(folder))


@dataclass(frozen=True)
class CpuConnection:
    """See ``seam.Connection``."""

    process: WorkerProcess
    folder: Path

    def load(
        self, models: Iterable[Model], warmup_s: float = 0.02, describe: bool = True
    ) -> Iterator[Loaded]:
        """Send each model through the folder, one file at a time."""
        path = self.folder / "model.onnx"
        for model in models:
            try:
                path.write_bytes(model.content())
            except OSError as error:
                raise DeviceError(
                    f"{self.process.name}: model {model.name!r} cannot be written to {path} "
                    f"({error.strerror}); make room, or point TMPDIR elsewhere"
                ) from error
            self.process.send(
                {
                    "load": model.name,
                    "path": str(path),
                    "shapes": {name: list(shape) for name, shape in model.shapes.items()},
                    "warmup_s": warmup_s,
                    "describe": describe,
                }
            )
            try:
                answer = self.process.receive("loaded")
            except DeviceError as error:
                raise DeviceError(f"{error} (loading model {model.name!r})") from error
            yield self._loaded(model, answer)

    def _loaded(self, model: Model, answer: dict[str, Any]) -> Loaded:
        try:
            memory = answer["memory_bytes"]
            return Loaded(
                model.name,
                {str(name): int(count) for name, count in answer["operators"].items()},
                float(answer["run_ms"]),
                None if memory is None else int(memory),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DeviceError(
                f"{self.process.name}: a loaded model has operators, run_ms and memory_bytes; "
                f"the measuring process sent {str(answer)[:200]}"
            ) from error

    def time(self, visits: Sequence[str], runs: int) -> Iterator[Sample]:
        """Ask for all visits at once, hand on the samples as they come."""
        self.process.send({"time": list(visits), "runs": runs, "visit_s": VISIT_S})
        for name in visits:
            answer = self.process.receive("sample")
            times = answer.get("ms")
            if (
                not isinstance(times, list)
                or answer["sample"] != name
                or not _are_times(times, runs)
            ):
                raise DeviceError(
                    f"{self.process.name}: {runs} or more times above 0 were due for {name!r}; "
                    f"the measuring process sent {str(answer)[:200]}"
                )
            yield Sample(name, tuple(times))


def _are_times(times: object, runs: int) -> TypeGuard[list[float]]:
    return (
        isinstance(times, list)
        and len(times) >= runs
        and all(isinstance(t, float) and math.isfinite(t) and t > 0 for t in times)
    )
