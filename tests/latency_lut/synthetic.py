"""A device that pretends, with times that are known, and a space small enough to enumerate."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import numpy as np
import onnx

from latency_lut.conditions import Conditions
from latency_lut.errors import DeviceError
from latency_lut.fingerprint import Fingerprint
from latency_lut.seam import Connection, Loaded, Model, Sample
from search_spaces.choices import choice, one_of
from search_spaces.net import Net
from search_spaces.space import Space
from search_spaces.specs import Classifier, Conv, FusedMBConv, MBConv

RUN_MS = 0.005
NODE_MS = 0.002
MACS_PER_MS = 1e7


def tiny_space(resolutions: tuple[int, ...] = (16, 24)) -> Space:
    """512 rows at each resolution."""
    net = Net(image=(3, choice("resolution", *resolutions)))
    net("stem", Conv, out=16, stride=2, act="h_swish")
    for name, block, widths in (("a", FusedMBConv, (16, 32)), ("b", MBConv, (32, 48))):
        depth, out = choice(f"{name}.depth", 1, 2), choice(f"{name}.width", *widths)
        for i in range(2):
            net(
                f"{name}.{i}",
                block,
                out=out,
                expand=one_of(1, 2),
                kernel=one_of(3, 5),
                stride=1 if i else 2,
                act="h_swish",
                when=depth > i,
            )
    net("classifier", Classifier, classes=10)
    return Space(net, "tiny")


def every_row(space: Space) -> np.ndarray:
    options = [range(len(choice.values)) for choice in space.choices]
    return np.unique(space.canonical(np.array(list(itertools.product(*options)))), axis=0)


def true_ms(content: bytes, spill_ms_per_mb: float = 0.0, cache_mb: float = math.inf) -> float:
    """A run, a price for each node and MAC, and for each MB of weights beyond the cache."""
    model = onnx.shape_inference.infer_shapes(onnx.load_model_from_string(content))
    shapes = {
        value.name: [d.dim_value for d in value.type.tensor_type.shape.dim]
        for value in (*model.graph.value_info, *model.graph.output)
    }
    weights = {constant.name: constant for constant in model.graph.initializer}
    macs = 0.0
    for node in model.graph.node:
        if node.op_type in ("Conv", "Gemm"):
            pixels = np.prod(shapes[node.output[0]][2:])
            macs += float(np.prod(weights[node.input[1]].dims) * pixels)
    megabytes = sum(4e-6 * float(np.prod(w.dims)) for w in weights.values())
    ms = RUN_MS + NODE_MS * len(model.graph.node) + macs / MACS_PER_MS
    return ms + spill_ms_per_mb * max(0.0, megabytes - cache_mb)


@dataclass
class SyntheticDevice:
    """``noise`` is by how much disturbances slow a run down, ``pace`` the n-th run's slowness.

    ``dies_after`` is the number of visits after which every connection breaks, for ever.
    """

    noise: float = 0.0
    pace: Callable[[int], float] = lambda run: 1.0
    cost: Callable[[bytes], float] = true_ms
    seed: int = 0
    threads: int = 1
    dies_after: float = math.inf
    name: str = "synthetic"
    visits: list[str] = field(default_factory=list)
    connections: int = 0
    runs: int = 0
    known: dict[str, float] = field(default_factory=dict)

    def fingerprint(self) -> Fingerprint:
        return replace(
            Fingerprint("synthetic", "none", 1, "test", 1, "none", "none"), threads=self.threads
        )

    def conditions(self) -> Conditions:
        return {"governor": "performance", "celsius": None, "load": 0.5}

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        self.connections += 1
        yield SyntheticConnection(self, np.random.default_rng(self.seed + self.connections))


@dataclass
class SyntheticConnection:
    device: SyntheticDevice
    rng: np.random.Generator
    loaded: set[str] = field(default_factory=set)

    def load(
        self,
        models: Iterable[Model],
        warmup_s: float = 0.02,
        describe: bool = True,
        energy_s: float = 0.0,
    ) -> Iterator[Loaded]:
        for model in models:
            if model.name not in self.device.known:
                try:
                    self.device.known[model.name] = self.device.cost(model.content())
                except Exception as error:
                    raise DeviceError(f"model {model.name!r}: {error}") from error
            self.loaded.add(model.name)
            yield Loaded(model.name, {"Conv": 1}, self.device.known[model.name], 1000)

    def time(self, visits: Sequence[str], runs: int) -> Iterator[Sample]:
        for name in visits:
            if name not in self.loaded:
                raise DeviceError(f"model {name!r} was not loaded")
            if len(self.device.visits) >= self.device.dies_after:
                raise DeviceError("the connection is cut")
            self.device.visits.append(name)
            times = []
            for _ in range(runs):
                slow = self.device.pace(self.device.runs)
                self.device.runs += 1
                jitter = math.exp(self.device.noise * abs(float(self.rng.normal())))
                times.append(self.device.known[name] * slow * jitter)
            yield Sample(name, tuple(times))
