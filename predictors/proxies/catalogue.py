"""Names of proxies become proxies here, and nowhere else."""

from __future__ import annotations

from collections.abc import Iterable

from predictors.proxies.az_expressivity import AZ_EXPRESSIVITY, AZ_PROGRESSIVITY
from predictors.proxies.az_trainability import AZ_TRAINABILITY
from predictors.proxies.depth import LAYERS
from predictors.proxies.errors import ProxyError
from predictors.proxies.fisher import FISHER
from predictors.proxies.grad_norm import GRAD_NORM
from predictors.proxies.gradsign import GRADSIGN
from predictors.proxies.grasp import GRASP
from predictors.proxies.jacob_cov import JACOB_COV
from predictors.proxies.linear_regions import LINEAR_REGIONS
from predictors.proxies.macs import MACS
from predictors.proxies.meco import MECO
from predictors.proxies.naswot import NASWOT
from predictors.proxies.ntk import NTK
from predictors.proxies.parameters import PARAMETERS
from predictors.proxies.plain import PLAIN
from predictors.proxies.proxy import Proxy
from predictors.proxies.snip import SNIP
from predictors.proxies.swap import SWAP
from predictors.proxies.synflow import SYNFLOW
from predictors.proxies.w_pca import W_PCA
from predictors.proxies.zen import ZEN
from predictors.proxies.zico import ZICO
from search_spaces.unknown import unknown

PROXIES = {
    "parameters": PARAMETERS,
    "macs": MACS,
    "layers": LAYERS,
    "naswot": NASWOT,
    "linear_regions": LINEAR_REGIONS,
    "swap": SWAP,
    "meco": MECO,
    "az_expressivity": AZ_EXPRESSIVITY,
    "az_progressivity": AZ_PROGRESSIVITY,
    "az_trainability": AZ_TRAINABILITY,
    "zen": ZEN,
    "grad_norm": GRAD_NORM,
    "plain": PLAIN,
    "snip": SNIP,
    "fisher": FISHER,
    "grasp": GRASP,
    "synflow": SYNFLOW,
    "jacob_cov": JACOB_COV,
    "ntk": NTK,
    "zico": ZICO,
    "gradsign": GRADSIGN,
    "w_pca": W_PCA,
}


def names() -> tuple[str, ...]:
    """The proxies that ``score`` knows."""
    return tuple(PROXIES)


def formulas(names: Iterable[str]) -> tuple[str, ...]:
    """What scores are kept under: the proxies' names, with later versions of a formula said.

    Raises:
        ProxyError: no proxy of a name.
    """
    versions = {name: get(name).version for name in names}
    return tuple(name if v == 1 else f"{name} {v}" for name, v in versions.items())


def get(name: str) -> Proxy:
    """The proxy of that name.

    Raises:
        ProxyError: there is none.
    """
    if name not in PROXIES:
        raise ProxyError(unknown("proxy", name, PROXIES))
    return PROXIES[name]
