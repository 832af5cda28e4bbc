"""How many directions the hidden features of a transformer's feed-forward layers fill.

Wang, "W-PCA Based Gradient-Free Proxy for Efficient Search of Lightweight Language Models" (ICLR
2025): parameters times V-PCA. Only for networks in which linear layers widen tokens [N, T, C].
"""

from __future__ import annotations

import math

from torch import Tensor

from predictors.proxies.errors import NotApplicableError
from predictors.proxies.passes.forward import Forward, forward
from predictors.proxies.proxy import Proxy
from predictors.proxies.spectrum import spectrum

SHARE = 0.99


def read(record: Forward) -> float:
    """log of the number of parameters times the sum of the layers' principal dimensions.

    Raises:
        NotApplicableError: no linear layer widens tokens.
    """
    if not record.tokens:
        raise NotApplicableError(
            "w_pca reads linear layers that widen tokens [N, tokens, features], as transformers "
            "have them; this network has none: choose another proxy"
        )
    dimensions = sum(_dimensions(tokens) for tokens in record.tokens)
    return math.log(record.parameters) + math.log(max(dimensions, 1.0))


def _dimensions(tokens: Tensor) -> float:
    """Principal components that hold 99% of the variance of features [rows, features].

    NaN where features overflow.
    """
    rows = (tokens - tokens.mean(0)).double()
    # The smaller of the two products has the same spectrum.
    gram = rows @ rows.T if len(rows) < rows.shape[1] else rows.T @ rows
    variances = spectrum(gram).flip(0)
    total = float(variances.sum())
    if math.isnan(total) or total == 0:
        return total
    return int((variances.cumsum(0) / total < SHARE).sum()) + 1


W_PCA = Proxy(forward, read, ("tokens",))
