"""How deep a network is: what every other proxy has to beat."""

from __future__ import annotations

from predictors.proxies.passes.forward import Forward, forward
from predictors.proxies.proxy import Proxy


def read(record: Forward) -> float:
    """How many times a convolution or a linear layer ran."""
    return record.layers


LAYERS = Proxy(forward, read)
