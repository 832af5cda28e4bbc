"""An accuracy predictor for a run, from subnets that were measured on its held-out images."""

from __future__ import annotations

import numpy as np

import predictors
from nas.jobs.samples import Samples, draw
from nas.jobs.trained import TrainedRun
from nas.terminal import Screen
from predictors import Predictor

__all__ = ["fitted_predictor"]


def fitted_predictor(trained: TrainedRun, name: str, screen: Screen) -> Predictor:
    """A predictor of the error in percent, fitted on the run's measured subnets.

    Subnets that are not measured yet are measured on the held-out images and kept.
    """
    search = trained.config.search
    predictor = predictors.get(name, trained.space, data=trained.header.data)
    samples = Samples(trained.run.samples, trained.space, trained.belongs())
    X = draw(trained.space, search.samples, np.random.default_rng(search.seed))
    with screen.progress("measure accuracies", len(X)) as advance:
        accuracy = samples.measure(
            X, trained.val_accuracy, lambda done, of: advance(done, "subnets")
        )
    return predictor.fit(X, 100.0 - accuracy)
