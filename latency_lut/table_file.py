"""The file of a latency table: JSON that says what its numbers are."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

import search_spaces
from latency_lut.accuracy import Accuracy
from latency_lut.arrays import Floats
from latency_lut.costs import FEATURES, CostFit, Costs
from latency_lut.entries import Entry
from latency_lut.fingerprint import Fingerprint
from latency_lut.fit import LEADING, Posterior, Scales
from latency_lut.latency import Latency
from latency_lut.pace import Pace, anchors
from latency_lut.references import NAMES
from latency_lut.seam import Sample
from latency_lut.table import Campaign, Donor, Fit, Further, LatencyTable, Network
from latency_lut.verification import Verification, require_verified
from latency_lut.windows import Window
from search_spaces.errors import ArtefactError, SpaceError
from search_spaces.files import write_atomic
from search_spaces.mismatch import apart
from search_spaces.space import Space

FORMAT = "nas-loop latency table"
VERSION = 7
# Version 6 says nothing of how far the scales are unknown, and its fits did not count it.
READ = (6, VERSION)
DIGITS = 9


def save(table: LatencyTable, path: str | Path) -> None:
    """Write ``table`` in one step. Raises ``NasLoopError`` if the disk is full."""
    document = {
        "format": FORMAT,
        "version": VERSION,
        "space": {
            "name": table.space.name,
            "identity": table.space.identity,
            "options": table.space.options,
        },
        "fingerprint": table.fingerprint.to_dict(),
        "campaign": asdict(table.campaign),
        "accuracy": {str(side): asdict(one) for side, one in table.accuracy.items()},
        "entries": {one.key: asdict(one) for one in table.entries.values()},
        "networks": [asdict(network) for network in table.networks],
        "fits": {str(side): _fit(fit) for side, fit in table.fits.items()},
        "samples": _samples(table.windows),
        "further": [
            {
                "campaign": asdict(one.campaign),
                "resolutions": list(one.resolutions),
                "pace": one.pace,
                "samples": _samples(one.windows),
            }
            for one in table.further
        ],
        "verified": [asdict(one) for one in table.verified],
        "donors": {
            str(side): [asdict(one) for one in donors] for side, donors in table.donors.items()
        },
        "costs": None if table.costs is None else _costs(table.costs),
    }
    write_atomic(path, json.dumps(document) + "\n")


def load(path: str | Path, space: Space) -> LatencyTable:
    """Read a table of ``space``.

    Raises ``ArtefactError``: no such file, no table, of another version, or of another space.
    """
    document = _document(Path(path))
    of = document.get("space", {})
    if of.get("identity") != space.identity:
        raise ArtefactError(
            f"{path}: the table is of space "
            f"{apart(of.get('name'), str(of.get('identity')), space.name, space.identity)}; use "
            "the space and the options that it was measured with, or measure again"
        )
    try:
        return _table(document, space)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise _damaged(path, error) from error


def fingerprint_of(path: str | Path) -> Fingerprint:
    """The device of a table of any space. Raises ``ArtefactError`` as ``pace_in`` does."""
    document = _document(Path(path))
    try:
        return Fingerprint.from_dict(document["fingerprint"])
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged(path, error) from error


def require_device(path: str | Path, here: Fingerprint) -> None:
    """Raises ``ArtefactError`` as ``LatencyTable.require`` does, for a table of any space."""
    document = _document(Path(path))
    try:
        verified = _verified(document)
        measured = Fingerprint.from_dict(document["fingerprint"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _damaged(path, error) from error
    try:
        require_verified(measured, verified, here)
    except ArtefactError as error:
        raise ArtefactError(f"{path}: {error}") from error


def space_in(path: str | Path) -> Space | None:
    """The space of a table, where ``search_spaces.get`` knows it; else None.

    Raises ``ArtefactError`` as ``pace_in`` does.
    """
    document = _document(Path(path))
    try:
        return _known_space(document["space"])
    except (KeyError, TypeError) as error:
        raise _damaged(path, error) from error


def pace_in(path: str | Path, side: int, macs: float) -> Pace:
    """The pace of a table of any space, for a network of ``macs`` on images of side ``side``.

    Without anchors where the table has no networks on such images, or is of a space that
    ``search_spaces.get`` does not know. Raises ``ArtefactError``: no such file, no table, or of
    another version.
    """
    document = _document(Path(path))
    try:
        times = document["campaign"]["usual_ms"]
        usual_ms = {name: float(times[name]) for name in NAMES}
        networks = tuple(_network(fields) for fields in document["networks"])
        space = _known_space(document["space"])
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged(path, error) from error
    like = anchors(space, networks, {side: [macs]}) if space else ()
    return Pace(usual_ms, like)


def _known_space(said: Mapping[str, Any]) -> Space | None:
    if said["options"] is None:
        return None
    try:
        space = search_spaces.get(said["name"], **said["options"])
    except SpaceError:
        return None
    return space if space.identity == said["identity"] else None


def _damaged(path: str | Path, error: Exception) -> ArtefactError:
    return ArtefactError(
        f"{path}: the latency table is damaged ({type(error).__name__}: {error}); measure it again"
    )


def _document(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ArtefactError(
            f"{path}: no latency table can be read there ({error.strerror}); "
            "`nas measure` makes one"
        ) from error
    except ValueError as error:
        raise ArtefactError(
            f"{path}: the latency table is no JSON, truncated perhaps ({error}); measure it again"
        ) from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ArtefactError(f"{path}: this JSON is no latency table; `nas measure` makes one")
    if document.get("version") not in READ:
        raise ArtefactError(
            f"{path}: the latency table has version {document.get('version')!r}, this program "
            f"reads {' and '.join(map(str, READ))}; measure it again or use the program that wrote "
            "it"
        )
    return document


def _table(document: Mapping[str, Any], space: Space) -> LatencyTable:
    return LatencyTable(
        space,
        Fingerprint.from_dict(document["fingerprint"]),
        Campaign(**document["campaign"]),
        {one.block: one for one in map(_entry, document["entries"].values())},
        tuple(_network(fields) for fields in document["networks"]),
        {int(side): _read_fit(fields) for side, fields in document["fits"].items()},
        {int(side): Accuracy(**fields) for side, fields in document["accuracy"].items()},
        _windows(document["samples"]),
        tuple(_further(fields) for fields in document["further"]),
        _verified(document),
        {int(side): tuple(map(_donor, donors)) for side, donors in document["donors"].items()},
        None if document["costs"] is None else _read_costs(document["costs"]),
    )


def _costs(costs: Costs) -> dict[str, Any]:
    return {
        "about": "a figure is the sum of its coefficients times the features; what is absent the "
        "device does not tell",
        "features": list(FEATURES),
        "measured": [{"row": list(row), "figures": dict(told)} for row, told in costs.measured],
        "fits": {name: asdict(fit) for name, fit in costs.fits.items()},
        "absent": list(costs.absent),
    }


def _read_costs(fields: Mapping[str, Any]) -> Costs:
    if fields["features"] != list(FEATURES):
        raise ValueError(f"costs have the features {', '.join(FEATURES)}")
    measured = tuple((tuple(one["row"]), dict(one["figures"])) for one in fields["measured"])
    fits = {
        name: CostFit(tuple(fit["coefficients"]), float(fit["mape"]))
        for name, fit in fields["fits"].items()
    }
    return Costs(measured, fits)


def _rounded(values: Floats) -> Any:
    # Nine digits are more than any clock gives, and half of what a double prints.
    return [
        _rounded(row) if isinstance(row, np.ndarray) else float(f"{row:.{DIGITS}g}")
        for row in values
    ]


def _fit(fit: Fit) -> dict[str, Any]:
    posterior = fit.posterior
    arrays = ("mean_ms", "own_ms", "shared_ms", "gain_ms")
    return {
        "about": "ms of a network = t_0 + t_1 x + the sum of t over its layers; x = the MB of its "
        "weights above threshold_mb, less the spilled_mb of its layers; t follows in the order of "
        "blocks; the covariance of t is diag(own^2) + shared shared' - gain' gain, and a measured "
        "network differs by a further share of its ms, of variance scales.network^2 + repeat^2 + "
        "unsure^2",
        "threshold_mb": fit.threshold_mb,
        "spilled_mb": list(fit.spilled_mb),
        "blocks": list(fit.blocks),
        **{name: _rounded(getattr(posterior, name)) for name in arrays},
        "scales": asdict(posterior.scales),
        "repeat": posterior.repeat,
        "unsure": posterior.unsure,
    }


def _read_fit(fields: Mapping[str, Any]) -> Fit:
    blocks = tuple(fields["blocks"])
    mean, own, shared, gain = (
        np.array(fields[name], dtype=np.float64)
        for name in ("mean_ms", "own_ms", "shared_ms", "gain_ms")
    )
    size = len(blocks) + LEADING
    spilled = tuple(fields["spilled_mb"])
    if (
        len(spilled) != len(blocks)
        or (mean.shape, own.shape, shared.shape[:1], gain.shape[1:]) != ((size,),) * 4
    ):
        raise ValueError(f"a fit of {len(blocks)} entries has arrays of other sizes")
    scales, repeat, unsure = Scales(**fields["scales"]), fields["repeat"], fields.get("unsure", 0.0)
    posterior = Posterior(mean, own, shared, gain, scales, repeat, unsure)
    return Fit(blocks, posterior, fields["threshold_mb"], spilled)


def _entry(fields: Mapping[str, Any]) -> Entry:
    tuples = {name: tuple(fields[name]) for name in ("models", "weights_mb")}
    return Entry(**{**fields, **tuples})


def _network(fields: Mapping[str, Any]) -> Network:
    measured = dict(fields["latency"])
    first, second = measured.pop("halves_ms")
    latency = Latency(**measured, halves_ms=(first, second))
    return Network(fields["resolution"], tuple(fields["row"]), fields["fitted"], latency)


def _further(fields: Mapping[str, Any]) -> Further:
    campaign = Campaign(**fields["campaign"])
    resolutions, samples = tuple(fields["resolutions"]), _windows(fields["samples"])
    return Further(campaign, resolutions, float(fields["pace"]), samples)


def _donor(fields: Mapping[str, Any]) -> Donor:
    return Donor(Fingerprint.from_dict(fields["fingerprint"]), fields["when"])


def _verified(document: Mapping[str, Any]) -> tuple[Verification, ...]:
    return tuple(
        Verification(**{**fields, "fingerprint": Fingerprint.from_dict(fields["fingerprint"])})
        for fields in document["verified"]
    )


def _samples(windows: Sequence[Window]) -> dict[str, Any]:
    models = sorted({visit.model for window in windows for visit in window.visits})
    number = {name: position for position, name in enumerate(models)}
    return {
        "about": "windows of visits; a visit is [number of the model, ms of its runs...]; before "
        "and after are the least of each reference network",
        "models": models,
        "windows": [
            {
                "leg": window.leg,
                "before": window.before,
                "after": window.after,
                "visits": [[number[v.model], *v.times_ms] for v in window.visits],
            }
            for window in windows
        ],
    }


def _windows(samples: Mapping[str, Any]) -> tuple[Window, ...]:
    return tuple(_window(fields, samples["models"]) for fields in samples["windows"])


def _window(fields: Mapping[str, Any], models: list[str]) -> Window:
    visits = tuple(Sample(models[i], tuple(times)) for i, *times in fields["visits"])
    return Window(fields["leg"], tuple(fields["before"]), tuple(fields["after"]), visits)
