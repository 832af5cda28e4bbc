"""How good a network is: accuracy predictors with uncertainty, and rank statistics."""

from predictors.catalogue import get, load, names
from predictors.predictor import Predictor, PredictorError

__all__ = ["Predictor", "PredictorError", "get", "load", "names"]
