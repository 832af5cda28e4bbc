"""Timing models in a worker process, wherever that runs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from latency_lut.errors import DeviceError
from latency_lut.fingerprint import Fingerprint
from latency_lut.process import WorkerProcess
from latency_lut.seam import Loaded, Model, Sample

VISIT_S = 0.001


def fingerprint_of_worker(
    machine: Mapping[str, Any], device: str, threads: int, provider: str
) -> Fingerprint:
    """The fingerprint of a device from what a worker says of its machine (``worker.machine``)."""
    return Fingerprint(
        device=device,
        cpu=machine["cpu"],
        cores=machine["cores"],
        system=machine["system"],
        threads=threads,
        provider=provider,
        runtime=machine["runtime"],
    )


@dataclass(frozen=True)
class WorkerConnection:
    """See ``seam.Connection``."""

    process: WorkerProcess

    def load(
        self,
        models: Iterable[Model],
        warmup_s: float = 0.02,
        describe: bool = True,
        energy_s: float = 0.0,
    ) -> Iterator[Loaded]:
        """Send each model after its request; the next is made while the device loads."""
        coming = iter(models)
        model = next(coming, None)
        content = b"" if model is None else model.content()
        while model is not None:
            request = {
                "load": model.name,
                "bytes": len(content),
                "shapes": {name: list(shape) for name, shape in model.shapes.items()},
                "warmup_s": warmup_s,
                "describe": describe,
                "energy_s": energy_s,
            }
            with _naming(model):
                self.process.send(request, content)
            following = next(coming, None)
            content = b"" if following is None else following.content()
            with _naming(model):
                answer = self.process.receive("loaded")
            yield self._loaded(model, answer)
            model = following

    def _loaded(self, model: Model, answer: dict[str, Any]) -> Loaded:
        try:
            memory, energy = answer["memory_bytes"], answer.get("energy_mj")
            return Loaded(
                model.name,
                {str(name): int(count) for name, count in answer["operators"].items()},
                float(answer["run_ms"]),
                None if memory is None else int(memory),
                None if energy is None else float(energy),
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
            times = _times(answer.get("ms"), runs)
            if answer["sample"] != name or times is None:
                raise DeviceError(
                    f"{self.process.name}: {runs} or more times above 0 were due for {name!r}; "
                    f"the measuring process sent {str(answer)[:200]}{_jumped(answer.get('ms'))}"
                )
            yield Sample(name, times)


@contextmanager
def _naming(model: Model) -> Iterator[None]:
    try:
        yield
    except DeviceError as error:
        raise DeviceError(f"{error} (loading model {model.name!r})") from error


def _jumped(sent: object) -> str:
    if isinstance(sent, list) and any(isinstance(t, float) and t <= 0 for t in sent):
        return "; its clock jumped back, run the same command again"
    return ""


def _times(sent: object, runs: int) -> tuple[float, ...] | None:
    if not isinstance(sent, list) or len(sent) < runs:
        return None
    fine = all(isinstance(t, float) and math.isfinite(t) and t > 0 for t in sent)
    return tuple(sent) if fine else None
