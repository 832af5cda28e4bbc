"""What a user typed becomes what a search is asked for."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial

from latency_lut import LatencyTable
from nas.jobs.asked import Asked
from nas.jobs.budget import UPPER
from nas.jobs.dimensions import OF_TABLES, Chosen, made
from nas.jobs.tables import identity_of, named_tables
from nas.jobs.trained import TrainedRun
from nas.own_function import is_own, own_function
from nas.quantities import ACCURACY, LATENCY, Quantity, get
from nas.search.problem import RESERVED
from search_spaces.errors import ConfigError
from search_spaces.files import sha256_of

__all__ = ["asked_of", "limits_of", "pairs"]

TAKEN = ("error", "latency_ms", UPPER, *RESERVED)


def asked_of(
    trained: TrainedRun,
    table: LatencyTable | None,
    objectives: Sequence[str],
    limits: Sequence[tuple[str, float]],
    deviations: float = 0.0,
    dimensions: Chosen = (),
) -> Asked:
    """What the names mean for a run whose search goes by ``table``.

    Raises:
        SearchError, ConfigError: a name that means nothing here, is given twice, or is a search's
            own; latency of ``table``, which has a budget of its own; a resolution that is no
            choice.
        ArtefactError: a table that is named is damaged, or lacks the figure.
    """
    names = [name for name in objectives if name not in (ACCURACY, LATENCY)]
    limited = dict(limits)
    least = limited.pop(ACCURACY, None)
    for name in (LATENCY, "latency_ms"):
        if name in limited:
            raise ConfigError(
                "the latency of the device that is searched for has an option of its own: "
                f"--latency-ms {limited[name]:g} in place of --limit {name}={limited[name]:g}"
            )
    known, identities = _known(trained, table, dict.fromkeys([*names, *limited]))
    tables = named_tables(trained, [name.partition("@")[2] for name, _ in dimensions])
    for name, _ in dimensions:
        base, _, owner = name.partition("@")
        of = tables.get(owner, table)
        # What of the table at hand is corrected, its latency, is of each round's study anyway.
        if of is not None and base in OF_TABLES and name != LATENCY:
            identities[name] = _identity(of)
    over = partial(made, dimensions, trained.space, tables)
    over(table)  # What cannot be made is refused now, and not in the middle of a search.
    return Asked(
        tuple(known[name] for name in dict.fromkeys(names)),
        {known[name]: float(limit) for name, limit in limited.items()},
        least,
        deviations,
        identities,
        over,
    )


def _known(
    trained: TrainedRun, table: LatencyTable | None, names: Mapping[str, None]
) -> tuple[dict[str, Quantity], dict[str, str]]:
    space = trained.space
    tables = named_tables(trained, [name.partition("@")[2] for name in names if not is_own(name)])
    known: dict[str, Quantity] = {}
    identities: dict[str, str] = {}
    for name in names:
        if is_own(name):
            known[name], identities[known[name].name] = own_function(name, space)
            continue
        one = known[name] = get(name, space, table=table, tables=tables)
        if one.table is None:
            continue
        identities[name] = _identity(one.table)
        same = table is not None and table.fingerprint == one.table.fingerprint
        if same and name.startswith(LATENCY):
            raise ConfigError(
                f"{name} is the latency of the device that is searched for, which is an objective "
                "already and has --latency-ms"
            )
    # A study's file does not tell capitals from small letters.
    called = [one.name.casefold() for one in known.values()]
    for one in known.values():
        if one.name.casefold() in TAKEN:
            raise ConfigError(
                f"a search calls something of its own {one.name!r}, as it does "
                f"{', '.join(name for name in TAKEN if name != one.name.casefold())}; rename the "
                "function"
            )
        if called.count(one.name.casefold()) > 1:
            raise ConfigError(f"two functions are called {one.name!r}; rename one of them")
    return known, identities


def limits_of(texts: Sequence[str]) -> tuple[tuple[str, float], ...]:
    """Names and values of ``NAME=VALUE``; see ``pairs``."""
    return tuple(pairs(texts, "limit", "macs=3e8").items())


def pairs(texts: Sequence[str], what: str, example: str) -> dict[str, float]:
    """Names and values of texts ``NAME=VALUE``.

    Raises ``ConfigError``: another form, a value that is no finite number, a name given twice.
    """
    found: dict[str, float] = {}
    for text in texts:
        name, _, value = text.rpartition("=")
        try:
            limit = float(value)
        except ValueError:
            limit = math.nan
        if not name or not math.isfinite(limit):
            raise ConfigError(f"--{what} is NAME=NUMBER, for example {example}; got {text!r}")
        if name in found:
            raise ConfigError(f"--{what} {name} is given twice")
        found[name] = limit
    return found


def _identity(table: LatencyTable) -> str:
    fits = {} if table.costs is None else table.costs.fits
    costs = [f"{name} {fit.coefficients}" for name, fit in sorted(fits.items())]
    return sha256_of(" ".join([identity_of(table), *costs]).encode())
