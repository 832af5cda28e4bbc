"""``nas profile``: what an ONNX image model costs on a device, latency first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Group, RenderableType
from rich.table import Table

from latency_lut import (
    Device,
    Effort,
    Fingerprint,
    Model,
    NetworkLatency,
    measure_networks,
    reference_times,
    table_name,
)
from latency_lut import device as device_of
from latency_lut.cpu import CpuDevice
from nas.profiling import Counts, Timeline, count, read, timeline
from nas.profiling.model import ImageModel
from nas.run import Run
from search_spaces.errors import ArtefactError

__all__ = ["Profile", "profile", "render"]

FEW = 12


@dataclass(frozen=True)
class Profile:
    """One model on one device. Times in milliseconds, sizes in bytes, costs of one image.

    ``timeline`` is empty for a device that is not this machine.

    Times are at the pace of ``table``; without one, at that of the machine today.
    """

    file: str
    file_bytes: int
    opset: int
    input: str
    layout: str
    dtype: str
    shape: tuple[int, ...]
    latency: NetworkLatency
    counts: Counts
    timeline: Timeline
    fingerprint: Fingerprint
    metadata: Mapping[str, str]
    table: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """As plain data, ``latency_ms`` first."""
        measured = self.latency
        return {
            "latency_ms": measured.latency_ms,
            "latency_error_ms": measured.latency.error_ms,
            "median_ms": measured.median_ms,
            "p90_ms": measured.p90_ms,
            "p99_ms": measured.p99_ms,
            "images_per_s": measured.images_per_s,
            "pace": measured.pace,
            "table": self.table,
            "peak_memory_bytes": measured.peak_memory_bytes,
            "file": self.file,
            "file_bytes": self.file_bytes,
            "macs": self.counts.macs,
            "parameters": self.counts.parameters,
            "uncounted": dict(self.counts.uncounted),
            "input": {
                "name": self.input,
                "layout": self.layout,
                "dtype": self.dtype,
                "shape": list(self.shape),
            },
            "opset": self.opset,
            "operators": [asdict(share) for share in self.timeline.operators],
            "blocks": [asdict(share) for share in self.timeline.blocks],
            "fingerprint": self.fingerprint.to_dict(),
            "metadata": dict(self.metadata),
        }


def profile(
    path: str | Path,
    device: str = "cpu",
    threads: int = 1,
    *,
    table: str | Path | None = None,
    size: int | None = None,
    effort: Effort | None = None,
    seed: int = 0,
) -> Profile:
    """Measure the model in the file ``path``.

    With ``table``, a latency table's file or the folder of its run, times are brought to its pace
    and compare with its predictions. Open dimensions become batch 1 and images of side ``size``
    (224 if not given).

    Raises:
        ArtefactError: there is no such file, it is no ONNX model, or it takes no images; or the
            table is none, or of another device.
        DeviceError: the device is unknown, or cannot run the model.
    """
    model = read(path, size)
    rng = np.random.default_rng(seed)
    runs_on = device_of(device, threads=threads)
    fingerprint = runs_on.fingerprint()
    table = None if table is None else _table_file(Path(table), device, threads)
    usual_ms = None if table is None else _usual_ms(table, fingerprint)
    asked = Model(str(path), model.content, model.shapes, model.file_bytes)
    (measured,) = measure_networks(
        [asked], runs_on, rng=rng, batch=model.batch, effort=effort, usual_ms=usual_ms
    )
    return Profile(
        file=str(path),
        file_bytes=model.file_bytes,
        opset=model.opset,
        input=model.image,
        layout=model.layout,
        dtype=model.dtype,
        shape=model.shapes[model.image],
        latency=measured,
        counts=count(model),
        timeline=_timeline(model, runs_on, rng),
        fingerprint=fingerprint,
        metadata={entry.key: entry.value for entry in model.proto.metadata_props},
        table=None if table is None else str(table),
    )


def _timeline(model: ImageModel, device: Device, rng: np.random.Generator) -> Timeline:
    # The profiler runs in this process: of another machine's runtime it would tell nothing.
    if not isinstance(device, CpuDevice):
        return Timeline((), ())
    return timeline(model, device.threads, device.provider, rng)


def _table_file(table: Path, device: str, threads: int) -> Path:
    return Run.open(table).latency(table_name(device, threads)) if table.is_dir() else table


def _usual_ms(table: Path, here: Fingerprint) -> Mapping[str, float]:
    fingerprint, usual_ms = reference_times(table)
    try:
        fingerprint.require(here)
    except ArtefactError as error:
        raise ArtefactError(f"{table}: {error}") from error
    return usual_ms


def render(result: Profile) -> RenderableType:
    """For a person: costs, then where the time goes by operator and by block."""
    measured, counts = result.latency, result.counts
    memory = measured.peak_memory_bytes
    rows = {
        "latency": f"{measured.latency_ms:.3f} ms ± {measured.latency.error_ms:.3f}",
        "median, p90, p99": f"{measured.median_ms:.3f}, {measured.p90_ms:.3f}, "
        f"{measured.p99_ms:.3f} ms",
        "pace": _pace(result),
        "throughput": f"{measured.images_per_s:,.0f} images/s",
        "peak memory": "not known here" if memory is None else f"{memory / 1e6:.1f} MB",
        "file": f"{result.file_bytes / 1e6:.2f} MB",
        "MACs": f"{counts.macs / 1e6:,.2f} million",
        "parameters": f"{counts.parameters / 1e6:,.3f} million",
        "input": f"{result.input} {list(result.shape)} {result.dtype} {result.layout}",
        "device": f"{result.fingerprint.cpu}, {result.fingerprint.threads} thread(s), "
        f"{result.fingerprint.runtime}",
    }
    if counts.uncounted:
        said = ", ".join(f"{name} ({n})" for name, n in counts.uncounted.items())
        rows["not counted"] = f"{said}: MACs are a lower bound"
    costs = Table(show_header=False, box=None, pad_edge=False)
    for name, value in rows.items():
        costs.add_row(name, value)
    parts: list[RenderableType] = [costs]
    if result.timeline.operators:
        parts.append(_shares("operator", result.timeline.operators))
    if result.timeline.blocks:
        parts.append(_shares("block", result.timeline.blocks))
    return Group(*parts)


def _pace(result: Profile) -> str:
    if result.latency.pace is None:
        return "the machine's of today; --table gives that of a latency table"
    return f"of {result.table}: times are those of today, multiplied by {result.latency.pace:.3f}"


def _shares(title: str, shares: tuple[Any, ...]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column(f"time by {title}")
    table.add_column("share", justify="right")
    table.add_column("nodes", justify="right")
    for share in shares[:FEW]:
        table.add_row(share.name, f"{share.share:.1%}", str(share.nodes))
    rest = shares[FEW:]
    if rest:
        left = sum(share.share for share in rest)
        table.add_row(f"{len(rest)} more", f"{left:.1%}", str(sum(share.nodes for share in rest)))
    return table
