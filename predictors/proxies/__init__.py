"""Zero-cost proxies: how good an untrained network looks, from one batch of images."""

from predictors.proxies.catalogue import formulas, get, names
from predictors.proxies.combine import combined
from predictors.proxies.errors import NotApplicableError, ProxyError
from predictors.proxies.proxy import FLOOR, Proxy
from predictors.proxies.score import score

__all__ = [
    "FLOOR",
    "NotApplicableError",
    "Proxy",
    "ProxyError",
    "combined",
    "formulas",
    "get",
    "names",
    "score",
]
