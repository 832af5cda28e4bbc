"""This machine's processor, through ONNX Runtime in a fresh process."""

from __future__ import annotations

import math
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

from latency_lut import worker
from latency_lut.errors import DeviceError
from latency_lut.fingerprint import Fingerprint
from latency_lut.process import WorkerProcess
from latency_lut.seam import Connection, Loaded, Model, Sample

# -P keeps the worker's folder off the module path, where our file names would hide others'.
WORKER = (sys.executable, "-P", worker.__file__)
VISIT_S = 0.001


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
        machine = worker.machine()
        return Fingerprint(
            device=self.name,
            cpu=machine["cpu"],
            cores=machine["cores"],
            system=machine["system"],
            threads=self.threads,
            provider=self.provider,
            runtime=machine["runtime"],
        )

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """A fresh worker and a temporary folder through which models reach it."""
        with (
            tempfile.TemporaryDirectory(prefix="nas-loop-") as folder,
            WorkerProcess(self.command, self.name, self.timeout_s, self.threads) as process,
        ):
            process.send({"threads": self.threads, "provider": self.provider})
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
