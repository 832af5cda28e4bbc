"""The seam of a device: whoever can time ONNX models is one.

``tests/conformance/test_device.py`` is what an implementation has to pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol

from latency_lut.conditions import Conditions
from latency_lut.fingerprint import Fingerprint


@dataclass(frozen=True)
class Model:
    """A model to time: a unique name, and a function that gives the bytes of its ONNX file.

    The bytes are made when the model is sent to the device, or shortly before, and not kept.
    ``shapes`` are for inputs whose shape the file leaves open. ``size`` (bytes of the file) and
    ``guess_ms`` (of one run) are guesses, to plan a campaign with.
    """

    name: str
    content: Callable[[], bytes]
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    size: int = 1 << 20
    guess_ms: float = 1.0


@dataclass(frozen=True)
class Loaded:
    """A model that is ready to run.

    ``operators`` counts those of the graph as the runtime optimised it, fused activations with
    a plus (``Conv+HardSwish``); empty where the runtime does not tell or nobody asked. ``run_ms``
    is the fastest run of the warm-up, a rough figure. ``memory_bytes`` is by how much the
    process's memory at its peak, while the model was loaded and warmed up, exceeded what it was
    before; None where the system does not tell. ``energy_mj`` is what a run takes in millijoules
    by the counter of the device, idle parts of it included; None where it has no counter, or nobody
    asked.
    """

    model: str
    operators: Mapping[str, int]
    run_ms: float
    memory_bytes: int | None = None
    energy_mj: float | None = None


@dataclass(frozen=True)
class Sample:
    """One visit to a model: the times of its runs in milliseconds, in their order."""

    model: str
    times_ms: tuple[float, ...]

    @property
    def minimum_ms(self) -> float:
        return min(self.times_ms)


class Connection(Protocol):
    """A fresh process on the device. First ``load``, any number of times, then ``time``."""

    def load(
        self,
        models: Iterable[Model],
        warmup_s: float = 0.02,
        describe: bool = True,
        energy_s: float = 0.0,
    ) -> Iterator[Loaded]:
        """Load and warm up each model, at least 5 runs and ``warmup_s`` seconds.

        ``describe`` asks for the optimised graph's operators, which costs memory and a file. Where
        ``energy_s`` is above 0 and the device counts energy, it then runs for as many seconds.

        Raises ``DeviceError`` for a model that the device cannot run, by name.
        """
        ...

    def time(self, visits: Sequence[str], runs: int) -> Iterator[Sample]:
        """One sample for each of ``visits`` (names, in this order), ``runs`` or more runs each.

        A visit begins with an untimed run, because the caches hold the model before. Samples
        come as they are taken. Raises ``DeviceError`` if the device dies, hangs or talks rubbish.
        """
        ...


class Device(Protocol):
    """Something that runs ONNX models, set to one number of threads and one provider."""

    @property
    def name(self) -> str:
        """As ``latency_lut.device`` knows it."""
        ...

    def fingerprint(self) -> Fingerprint:
        """What its times belong to; the same at every call.

        Asked for once where that takes a connection, or where the device comes by itself (a
        browser) and is waited for. Raises ``DeviceError`` if the device cannot be reached.
        """
        ...

    def conditions(self) -> Conditions:
        """What sways its times at the moment; empty where the device tells nothing of the kind.

        Raises ``DeviceError`` if the device cannot be reached.
        """
        ...

    def connect(self) -> AbstractContextManager[Connection]:
        """A fresh process, ended when the block ends. Raises ``DeviceError`` if none starts."""
        ...
