"""How much is computed."""

from __future__ import annotations

from predictors.proxies.passes.forward import Forward, forward
from predictors.proxies.proxy import Proxy


def read(record: Forward) -> float:
    """Multiply-accumulates of one image: convolutions, matrix products and attention."""
    return record.macs


MACS = Proxy(forward, read, ("macs",))
