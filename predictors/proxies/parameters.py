"""How many numbers are trained."""

from __future__ import annotations

from predictors.proxies.passes.forward import Forward, forward
from predictors.proxies.proxy import Proxy


def read(record: Forward) -> float:
    """Parameters; shared ones count once."""
    return record.parameters


PARAMETERS = Proxy(forward, read)
