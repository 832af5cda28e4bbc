"""How much flows through all paths of the network, without data.

Tanaka et al., "Pruning neural networks without any data by iteratively conserving synaptic flow"
(NeurIPS 2020): synaptic saliency by the objective SynFlow, norms left out.
"""

from __future__ import annotations

import math
import sys

from predictors.proxies.passes.gradients import Gradients
from predictors.proxies.passes.positive import positive
from predictors.proxies.proxy import Proxy


def read(record: Gradients) -> float:
    """log(1 + sum over all weights of weight times derivative of the output's sum).

    Weights are absolute. A flow beyond double precision counts as its largest number.
    """
    pairs = zip(record.weights, record.gradients, strict=True)
    flow = sum(float(weight.flatten() @ gradient.flatten()) for weight, gradient in pairs)
    return math.log1p(flow if math.isfinite(flow) else sys.float_info.max)


SYNFLOW = Proxy(positive, read)
