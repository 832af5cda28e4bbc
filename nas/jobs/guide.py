"""What a search goes by while accuracies are unknown: a predictor, or a proxy."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, overload

import numpy as np
import numpy.typing as npt

import predictors
from nas.engine import LOCAL, Engine
from nas.jobs.predictor import fitted_predictor, measured_sample
from nas.jobs.trained import TrainedRun
from nas.terminal import Screen
from predictors import COSTS, ERROR, USUAL, CostProxy, Predictor
from predictors.archive import SUFFIX
from predictors.method import Floats
from search_spaces.errors import ArtefactError, ConfigError
from search_spaces.files import sha256_of

__all__ = ["Guide", "fitted_guide", "ready_guide"]

TRIED = 256


class Predicts(Protocol):
    """What predictors and proxies have in common; smaller is better."""

    @overload
    def predict(self, X: npt.ArrayLike, return_std: Literal[False] = ...) -> Floats: ...
    @overload
    def predict(self, X: npt.ArrayLike, return_std: Literal[True]) -> tuple[Floats, Floats]: ...


@dataclass(frozen=True, eq=False)
class Guide:
    """Stands in for the error of networks while a search runs.

    Attributes:
        name: as people read it.
        identity: what its values depend on.
        source: whose ``predict`` is asked.
        unit: of a proxy's scores; None for a predictor, which predicts the error in percent.
    """

    name: str
    identity: str
    source: Predicts
    unit: str | None = None

    @property
    def scale(self) -> str:
        """What its scores are, with the unit."""
        return self.unit or "predicted accuracy, %"

    def score(self, values: Floats) -> Floats:
        """Scores, of which more is better, from what ``source`` predicts."""
        return -values if self.unit else 100.0 - values


def ready_guide(
    trained: TrainedRun, predictor: str | None, proxy: str | None, screen: Screen
) -> Guide | None:
    """The guide that a user names; None where a predictor is to be fitted on measured subnets.

    Args:
        predictor: the name of one to be fitted, or a file of a fitted one; None for the usual.
        proxy: the name of one that is taken instead, or None.

    Raises:
        PredictorError: no predictor, or no proxy, of that name.
        ArtefactError: the file is no predictor of errors in percent, or one of another space, of
            other weights or of other images.
        ConfigError: both are named; or a predictor to be fitted, and no images to measure on.
    """
    if predictor is not None and proxy is not None:
        raise ConfigError(
            f"a search goes by one of the two; got --predictor {predictor} and --proxy {proxy}"
        )
    if proxy is not None:
        made = CostProxy(proxy, trained.space)
        return Guide(f"proxy {proxy}", f"proxy {proxy}", made, made.unit)
    if predictor is not None and predictor.endswith(SUFFIX):
        return _loaded(trained, Path(predictor), screen)
    predictors.get(predictor or USUAL, trained.space)
    if not trained.has_images:
        raise ConfigError(
            f"{trained.run.folder} has no images to measure subnets on; name a fitted predictor "
            f"with --predictor FILE{SUFFIX}, or a proxy with --proxy ({' or '.join(COSTS)})"
        )
    return None


def fitted_guide(trained: TrainedRun, name: str, screen: Screen, engine: Engine = LOCAL) -> Guide:
    """A predictor of that name, fitted on the run's measured subnets; measures what is missing."""
    fitted = fitted_predictor(trained, name, *measured_sample(trained, screen, engine=engine))
    return Guide(f"{name} predictor", f"{name} {fitted.samples}", fitted)


def _loaded(trained: TrainedRun, file: Path, screen: Screen) -> Guide:
    belongs = trained.belongs() if trained.has_images else None
    loaded = predictors.load(file, trained.space, belongs=belongs)
    if loaded.proxies:
        raise ArtefactError(
            f"{file}: wants the proxies {', '.join(loaded.proxies)} of every network, which a "
            "search does not compute; fit one without them"
        )
    if loaded.labels is None:
        _require_percentages(loaded, file)
        screen.say(
            f"ATTENTION: {file} does not say what it predicts; it is read as the error in percent, "
            "of which less is better (100 minus the accuracy). If it is the accuracy, stop here: "
            f'fit it on 100 minus that, with predictors.get(..., labels="{ERROR}")'
        )
    elif loaded.labels != ERROR:
        raise ArtefactError(
            f"{file}: a search goes by {ERROR!r}, which is 100 minus the accuracy; this one "
            f'predicts {loaded.labels!r}: fit one with predictors.get(..., labels="{ERROR}")'
        )
    return Guide(f"{loaded.name} predictor in {file.name}", f"SHA-256 {sha256_of(file)}", loaded)


def _require_percentages(loaded: Predictor, file: Path) -> None:
    some = loaded.space.sample(TRIED, np.random.default_rng(0))
    usual = float(np.median(loaded.predict(some)))
    if not 0 <= usual <= 100:
        raise ArtefactError(
            f"{file}: a predictor for a search predicts errors in percent, from 0 to 100; this one "
            f"says {usual:.4g} of a middling network: fit it on 100 minus the accuracy"
        )
