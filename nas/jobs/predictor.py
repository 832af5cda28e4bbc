"""An accuracy predictor for a run, from subnets that were measured on its held-out images."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

import predictors
from nas.engine import LOCAL, Engine
from nas.jobs import sampling
from nas.jobs.held_out import HeldOutAccuracy
from nas.jobs.samples import Samples
from nas.jobs.trained import TrainedRun
from nas.terminal import Screen
from predictors import ERROR, Predictor
from search_spaces.space import Population

__all__ = ["fitted_predictor", "measured_accuracies", "measured_sample", "sampled"]


def sampled(trained: TrainedRun) -> Population:
    """The subnets [samples, choices] that predictors of a run are fitted on, as far as is known."""
    search = trained.config.search
    return sampling.foreseen(trained.space, search.sampling, search.samples, search.seed)


def measured_sample(
    trained: TrainedRun, screen: Screen, most: int | None = None, engine: Engine = LOCAL
) -> tuple[Population, npt.NDArray[np.float64]]:
    """The subnets [samples, choices] that predictors are fitted on, their accuracies in percent.

    What is not known yet is measured by ``engine`` on the held-out images, and kept. With ``most``,
    the first so many of them alone.
    """
    search = trained.config.search
    samples = Samples(trained.run.samples, trained.space, trained.belongs())
    accuracy = HeldOutAccuracy(trained)
    done = 0
    total = search.samples if most is None else min(most, search.samples)
    with screen.progress("measure accuracies", total) as advance:

        def measure(X: Population) -> npt.NDArray[np.float64]:
            nonlocal done
            before, done = done, done + len(X)
            return samples.measure(
                X, accuracy, lambda count, _: advance(before + count, "subnets"), engine
            )

        return sampling.in_rounds(
            trained.space, search.sampling, search.samples, search.seed, measure, most
        )


def fitted_predictor(
    trained: TrainedRun, name: str, X: Population, accuracy: npt.NDArray[np.float64]
) -> Predictor:
    """A predictor of the error in percent, fitted on subnets of the run that were measured.

    ``X`` [n, choices] and ``accuracy`` [n] in percent: see ``measured_sample``.

    Raises:
        PredictorError: all of them are as accurate.
    """
    predictor = predictors.get(name, trained.space, labels=ERROR, belongs=trained.belongs())
    return predictor.fit(X, 100.0 - accuracy)


def measured_accuracies(
    trained: TrainedRun, X: Population, title: str, screen: Screen, engine: Engine = LOCAL
) -> npt.NDArray[np.float64]:
    """Held-out accuracy in percent of every canonical row of ``X`` [n, choices], under a bar: [n].

    What is not known yet is measured by ``engine``, and kept.
    """
    samples = Samples(trained.run.samples, trained.space, trained.belongs())
    with screen.progress(title, len(X)) as advance:
        return samples.measure(
            X, HeldOutAccuracy(trained), lambda done, of: advance(done, "subnets"), engine
        )
