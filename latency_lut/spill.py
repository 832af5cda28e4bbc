"""What additivity misses most: weights that do not stay near the core between two runs.

A block in context is measured with its weights in a cache; a whole network of more weights than
the cache holds fetches them again in every run. With 2 MiB of cache per core, sums of entries were
exact for networks up to about 1.3 MB of weights and up to 17% too small beyond. So the time of a
network has a term for each megabyte of weights above a threshold, the same for the models from
which entries come, and the fit finds the threshold and the price.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from latency_lut.arrays import Floats
from search_spaces.specs import LayerSpec

MB = 1e6
BYTES_PER_WEIGHT = 4
# Steps of a third of an octave, from a sixteenth of the largest network: the price adjusts for
# what lies between.
STEPS = 13


def weights_mb(spec: LayerSpec) -> float:
    """The weights of a layer in megabytes, as the file stores them."""
    return spec.params * BYTES_PER_WEIGHT / MB


def spill(weights: npt.ArrayLike, threshold_mb: float) -> Floats:
    """Megabytes above the threshold: as ``weights``, in MB."""
    return np.maximum(0.0, np.asarray(weights, dtype=np.float64) - threshold_mb)


def thresholds(weights: npt.ArrayLike) -> tuple[float, ...]:
    """Those worth trying for networks of these sizes in MB; the last lets nothing spill."""
    largest = float(np.max(weights))
    return tuple(largest * 2 ** ((step + 1 - STEPS) / 3) for step in range(STEPS))
