"""An accuracy predictor for a run, from subnets that were measured on its held-out images."""

from __future__ import annotations

import numpy as np

import predictors
from nas.jobs.samples import Samples, draw
from nas.jobs.trained import TrainedRun
from nas.terminal import Screen
from predictors import Predictor
from search_spaces.space import Population

__all__ = ["fitted_predictor", "sampled"]


def sampled(trained: TrainedRun) -> Population:
    """The subnets [samples, choices] that predictors of a run are fitted on."""
    search = trained.config.search
    return draw(trained.space, search.samples, np.random.default_rng(search.seed))


def fitted_predictor(trained: TrainedRun, name: str, screen: Screen) -> Predictor:
    """A predictor of the error in percent, fitted on the run's measured subnets.

    Subnets that are not measured yet are measured on the held-out images and kept.
    """
    predictor = predictors.get(name, trained.space, data=trained.header.data)
    samples = Samples(trained.run.samples, trained.space, trained.belongs())
    X = sampled(trained)
    with screen.progress("measure accuracies", len(X)) as advance:
        accuracy = samples.measure(
            X, trained.val_accuracy, lambda done, of: advance(done, "subnets")
        )
    return predictor.fit(X, 100.0 - accuracy)
