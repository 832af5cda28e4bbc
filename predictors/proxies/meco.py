"""How little the channels of a layer repeat each other.

Jiang et al., "MeCo: Zero-Shot NAS with One Data and Single Forward Pass via Minimum Eigenvalue of
Correlation" (NeurIPS 2023), its optimised form: all channels would be more than there
are positions, and cost their cube.
"""

from __future__ import annotations

import math

import torch

from predictors.proxies.passes.forward import Forward, forward
from predictors.proxies.proxy import Proxy
from predictors.proxies.spectrum import spectrum

CHANNELS = 8


def read(record: Forward) -> float:
    """The sum over layers of channels / 8 times the least eigenvalue of 8 channels' correlation.

    The maps are those of the first image; channels are drawn for each layer.
    """
    rng = torch.Generator().manual_seed(record.seed)
    total = 0.0
    for channels in record.maps:
        if channels.shape[1] < 2:
            continue  # A single position varies with nothing.
        drawn = torch.randperm(len(channels), generator=rng)[:CHANNELS]
        some = channels[drawn.to(channels.device)].double()
        if not torch.isfinite(some).all():
            return -math.inf
        # A channel that does not vary correlates with none.
        correlation = torch.corrcoef(some).reshape(len(some), len(some)).nan_to_num(0, 0, 0)
        least = float(spectrum(correlation)[0])
        total += len(channels) / len(some) * least
    return total


MECO = Proxy(forward, read, ("maps",))
