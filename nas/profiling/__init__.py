"""What can be said of any ONNX image model: its costs, and where its time goes."""

from nas.profiling.counts import COUNTERS, Counts, count
from nas.profiling.model import ImageModel, read
from nas.profiling.timeline import Share, Timeline, timeline

__all__ = [
    "COUNTERS",
    "Counts",
    "ImageModel",
    "Share",
    "Timeline",
    "count",
    "read",
    "timeline",
]
