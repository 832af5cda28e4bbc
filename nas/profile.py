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
    Effort,
    Fingerprint,
    Model,
    NetworkLatency,
    fingerprint_of,
    is_here,
    measure_networks,
    pace_in,
    require_device,
    table_name,
)
from latency_lut import device as device_of
from nas.profiling import Counts, Share, Timeline, count, read, timeline
from nas.run import Run

__all__ = ["Profile", "profile", "render"]

FEW = 12


@dataclass(frozen=True)
class Profile:
    """One model on one device. Times in milliseconds, sizes in bytes, costs of one image.

    Times are at the pace of ``table``; without one, at that of the machine today. ``timeline`` is
    None for a device that this Python's runtime does not time.
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
    timeline: Timeline | None
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
            "operators": _plain(self.timeline.operators if self.timeline else None),
            "blocks": _plain(self.timeline.blocks if self.timeline else None),
            "fingerprint": self.fingerprint.to_dict(),
            "metadata": dict(self.metadata),
        }


def profile(
    path: str | Path,
    device: str = "cpu",
    threads: int | None = None,
    *,
    table: str | Path | None = None,
    size: int | None = None,
    effort: Effort | None = None,
    seed: int = 0,
) -> Profile:
    """Measure the model in the file ``path``.

    With ``table``, a latency table's file or the folder of its run, times are brought to its pace
    and compare with its predictions. Without ``threads`` they are the table's, or 1. Open
    dimensions become batch 1 and images of side ``size`` (224 if not given).

    Raises:
        ArtefactError: there is no such file, it is no ONNX model, or it takes no images; or the
            table is none, or of another device.
        DeviceError: the device is unknown, or cannot run the model.
    """
    model = read(path, size)
    rng = np.random.default_rng(seed)
    table = None if table is None else _table_file(Path(table), device, threads)
    if threads is None:
        threads = 1 if table is None else fingerprint_of(table).threads
    runs_on = device_of(device, threads=threads)
    fingerprint = runs_on.fingerprint()
    counts = count(model)
    pace = None
    if table is not None:
        require_device(table, fingerprint)
        pace = pace_in(table, model.side, counts.macs)
    asked = Model(str(path), model.content, model.shapes, model.file_bytes)
    (measured,) = measure_networks(
        [asked],
        runs_on,
        rng=rng,
        batch=model.batch,
        effort=effort,
        pace=pace,
        sides={asked.name: model.side},
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
        counts=counts,
        timeline=timeline(model, threads, fingerprint.provider, rng) if is_here(device) else None,
        fingerprint=fingerprint,
        metadata={entry.key: entry.value for entry in model.proto.metadata_props},
        table=None if table is None else str(table),
    )


def _plain(shares: tuple[Share, ...] | None) -> list[dict[str, Any]] | None:
    return None if shares is None else [asdict(share) for share in shares]


def _table_file(table: Path, device: str, threads: int | None) -> Path:
    if not table.is_dir():
        return table
    run = Run.open(table)
    return run.latency(table_name(device_of(device).name, threads or run.config().latency.threads))


def render(result: Profile) -> RenderableType:
    """For a person: costs, then where the time goes by operator and by block."""
    measured, counts = result.latency, result.counts
    memory = measured.peak_memory_bytes
    rows = {
        "latency": f"{measured.latency_ms:.3f} ms ± {measured.latency.error_ms:.3f}",
        "median, p90, p99": f"{measured.median_ms:.3f}, {measured.p90_ms:.3f}, "
        f"{measured.p99_ms:.3f} ms",
        "pace": _pace(result),
        "throughput": f"{measured.images_per_s:,.0f} images/s, {_at_once(result.shape[0])}",
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
    if result.timeline is None:
        costs.add_row("time by operator", "not known: the profiler is this Python's runtime alone")
        return costs
    parts: list[RenderableType] = [costs, _shares("operator", result.timeline.operators)]
    if result.timeline.blocks:
        parts.append(_shares("block", result.timeline.blocks))
    return Group(*parts)


def _at_once(batch: int) -> str:
    return "one after another" if batch == 1 else f"{batch} at once"


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
