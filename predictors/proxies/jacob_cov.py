"""How differently the network reacts to different images.

Mellor et al., "Neural Architecture Search without Training" in its first version
(arXiv:2006.04647v1, 2020), the score by eigenvalues with k = 1e-5; Abdelfattah et al. (ICLR 2021)
call it jacob_cov.
"""

from __future__ import annotations

import torch
from torch import Tensor

from predictors.proxies.passes.jacobian import jacobian
from predictors.proxies.proxy import Proxy
from predictors.proxies.spectrum import spectrum

SMALL = 1e-5


def read(record: Tensor) -> float:
    """Minus the sum over eigenvalues v of the images' correlation of log(v + k) + 1 / (v + k)."""
    n = len(record)
    correlation = torch.corrcoef(record.double()).reshape(n, n).nan_to_num(0)
    values = spectrum(correlation) + SMALL
    return -float((values.log() + 1 / values).sum())


JACOB_COV = Proxy(jacobian, read)
