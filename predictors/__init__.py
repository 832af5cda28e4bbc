"""How good a network is: accuracy predictors with uncertainty, proxies, and rank statistics.

``predictors.proxies`` is imported with its first use, because it needs PyTorch and a search on
existing tables does not.
"""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import TYPE_CHECKING

from predictors.catalogue import ERROR, USUAL, get, load, names
from predictors.cost_proxy import COSTS, CostProxy
from predictors.errors import PredictorError
from predictors.predictor import Predictor

if TYPE_CHECKING:
    from predictors import proxies

__all__ = [
    "COSTS",
    "ERROR",
    "USUAL",
    "CostProxy",
    "Predictor",
    "PredictorError",
    "get",
    "load",
    "names",
    "proxies",
]


def __getattr__(name: str) -> ModuleType:
    if name == "proxies":
        return importlib.import_module("predictors.proxies")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
