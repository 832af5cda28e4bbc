"""What the rounds of a search have measured, on disk, so that a killed one goes on from there."""

from __future__ import annotations

import ast
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
NAMED = {"guide": "what it goes by", "table": "the latency table", "data": "the images"}
OPTIONS = {
    "latency_ms": "--latency-ms",
    "searcher": "--searcher",
    "predictor": "--predictor",
    "proxy": "--proxy",
    "evaluations": "--budget",
    "seed": "--seed",
    "confidence": "--confidence",
    "objectives": "--objective",
    "limits": "--limit",
    "dimensions": "--dimension",
    "minutes": "--minutes",
    "stagnation": "--stagnation",
}
"""What users call what a search is told."""


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
            f"{path}: the measured candidates there are of another search ("
            f"{_differing(known, belongs)}); repeat that, leave out --resume, or choose another -o"
        )
    return rounds


def _differing(known: Mapping[str, str], belongs: Mapping[str, str]) -> str:
    """In what a search differs from the one that is known, in words."""
    names = [name for name in {**known, **belongs} if known.get(name) != belongs.get(name)]
    said = []
    if "options" in names:
        there, here = _options(known.get("options")), _options(belongs.get("options"))
        told = [name for name in {**there, **here} if there.get(name) != here.get(name)]
        begun = ", ".join(_option(name, there.get(name)) for name in told)
        said.append(f"it was started {begun}" if told else "its options were others")
    others = [NAMED.get(name, f"the {name}") for name in names if name != "options"]
    return "; ".join([*said, *([f"{', '.join(others)} changed since"] if others else [])])


def _options(text: str | None) -> dict[str, Any]:
    """The options of a search, from what ``str`` makes of them; none of what is no such text."""
    try:
        call = ast.parse(text or "", mode="eval").body
        return {one.arg: ast.literal_eval(one.value) for one in call.keywords if one.arg}  # type: ignore[attr-defined]
    except (SyntaxError, ValueError, AttributeError):
        return {}


def _option(name: str, value: Any) -> str:
    option = OPTIONS.get(name)
    if option is None:
        return f"with search.{name} {value} in the configuration"
    if value in (None, ()):
        return f"without {option}"
    if isinstance(value, tuple):
        return " ".join(["with", *(f"{option} {_typed(one)}" for one in value)])
    return f"with {option} {value}"


def _typed(one: str | tuple[str, float | tuple[float, ...]]) -> str:
    """A value of an option that can be repeated, as users write it."""
    if isinstance(one, str):
        return one
    name, value = one
    values = value if isinstance(value, tuple) else (value,)
    return "=".join([name, *([",".join(map(str, values))] if values else [])])


def _candidate(fields: Mapping[str, Any]) -> Candidate:
    latency = Latency(**{**fields["latency"], "halves_ms": tuple(fields["latency"]["halves_ms"])})
    return Candidate(tuple(fields["row"]), fields["resolution"], fields["point"], latency)
