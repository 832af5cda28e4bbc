"""How good a network is: accuracy predictors with uncertainty, proxies, and rank statistics."""

from predictors.catalogue import get, load, names
from predictors.cost_proxy import COSTS, CostProxy
from predictors.predictor import Predictor, PredictorError

__all__ = ["COSTS", "CostProxy", "Predictor", "PredictorError", "get", "load", "names"]
