"""What the map of a search is over: names and edges that a user typed become its dimensions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from latency_lut import LatencyTable
from latency_lut.costs import NAMES as COSTS
from nas.quantities import ACCURACY, LATENCY, NAMES, get
from nas.search import dimensions as over
from nas.search.archive import Dimension
from nas.search.searcher import Rows
from search_spaces.errors import ConfigError
from search_spaces.space import Space
from search_spaces.unknown import unknown

__all__ = ["MOST", "OF_TABLES", "Chosen", "dimensions_of", "made"]

Chosen = tuple[tuple[str, tuple[float, ...]], ...]
"""Names, and the edges between the cells of each; none where those of its values will do."""

MOST = 2
"""What a report draws: a map has two directions."""
RESOLUTION, LAYERS = "resolution", "layers"
COUNTED = {"macs": "million MACs", "parameters": "million parameters"}
MILLION = 1e6
OF_TABLES = (LATENCY, *COSTS)
SAMPLED = 1000
"""Networks whose costs say from where to where a dimension goes, where that is not said."""


def dimensions_of(texts: Sequence[str]) -> Chosen:
    """Names and edges of texts ``NAME`` or ``NAME=EDGE,EDGE,...``.

    Raises ``ConfigError``: more than a map has, a name given twice or one that means nothing,
    fewer than two edges, edges that are no numbers or do not rise.
    """
    if len(texts) > MOST:
        raise ConfigError(
            f"--dimension is given {len(texts)} times; a map is drawn over {MOST} at most"
        )
    found: dict[str, tuple[float, ...]] = {}
    for text in texts:
        name, _, edges = text.partition("=")
        _require_known(name)
        if name in found:
            raise ConfigError(f"--dimension {name} is given twice")
        found[name] = _edges(text, edges) if "=" in text else ()
    return tuple(found.items())


def made(
    chosen: Chosen, space: Space, tables: Mapping[str, LatencyTable], table: LatencyTable | None
) -> tuple[Dimension, ...]:
    """The dimensions of networks of ``space``; none where none are chosen.

    Args:
        tables: by name, those that names of dimensions have behind an ``@``.
        table: of the device that is searched for, whose names have none.

    Raises:
        ConfigError: the resolution is no choice.
        SearchError: the name of a quantity that is not, or a table is wanted.
        ArtefactError: the table lacks the figure.
    """
    return tuple(_made(*one, space, tables, table) for one in chosen)


def _made(
    name: str,
    edges: tuple[float, ...],
    space: Space,
    tables: Mapping[str, LatencyTable],
    table: LatencyTable | None,
) -> Dimension:
    usual: Dimension | None
    unit = 1.0
    if name == LAYERS:
        usual = over.layers(space)
    elif name == RESOLUTION:
        usual = over.resolution(space)
        if usual is None:
            raise ConfigError(
                f"--dimension {name}: all networks of {space.name} take one resolution"
            )
    else:
        quantity = get(name, space, table=table, tables=tables)
        unit = MILLION if name in COUNTED else 1.0
        title = COUNTED.get(name, f"{name}, {quantity.unit}")
        some = space.sample(SAMPLED, np.random.default_rng(0))
        ends = np.stack([space.smallest, space.largest])

        def function(rows: Rows) -> np.ndarray:
            return np.asarray(quantity.function(rows), dtype=np.float64) / unit

        usual = over.cost(title, function, np.concatenate([some, ends]))
    if not edges:
        return usual
    # Cells that a user cuts hold whatever falls into them, and stand for no number.
    return replace(usual, edges=np.array(edges) / unit, values=None)


def _require_known(name: str) -> None:
    base, at, _ = name.partition("@")
    if name == ACCURACY:
        raise ConfigError(f"--dimension {name}: it is what the best of each cell is chosen by")
    names = [one for one in NAMES if one != ACCURACY]
    if base not in (*names, RESOLUTION, LAYERS) or (at and base not in OF_TABLES):
        known = [*names, *(f"{one}@TABLE" for one in OF_TABLES), RESOLUTION, LAYERS]
        raise ConfigError(f"--dimension: {unknown('dimension', name, known)}")


def _edges(text: str, said: str) -> tuple[float, ...]:
    try:
        edges = tuple(float(edge) for edge in said.split(","))
    except ValueError:
        edges = ()
    if len(edges) < 2 or not all(map(math.isfinite, edges)):
        raise ConfigError(
            "--dimension is NAME or NAME=EDGE,EDGE,... with two edges or more, for example "
            f"macs=1e8,2e8,4e8; got {text!r}"
        )
    if any(low >= high for low, high in pairwise(edges)):
        raise ConfigError(f"--dimension: edges rise from one to the next; got {text!r}")
    return edges
