"""What goes wrong with predictors."""

from __future__ import annotations

from search_spaces.errors import NasLoopError


class PredictorError(NasLoopError):
    """Samples that nothing can be fitted on, or a predictor used before it was fitted."""
