"""What the rounds of a search have measured, on disk, so that a killed one goes on from there."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from latency_lut import Latency
from nas.jobs.rounds import Candidate
from search_spaces.errors import ArtefactError
from search_spaces.files import write_atomic

__all__ = ["recall", "remember"]

FORMAT = 1


def remember(path: Path, belongs: Mapping[str, str], rounds: Sequence[list[Candidate]]) -> None:
    """Write the candidates of all rounds in one step. Raises ``NasLoopError`` if it cannot."""
    document = {
        "format": FORMAT,
        "belongs": dict(belongs),
        "rounds": [[asdict(candidate) for candidate in one] for one in rounds],
    }
    write_atomic(path, json.dumps(document) + "\n")


def recall(path: Path, belongs: Mapping[str, str]) -> list[list[Candidate]]:
    """The candidates of each round; none where there is no file.

    Raises ``ArtefactError``: the file is damaged, or of another search.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["format"] != FORMAT:
            raise ValueError(f"format {document['format']!r}, this version reads {FORMAT}")
        rounds = [[_candidate(fields) for fields in one] for one in document["rounds"]]
        known = document["belongs"]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ArtefactError(
            f"{path}: the measured candidates are damaged ({type(error).__name__}: {error}); "
            "search without --resume"
        ) from error
    if known != dict(belongs):
        raise ArtefactError(
            f"{path}: the measured candidates there are of another search; search without --resume"
        )
    return rounds


def _candidate(fields: Mapping[str, Any]) -> Candidate:
    latency = Latency(**{**fields["latency"], "halves_ms": tuple(fields["latency"]["halves_ms"])})
    return Candidate(tuple(fields["row"]), fields["resolution"], fields["point"], latency)
