"""Where the time of a run goes, by ONNX Runtime's own profiler.

The profiler makes a run slower, by some microseconds for each operator (node times were measured
15% over the run without it), so what it gives are shares; only `latency_ms` is a time.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from onnx import helper

from nas.profiling.model import ImageModel
from search_spaces.errors import ArtefactError

__all__ = ["Share", "Timeline", "timeline"]

WARMUP_RUNS = 5
RUNS = 40
SUFFIXES = ("_kernel_time", "_nchwc")
LAYOUT = ("ReorderInput", "ReorderOutput")


@dataclass(frozen=True)
class Share:
    """``share`` of the time of a run, from 0 to 1, in ``nodes`` operators of the running graph."""

    name: str
    share: float
    nodes: int


@dataclass(frozen=True)
class Timeline:
    """Shares by operator type and by block, the largest first; each list adds up to 1.

    Blocks are the first part of the node names that a model carries; ``blocks`` is empty where
    names have no parts.
    """

    operators: tuple[Share, ...]
    blocks: tuple[Share, ...]


def timeline(model: ImageModel, threads: int, provider: str, rng: np.random.Generator) -> Timeline:
    """Run the model under the profiler, in this process. Raises ``ArtefactError`` if it cannot."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.enable_profiling = True
    feed = {name: _array(model, name, rng) for name in model.shapes}
    with tempfile.TemporaryDirectory(prefix="nas-loop-") as folder:
        options.profile_file_prefix = str(Path(folder) / "profile")
        try:
            session = onnxruntime.InferenceSession(model.content(), options, providers=[provider])
            for _ in range(WARMUP_RUNS + RUNS):
                session.run(None, feed)
        except Exception as error:  # onnxruntime's own exceptions share no base class.
            said = str(error).strip().splitlines()[0]
            raise ArtefactError(f"{model.path}: onnxruntime does not run it: {said}") from error
        events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    return summarise(events)


def summarise(events: Sequence[Mapping[str, Any]]) -> Timeline:
    """Shares from the events of a profile; the first runs are left out as warm-up."""
    by_node: dict[tuple[str, str], float] = {}
    run = 0
    for event in events:
        if event.get("name") == "model_run":
            run += 1
        elif event.get("cat") == "Node" and run >= WARMUP_RUNS:
            name = str(event["name"])
            for suffix in SUFFIXES:
                name = name.removesuffix(suffix)
            key = (name, str(event["args"]["op_name"]))
            by_node[key] = by_node.get(key, 0.0) + float(event["dur"])
    operators = _shares([(operator, time) for (_, operator), time in by_node.items()])
    blocks = [(block(name, operator), time) for (name, operator), time in by_node.items()]
    named = any(part for part, _ in blocks if part not in ("", *LAYOUT))
    return Timeline(operators, _shares(blocks) if named else ())


def block(name: str, operator: str) -> str:
    """The block that a node's name puts it into, empty for a name without parts.

    Our files write ``block/layer/Operator``, PyTorch's older exporter writes
    ``/stage/stage.block/.../Operator``. Changes of layout between blocks are the runtime's own
    and stand for themselves.
    """
    if operator in LAYOUT:
        return operator
    parts = [part for part in name.split("/") if part][:-1]
    if not parts:
        return ""
    return parts[min(1, len(parts) - 1)] if name.startswith("/") else parts[0]


def _shares(times: Sequence[tuple[str, float]]) -> tuple[Share, ...]:
    sums: dict[str, tuple[float, int]] = {}
    for name, time in times:
        before, nodes = sums.get(name, (0.0, 0))
        sums[name] = (before + time, nodes + 1)
    total = sum(time for time, _ in sums.values()) or 1.0
    shares = [Share(name or "(unnamed)", time / total, n) for name, (time, n) in sums.items()]
    return tuple(sorted(shares, key=lambda share: -share.share))


def _array(model: ImageModel, name: str, rng: np.random.Generator) -> Any:
    shape = model.shapes[name]
    if name == model.image:
        if model.dtype in ("uint8", "int8"):
            return rng.integers(0, 128, shape).astype(model.dtype)
        return rng.normal(size=shape).astype(model.dtype)
    value = next(value for value in model.proto.graph.input if value.name == name)
    return np.zeros(shape, helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type))
