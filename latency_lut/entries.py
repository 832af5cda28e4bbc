"""What a table is made of: fused blocks in context, each distinct one once."""

from __future__ import annotations

import functools
import math
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np

from latency_lut.latency import Latency
from latency_lut.seam import Loaded, Model
from latency_lut.spill import BYTES_PER_WEIGHT, MB, spill
from search_spaces.specs import LayerSpec, Tensor

CHAIN = 3
LEAST_MS = 1e-4


@dataclass(frozen=True)
class Entry:
    """One block's own time at batch 1, ``ms`` with the standard error ``error_ms``.

    ``block`` is its name (``block_key``). ``models`` are what it was derived from, with
    ``weights_mb`` of weights: (the first - the second) / ``copies``, which is (T3 - T1) / 2 for a
    chain, else T1 - T0. ``operators`` are its share of the optimised graphs, so that a table says
    what it timed; none where the runtime does not tell.
    """

    block: str
    ms: float
    error_ms: float
    models: tuple[str, ...]
    weights_mb: tuple[float, ...]
    copies: int
    operators: Mapping[str, int]

    @property
    def key(self) -> str:
        """All that the time depends on: the block, the batch, and what the runtime made of it."""
        graph = " ".join(f"{n}x{name}" for name, n in self.operators.items())
        return f"{self.block} batch=1 graph=({graph or 'not told'})"

    def spill_mb(self, threshold_mb: float) -> float:
        """The spilled weights whose time is in ``ms``: as ``ms`` itself, by difference."""
        spilled = spill(self.weights_mb, threshold_mb)
        return float(spilled[0] - spilled[1:].sum()) / self.copies


def block_key(spec: LayerSpec) -> str:
    """Everything about a block that its time depends on and that its network says, readable.

    What holds for a whole table (threads, provider, runtime) is in the table's fingerprint; what
    the runtime makes of the block comes with its entry.
    """
    inputs = " ".join(_tensor(tensor) for tensor in spec.inputs)
    rest = [f"{f.name}={getattr(spec, f.name)}" for f in fields(spec) if f.name != "inputs"]
    return f"{type(spec).__name__}({', '.join([inputs, *rest])})"


def _tensor(tensor: Tensor) -> str:
    shape = "x".join(map(str, tensor.shape))
    layout = f":{tensor.layout}" if tensor.layout else ""
    return f"{shape}:{tensor.dtype}:{tensor.bits}{layout}"


def _rng(name: str) -> np.random.Generator:
    # A model's weights follow from its name, so that a resumed campaign times the same file.
    return np.random.default_rng(zlib.crc32(name.encode()))


def _content(name: str, tensor: Tensor, spec: LayerSpec | None, copies: int) -> bytes:
    from search_spaces.onnx import in_context  # The `onnx` package is for measuring only.

    return in_context(tensor, spec, copies, _rng(name)).SerializeToString()


def _model(tensor: Tensor, spec: LayerSpec | None, copies: int) -> Model:
    name = f"{block_key(spec)} x{copies}" if spec else f"adapter {_tensor(tensor)}"
    params, macs = (copies * spec.params, copies * spec.macs) if spec else (0, 0)
    return Model(
        name,
        functools.partial(_content, name, tensor, spec, copies),
        size=BYTES_PER_WEIGHT * params,
        guess_ms=0.01 + macs * 1e-7,
    )


@dataclass(frozen=True)
class Recipe:
    """An entry is (``longer`` - ``shorter``) / ``copies``."""

    longer: Model
    shorter: Model | None
    copies: int = 1

    @property
    def models(self) -> tuple[Model, ...]:
        return (self.longer,) if self.shorter is None else (self.longer, self.shorter)


def recipe(spec: LayerSpec) -> Recipe:
    """How the entry of ``spec`` is measured.

    A layer that stands at the image itself has nothing to subtract: its entry includes what a
    run costs at all, once in every network, and the fit's intercept corrects it.
    """
    from search_spaces.onnx import at_image, chains

    (tensor,) = spec.inputs
    if chains(spec):
        return Recipe(_model(tensor, spec, CHAIN), _model(tensor, spec, 1), CHAIN - 1)
    if at_image(tensor):
        return Recipe(_model(tensor, spec, 1), None)
    return Recipe(_model(tensor, spec, 1), _model(tensor, None, 0))


def models(specs: Iterable[LayerSpec]) -> tuple[Model, ...]:
    """The models of all entries, each once."""
    distinct = {model.name: model for spec in specs for model in recipe(spec).models}
    return tuple(distinct.values())


def entry(spec: LayerSpec, measured: Mapping[str, Latency], loaded: Mapping[str, Loaded]) -> Entry:
    """The entry of ``spec`` from the latencies of its models."""
    how = recipe(spec)
    long = measured[how.longer.name]
    ms, variance = long.latency_ms, long.error_ms**2
    operators: Counter[str] = Counter(loaded[how.longer.name].operators)
    if how.shorter is not None:
        short = measured[how.shorter.name]
        ms, variance = ms - short.latency_ms, variance + short.error_ms**2
        operators.subtract(loaded[how.shorter.name].operators)
    return Entry(
        block_key(spec),
        # The difference of two noisy times may come out at 0 or below; no block is free.
        max(LEAST_MS, ms / how.copies),
        math.sqrt(variance) / how.copies,
        tuple(model.name for model in how.models),
        tuple(model.size / MB for model in how.models),
        how.copies,
        {name: n // how.copies for name, n in sorted(operators.items()) if n},
    )


def entries(
    specs: Sequence[LayerSpec], measured: Mapping[str, Latency], loaded: Mapping[str, Loaded]
) -> dict[str, Entry]:
    """The entries of all ``specs`` by block."""
    return {one.block: one for one in (entry(spec, measured, loaded) for spec in specs)}
