"""What a page may post, checked by hand: whatever is not exactly that is ``Malformed``."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from latency_lut.seam import Sample

# A chunk of visits has a few kilobytes of times; nothing that is meant comes near this.
MOST_BYTES = 1 << 18
LONGEST = 512
MOST_CORES = 4096
# A nanosecond and a day: whatever takes less or more is no time of a run.
LEAST_MS, MOST_MS = 1e-6, 86_400_000.0
MOST_WORK = 1 << 53


class MalformedError(Exception):
    """A post that is not what it should be; says what it should be."""


@dataclass(frozen=True)
class Page:
    """What a page says of the browser it is in.

    ``model`` is empty where the browser does not tell. ``resolution_ms`` is the least step of its
    clock. ``isolated`` pages have threads and a fine clock; ``webgpu`` is whether there is a GPU
    that the page may use.
    """

    user_agent: str
    platform: str
    model: str
    cores: int
    isolated: bool
    resolution_ms: float
    webgpu: bool


@dataclass(frozen=True)
class Failure:
    """The page could not do what it was asked; its words, on one line."""

    words: str


def parse(body: bytes) -> dict[str, Any]:
    """A JSON object. Raises ``MalformedError``; NaN and infinities are no JSON."""

    def refuse(word: str) -> None:
        raise ValueError(f"{word} is no number")

    try:
        document = json.loads(body.decode("utf-8"), parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise MalformedError("a post is one JSON object") from error
    if not isinstance(document, dict):
        raise MalformedError("a post is one JSON object")
    return document


def require(document: dict[str, Any], *keys: str) -> list[Any]:
    """The values of exactly these keys."""
    if set(document) != set(keys):
        raise MalformedError(f"a post of this kind has {', '.join(keys)}")
    return [document[key] for key in keys]


def _is_whole(value: object, least: int, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def whole(value: object) -> int:
    """A number of a piece of work. Raises ``MalformedError``."""
    if isinstance(value, int) and _is_whole(value, 0, MOST_WORK):
        return value
    raise MalformedError("work is a whole number")


def milliseconds(value: object) -> float:
    """A time that a clock can have told. Raises ``MalformedError``."""
    number = value if isinstance(value, int | float) and not isinstance(value, bool) else 0
    if LEAST_MS <= number <= MOST_MS:
        return float(number)
    raise MalformedError(f"times are from {LEAST_MS:g} to {MOST_MS:g} milliseconds")


def text(value: object) -> str:
    """A line that can be shown in a terminal. Raises ``MalformedError``."""
    if isinstance(value, str) and len(value) <= LONGEST and value.isprintable():
        return value
    raise MalformedError(f"texts are one printable line of at most {LONGEST} characters")


def page(document: dict[str, Any]) -> Page:
    """What a page says of itself when it is opened. Raises ``MalformedError``."""
    names = ("user_agent", "platform", "model", "cores", "isolated", "resolution_ms", "webgpu")
    agent, platform, model, cores, isolated, resolution, webgpu = require(document, *names)
    if not _is_whole(cores, 1, MOST_CORES):
        raise MalformedError("cores is a whole number from 1")
    if not (isinstance(isolated, bool) and isinstance(webgpu, bool)):
        raise MalformedError("isolated and webgpu are true or false")
    return Page(
        text(agent),
        text(platform),
        text(model),
        cores,
        isolated,
        milliseconds(resolution),
        webgpu,
    )


Reader = Callable[[dict[str, Any]], Any]


def answer_reader(read: Reader) -> Reader:
    """``read`` for an answer that may also be ``{"error": TEXT}``, a ``Failure``."""

    def either(document: dict[str, Any]) -> Any:
        if "error" not in document:
            return read(document)
        (words,) = require(document, "error")
        if not isinstance(words, str):
            raise MalformedError("an error is a text")
        plain = "".join(c if c.isprintable() else " " for c in words[:LONGEST])
        return Failure(" ".join(plain.split()) or "an error without a word")

    return either


def loaded_reader() -> Reader:
    """Reads the answer to a model that was to be loaded: ms of its fastest run."""
    return answer_reader(lambda document: milliseconds(*require(document, "run_ms")))


def samples_reader(visits: Sequence[str], runs: int) -> Reader:
    """Reads the answer to ``visits`` of ``runs`` runs each: one ``Sample`` for each, in order."""

    def read(document: dict[str, Any]) -> list[Sample]:
        (entries,) = require(document, "samples")
        if not isinstance(entries, list) or len(entries) != len(visits):
            raise MalformedError(f"{len(visits)} samples are due")
        return [one(entry, name) for entry, name in zip(entries, visits, strict=True)]

    def one(entry: object, name: str) -> Sample:
        if not isinstance(entry, dict):
            raise MalformedError("a sample is a JSON object")
        model, times = require(entry, "model", "ms")
        if model != name:
            raise MalformedError(f"a sample of {name!r} is due")
        if not isinstance(times, list) or len(times) != runs:
            raise MalformedError(f"a sample has {runs} times")
        return Sample(name, tuple(milliseconds(ms) for ms in times))

    return answer_reader(read)
