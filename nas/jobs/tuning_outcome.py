"""What came of a search over fine-tunings: the subnet that it was for, and all trials."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from latency_lut import LatencyTable
from nas import search as searching
from nas.jobs.tuning import DOCUMENT
from nas.jobs.tuning_plan import TuningOptions
from nas.jobs.tuning_trials import epochs_of
from search_spaces.errors import NasLoopError

__all__ = ["best_of", "failed", "trials_document"]


def best_of(study: searching.Study) -> int:
    """The number of the most accurate whole fine-tuning, of equals the fastest and then the first.

    Raises ``NasLoopError`` where there is none.
    """
    whole = np.flatnonzero(study.feasible)
    if not len(whole):
        failures = study.failures()
        if not failures:
            raise NasLoopError(
                "no subnet was fine-tuned to the end; raise --budget and add --resume"
            )
        raise NasLoopError(
            f"no subnet was fine-tuned to the end, {len(failures)} failed, the last: "
            f"{failures[-1].said}; lower --learning-rate with another --out, or raise --budget and "
            "add --resume to try others"
        )
    error, latency = study.values(whole).T
    return int(whole[np.lexsort((whole, latency, error))[0]])


def failed(trials: Sequence[Mapping[str, Any]]) -> str:
    """How many subnets of a document's trials failed, as a part of a sentence; "" for none."""
    count = len({trial["digest"] for trial in trials if "failure" in trial})
    if not count:
        return ""
    whose = "1 subnet failed: its loss" if count == 1 else f"{count} subnets failed: their loss"
    return f"{whose} was no number, see {DOCUMENT}"


def trials_document(
    study: searching.Study, table: LatencyTable, options: TuningOptions
) -> list[dict[str, Any]]:
    """Every trial in the order of evaluation; of equal networks the first alone."""
    space, records = study.problem.space, study.records
    numbers = np.arange(len(study))
    told = []
    for number in numbers[study.equal(numbers) == numbers].tolist():
        row, failed = records.rows[number], records.failures[number]
        told.append(
            {
                "digest": space.digest(space.decode(row)),
                "epochs": epochs_of(float(records.fidelity[number]), options.epochs),
                "val_accuracy": None
                if failed
                else round(100.0 - float(records.values[number, 0]), 3),
                "latency_ms": round(float(table.predict(row[None])[0]), 6),
                "seconds": round(float(records.seconds[number]), 1),
                **({"failure": failed} if failed else {}),
            }
        )
    return told
