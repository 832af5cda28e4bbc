"""What a bundle brought back, checked, and as a table."""

from __future__ import annotations

import json
import math
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from latency_lut import offline
from latency_lut.campaign import Effort
from latency_lut.fingerprint import Fingerprint
from latency_lut.journal import Journal
from latency_lut.measure import table_of
from latency_lut.plans import Plans, plans_of
from latency_lut.references import NAMES
from latency_lut.seam import Loaded, Sample
from latency_lut.table import LatencyTable
from latency_lut.windows import Window
from search_spaces.errors import ArtefactError, SpaceError
from search_spaces.mismatch import apart
from search_spaces.space import Space

# Far above what the largest campaign brings; an archive may claim anything.
LARGEST_BYTES = 1 << 29
# The kinds of a fingerprint's fields.
LIKE = Fingerprint("", "", 1, "", 1, "", "")


@dataclass(frozen=True, eq=False)
class Results:
    """A campaign that a bundle measured: its plans, its samples, and of which machine they are.

    ``effort`` is what was taken in the end, ``path`` where the results come from.
    """

    path: Path
    plans: Plans
    effort: Effort
    fingerprint: Fingerprint
    journal: Journal
    document: Mapping[str, Any]

    def table(self, rng: np.random.Generator, allow_noisy: bool = False) -> LatencyTable:
        """The table, made as that of a live campaign. Raises ``NoisyError`` as ``measure`` does."""
        seconds, conditions = float(self.document["seconds"]), self.document["conditions"]
        effort, here = self.effort, self.fingerprint
        table = table_of(
            self.plans, here, self.journal, effort, rng, seconds, allow_noisy, conditions
        )
        return replace(table, campaign=replace(table.campaign, when=str(self.document["when"])))


def read_results(path: Path, space: Space) -> Results:
    """Read ``results.json``, or a zip that has it, of a campaign on ``space``.

    Raises ``ArtefactError``: no such file, truncated or changed, of another space or version, or
    with samples that are none.
    """
    document = _document(path)
    plan = document["plan"]
    of = plan["space"]
    if of["identity"] != space.identity:
        raise ArtefactError(
            f"{path}: the results are of a bundle of space "
            f"{apart(of['name'], str(of['identity']), space.name, space.identity)}; name the run "
            "or the space that the bundle was made for"
        )
    try:
        plans = plans_of(space, plan["networks"])
        _require_models(plan, plans)
        journal = _journal(document, plans)
        rounds = _whole(document["rounds"])
        if rounds not in (plan["rounds"], 2 * plan["rounds"]):
            raise ValueError(f"{rounds} rounds of {plan['rounds']} that were asked for")
        effort = Effort(rounds, _whole(plan["runs"]), _whole(plan["legs"]))
        fingerprint = _fingerprint(document["fingerprint"], plan)
        _require_circumstances(document)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, SpaceError) as error:
        raise ArtefactError(
            f"{path}: the results are damaged ({type(error).__name__}: {error}); take results.json "
            "from the device again, or run the bundle there once more"
        ) from error
    return Results(path, plans, effort, fingerprint, journal, document)


def _document(path: Path) -> dict[str, Any]:
    again = "take results.json from the device again"
    try:
        document = json.loads(_text(path))
    except (OSError, zipfile.BadZipFile) as error:
        raise ArtefactError(f"{path}: there are no results of a bundle ({error})") from error
    except ValueError as error:
        raise ArtefactError(
            f"{path}: the results are no JSON, truncated perhaps ({error}); {again}"
        ) from error
    if not isinstance(document, dict) or document.get("format") != offline.FORMAT:
        raise ArtefactError(
            f"{path}: this is no file of results; a bundle (`nas measure --bundle`) leaves it as "
            f"{offline.RESULTS} when it is run"
        )
    if document.get("version") != offline.VERSION:
        raise ArtefactError(
            f"{path}: the results have version {document.get('version')!r}, this program reads "
            f"{offline.VERSION}; make the bundle again"
        )
    sum_, rest = document.get("sha256"), {k: v for k, v in document.items() if k != "sha256"}
    try:
        sound = sum_ == offline.digest(rest)
        plan = document["plan"]
        own = document["bundle"] == offline.digest(plan) and isinstance(plan["space"], dict)
    except (KeyError, TypeError, ValueError):
        sound = own = False
    if not sound or not own:
        raise ArtefactError(
            f"{path}: the results are not as the bundle wrote them (another checksum); {again}"
        )
    return document


def _text(path: Path) -> str:
    if not zipfile.is_zipfile(path):
        return path.read_text(encoding="utf-8")
    with zipfile.ZipFile(path) as archive:
        found = [one for one in archive.infolist() if Path(one.filename).name == offline.RESULTS]
        if len(found) != 1:
            raise OSError(
                f"{len(found)} files {offline.RESULTS} in it; a bundle leaves one when run"
            )
        if found[0].file_size > LARGEST_BYTES:
            raise OSError(f"{offline.RESULTS} in it is above {LARGEST_BYTES >> 20} MiB")
        return archive.read(found[0]).decode()


def _require_models(plan: Mapping[str, Any], plans: Plans) -> None:
    here = {model.name for model in plans.models}
    there = {one["name"] for one in plan["models"]}
    if here != there or [one["name"] for one in plan["references"]] != list(NAMES):
        raise ValueError(
            f"the bundle has {len(there)} models, {len(here & there)} of the {len(here)} that this "
            "program would ask for"
        )


def _journal(document: Mapping[str, Any], plans: Plans) -> Journal:
    names = {model.name for model in plans.models}
    journal = Journal(None)
    for one in document["loaded"]:
        journal.add(_loaded(one, names.union(NAMES)))
    for one in document["windows"]:
        journal.add(_window(one, names))
    visited = {visit.model for window in journal.windows for visit in window.visits}
    missing = sorted(names.difference(visited & journal.loaded.keys()))
    if missing:
        raise ValueError(f"{len(missing)} models have no samples, the first is {missing[0]!r}")
    return journal


def _loaded(one: Mapping[str, Any], names: set[str]) -> Loaded:
    memory = one["memory_bytes"]
    operators = {str(name): _whole(count) for name, count in one["operators"].items()}
    times = _times([one["run_ms"]], 1)
    return Loaded(
        _known(one["model"], names), operators, times[0], None if memory is None else _whole(memory)
    )


def _window(one: Mapping[str, Any], names: set[str]) -> Window:
    visits = tuple(_visit(visit, names) for visit in one["visits"])
    before, after = (_times(one[name], len(NAMES)) for name in ("before", "after"))
    return Window(_whole(one["leg"]), before, after, visits)


def _visit(one: Mapping[str, Any], names: set[str]) -> Sample:
    times = one["times_ms"]
    return Sample(_known(one["model"], names), _times(times, max(1, len(times))))


def _known(name: Any, names: set[str]) -> str:
    if name not in names:
        raise ValueError(f"{str(name)[:80]!r} is no model of the campaign")
    return str(name)


def _times(values: object, size: int) -> tuple[float, ...]:
    fine = isinstance(values, list) and all(
        isinstance(ms, float) and math.isfinite(ms) and ms > 0 for ms in values
    )
    if not isinstance(values, list) or not fine or len(values) != size:
        raise ValueError(f"{size} times above 0 were due, there is {str(values)[:80]}")
    return tuple(values)


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"a whole number was due, there is {str(value)[:80]}")
    return value


def _require_circumstances(document: Mapping[str, Any]) -> None:
    float(document["seconds"])
    if not isinstance(document["when"], str):
        raise ValueError("when it was measured is no text")
    told = document["conditions"]
    if not isinstance(told, dict) or not all(
        isinstance(one, dict) and all(isinstance(v, str | float | int | None) for v in one.values())
        for one in told.values()
    ):
        raise ValueError(f"{str(told)[:80]} are no conditions")


def _fingerprint(document: Mapping[str, Any], plan: Mapping[str, Any]) -> Fingerprint:
    found = Fingerprint.from_dict(document)
    wanted = {name: plan[name] for name in ("threads", "provider")}
    for field in fields(found):
        value, usual = getattr(found, field.name), getattr(LIKE, field.name)
        if type(value) is not type(usual) or value != wanted.get(field.name, value):
            raise ValueError(f"{field.name} {value!r} in the fingerprint")
    return found
