"""An accuracy predictor for a run, from subnets that were measured on its held-out images."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

import predictors
from nas.jobs.samples import Samples, draw
from nas.jobs.trained import TrainedRun
from nas.terminal import Screen
from predictors import Predictor
from search_spaces.space import Population

__all__ = ["fitted_predictor", "measured_accuracies", "sampled"]


def sampled(trained: TrainedRun) -> Population:
    """The subnets [samples, choices] that predictors of a run are fitted on."""
    search = trained.config.search
    return draw(trained.space, search.samples, np.random.default_rng(search.seed))


def fitted_predictor(trained: TrainedRun, name: str, screen: Screen) -> Predictor:
    """A predictor of the error in percent, fitted on the run's measured subnets.

    Subnets that are not measured yet are measured on the held-out images and kept.
    """
    predictor = predictors.get(name, trained.space, data=trained.header.data)
    X = sampled(trained)
    accuracy = measured_accuracies(trained, X, "measure accuracies", screen)
    return predictor.fit(X, 100.0 - accuracy)


def measured_accuracies(
    trained: TrainedRun, X: Population, title: str, screen: Screen
) -> npt.NDArray[np.float64]:
    """Held-out accuracy in percent of every canonical row of ``X`` [n, choices], under a bar: [n].

    What is not known yet is measured, and kept.
    """
    samples = Samples(trained.run.samples, trained.space, trained.belongs())
    with screen.progress(title, len(X)) as advance:
        return samples.measure(X, trained.val_accuracy, lambda done, of: advance(done, "subnets"))
