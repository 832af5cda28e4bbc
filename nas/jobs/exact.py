"""``nas search --exact``: the optimum of what a search went by, and how far it stopped."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from latency_lut import LatencyTable
from nas import search as searching
from nas.jobs.asked import Asked
from nas.jobs.budget import SearchOptions
from nas.jobs.guide import Guide
from nas.scale import valued, worded
from nas.search.exact import formula
from predictors import COSTS, USUAL, Predictor
from search_spaces.errors import ConfigError
from search_spaces.paths import paths
from search_spaces.space import Space

__all__ = ["exact_document", "require_exact", "said"]

LINEAR = "ridge"
SECONDS = 60.0
"""How long the optimum is looked for; after that its bound says what is proven."""


def require_exact(space: Space, guide: Guide | None, options: SearchOptions, asked: Asked) -> None:
    """Refuse what no integer programme can hold, before anything is measured.

    ``guide``: None where a predictor is to be fitted first, by the options' name.

    Raises:
        ConfigError: the predictor is no sum over layers and decisions; or a confidence, which
            limits the end of an interval.
        SearchError: a further limit is no such sum.
    """
    if options.confidence is not None:
        raise ConfigError(
            "--exact and --confidence exclude each other: it takes limits that are sums over "
            "layers, and the upper end of an interval is none; leave out --confidence "
            f"{options.confidence:g}"
        )
    name = options.predictor or USUAL
    if guide is not None and isinstance(guide.source, Predictor):
        name = guide.source.name
    if (guide is None or isinstance(guide.source, Predictor)) and name != LINEAR:
        raise ConfigError(
            "--exact needs a predictor that is a sum over layers and decisions; got the "
            f"{name} predictor: take --predictor {LINEAR} or a file (.npz) of one, or a proxy "
            f"(--proxy {' or '.join(COSTS)})"
        )
    graph = paths(space, space.images[0] if len(space.images) > 1 else None)
    for quantity, function in _further(asked).items():
        formula(quantity, function, graph)


def exact_document(
    space: Space,
    table: LatencyTable,
    guide: Guide,
    study: searching.Study,
    options: SearchOptions,
    asked: Asked,
) -> dict[str, Any]:
    """What ``guide`` predicts of the best network within all limits by ``table``, and of the best
    that ``study``, a search by both, met. Scores are on the guide's scale, more is better.

    ``bound`` is the score that no network is predicted to exceed, None where nothing is proven;
    ``short`` by how much the search's best is below the optimum.

    Raises:
        SearchError: no network was found in ``SECONDS``.
    """
    found = searching.optimum(
        space,
        {"error": guide.source.predict},
        {"latency_ms": options.latency_ms, **asked.constraints},
        functions={"latency_ms": table.predict, **_further(asked)},
        seconds=SECONDS,
    )
    errors = study.values()[study.feasible, study.problem.objectives.index("error")]
    ends = np.array([found.value, errors.min(), found.bound])
    value, met, bound = guide.score(ends).tolist()
    return {
        "scale": guide.scale,
        "score": value,
        "bound": bound if np.isfinite(bound) else None,
        "proven": found.proven,
        "searched": met,
        "short": value - met,
        "latency_ms": found.limited["latency_ms"],
        "architecture": json.loads(found.architecture.to_json()),
        "programmes": found.programmes,
        "seconds": round(found.seconds, 2),
    }


def said(exact: Mapping[str, Any], searcher: str) -> str:
    """The document in a sentence."""
    proof = "nothing is proven of what others may reach"
    if exact["bound"] is not None:
        proof = f"no network is predicted above {valued(exact['scale'], exact['bound'])}"
    return (
        f"the exact optimum is {worded(exact['scale'], exact['score'])} "
        f"{'(proven: ' if exact['proven'] else '(not proven: '}{proof}), and {searcher} stopped "
        f"{exact['short']:.2g} from it"
    )


def _further(asked: Asked) -> dict[str, searching.Plain]:
    """What is limited beside latency and accuracy, by name."""
    known = {**asked.functions, **asked.limited}
    return {name: known[name] for name in asked.constraints if name in known}
