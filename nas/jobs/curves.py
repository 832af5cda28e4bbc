"""How a search went beside others: again with further seeds, and the baselines."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from nas import search as searching
from nas.jobs.budget import SearchOptions
from nas.report.course import Curve, Curves
from nas.report.course_documents import CURVES_FORMAT, curves_belong_to, read_curves
from nas.report.documents import read_document
from nas.run import Run
from nas.search.growth import hypervolumes
from nas.search.searcher import Floats
from nas.search.volume import EXACT
from nas.terminal import Screen
from search_spaces.errors import ArtefactError, InfeasibleError
from search_spaces.files import write_atomic

__all__ = [
    "BASELINES",
    "COMPARED",
    "beside_others",
    "compare",
    "compare_seconds",
    "curve_numbers",
    "incomparable",
    "known_curves",
    "write_curves",
]

BASELINES = ("random", "local")
"""What every search is compared with, as far as there are such searchers."""
SEEDS = 5
SECONDS, SHARE = 5.0, 0.1
"""Comparing takes so long, or this share of what the search took, if that is more."""
NUMBERS = 40
COMPARED = 5_000
"""Searches are compared over so many evaluations at most: others take several times as long for
one."""

Again = Callable[[str, int], searching.Study]


def incomparable(study: searching.Study) -> str | None:
    """Why a search cannot be compared with others, in words; None where it can."""
    if not study.feasible.any():
        return "none of the networks that it evaluated is within the limits"
    return None


def beside_others(
    study: searching.Study,
    options: SearchOptions,
    again: Callable[[SearchOptions], searching.Study],
    seconds: float,
    screen: Screen,
    known: Curves | None = None,
) -> Curves:
    """``compare`` a search that had such ``options`` with others that ``again`` makes, told alike
    but for the searcher, the seed, and ``COMPARED`` evaluations at most."""
    over = min(options.evaluations, len(study), COMPARED)
    told = replace(options, evaluations=over, minutes=None, stagnation=None)
    return compare(
        study,
        lambda name, seed: again(replace(told, searcher=name, seed=seed)),
        *(options.searcher, options.seed, over, seconds, screen, known),
    )


def compare(
    study: searching.Study,
    again: Again,
    searcher: str,
    seed: int,
    evaluations: int,
    seconds: float,
    screen: Screen,
    known: Curves | None = None,
) -> Curves:
    """Hypervolume over evaluations of a search, of more of its kind, and of the baselines.

    The reference point holds the worst of each objective among what the search met within the
    limits; of more than ``EXACT`` objectives volumes are estimated, the same way for all.

    Args:
        study: of the search itself, by ``searcher`` with ``seed``.
        again: a search on the same predictions by a searcher of that name with that seed; raises
            ``InfeasibleError`` where it meets no network within the limits.
        evaluations: how many each search may make.
        seconds: how long this may take, beyond one search by each of the baselines and what is
            begun. Zero: nothing is run.
        known: what an earlier call returned about the same predictions. Its curves are kept, and
            its reference point, so that all can be compared.
    """
    numbers = curve_numbers(evaluations)
    objectives = study.problem.objective_values(study.values())
    if known is None or known.numbers != numbers:
        reference = objectives[study.feasible].max(axis=0)
        ideal = objectives[study.feasible].min(axis=0)
        known = Curves(
            study.problem.objectives,
            tuple(reference.tolist()),
            numbers,
            (),
            tuple(ideal.tolist()) if len(ideal) > EXACT else None,
        )
    curves = {(one.searcher, one.seed): one for one in known.curves}
    curves[searcher, seed] = _curve(searcher, seed, study, known)
    names = [name for name in BASELINES if name in searching.names()]
    # Seed by seed, so that all have about equally many where the time ends.
    due = [(name, seed + i) for i in range(SEEDS) for name in dict.fromkeys((searcher, *names))]
    due = [one for one in due if one not in curves] if seconds else []
    end, took = time.monotonic() + seconds, dict.fromkeys((searcher, *names), 0.0)
    with screen.progress("compare searchers", len(due)) as advance:
        for done, (name, number) in enumerate(due):
            began = time.monotonic()
            if number > seed and began + took[name] >= end:
                continue
            try:
                found: searching.Study | None = again(name, number)
            except InfeasibleError:
                found = None
            curves[name, number] = _curve(name, number, found, known)
            took[name] = time.monotonic() - began
            advance(done + 1, name)
    return replace(known, curves=tuple(curves.values()))


def compare_seconds(took: float) -> float:
    """How long comparing may take after a search that took so many seconds."""
    return max(SECONDS, SHARE * took)


def curve_numbers(evaluations: int) -> tuple[int, ...]:
    """After how many evaluations a curve has its points, ascending; the last is the end."""
    first = min(10, evaluations)
    spaced = np.geomspace(first, evaluations, NUMBERS).round().astype(int)
    return tuple(np.unique(spaced).tolist())


def write_curves(run: Run, found: Mapping[str, Any], curves: Curves) -> None:
    """``curves.json``, which says what search it belongs to, by the document that this left.

    Raises ``NasLoopError``.
    """
    document = {"format": CURVES_FORMAT, "belongs": curves_belong_to(found), **asdict(curves)}
    write_atomic(run.curves, json.dumps(document) + "\n")


def known_curves(run: Run, found: Mapping[str, Any]) -> Curves | None:
    """What ``write_curves`` left of a search on the same predictions, if there is any.

    A file that is damaged is as none: it is written anew.
    """
    try:
        return read_document(run.curves, lambda document: read_curves(document, found))
    except ArtefactError:
        return None


def _curve(searcher: str, seed: int, study: searching.Study | None, of: Curves) -> Curve:
    """Zeros where nothing within the limits was met."""
    volumes: Floats = np.zeros(len(of.numbers))
    if study is not None:
        objectives = study.problem.objective_values(study.values())
        reference, ideal = np.array(of.reference), None if of.ideal is None else np.array(of.ideal)
        volumes = hypervolumes(objectives, study.feasible, of.numbers, reference, ideal)
    return Curve(searcher, seed, tuple(float(f"{volume:.8g}") for volume in volumes))
