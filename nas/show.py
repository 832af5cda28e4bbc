"""Architectures printed and compared: decisions, layers and costs side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from nas.layers import details
from search_spaces import catalogue
from search_spaces.architecture import Architecture
from search_spaces.errors import SpaceError
from search_spaces.space import Space
from search_spaces.specs import LayerSpec

DIFFERS = "bold yellow"
ABSENT = "–"


class Predicts(Protocol):
    """A latency table, as far as showing goes."""

    def predict(self, X: npt.ArrayLike) -> npt.NDArray[np.floating[Any]]:
        """Latency in ms [n] of rows [n, choices]."""
        ...


def to_dict(
    architectures: Sequence[Architecture],
    space: Space,
    table: Predicts | None = None,
    names: Sequence[str] | None = None,
) -> dict[str, Any]:
    """What ``render`` shows, for ``--json``: costs, decisions and layers of each architecture.

    A decision that the network does not ask is None. ``predicted_latency_ms`` needs a table.

    Raises:
        SpaceError: no architecture, one of another space, or not a name for each.
    """
    titles = _titles(architectures, names)
    X = np.stack([space.encode(architecture) for architecture in architectures])
    used, macs, parameters = space.used(X), space.macs(X), space.parameters(X)
    latency = None if table is None else table.predict(X)
    shown = []
    for i, (title, architecture) in enumerate(zip(titles, architectures, strict=True)):
        plan = space.lower(architecture)
        entry: dict[str, Any] = {
            "name": title,
            "digest": space.digest(architecture),
            "macs": int(macs[i]),
            "parameters": int(parameters[i]),
            "layers": [
                {"slot": node.slot, "layer": describe(node.spec), "macs": node.spec.macs}
                for node in plan.nodes
            ],
            "choices": {
                name: value if read or len(choice.values) == 1 else None
                for (name, value), choice, read in zip(
                    architecture.values, space.choices, used[i], strict=True
                )
            },
        }
        if latency is not None:
            entry["predicted_latency_ms"] = float(latency[i])
        shown.append(entry)
    return {"space": space.name, "identity": space.identity, "architectures": shown}


def render(
    architectures: Sequence[Architecture],
    space: Space,
    table: Predicts | None = None,
    names: Sequence[str] | None = None,
) -> RenderableType:
    """A picture for the terminal: what differs between the architectures is highlighted.

    Raises:
        SpaceError: no architecture, one of another space, or not a name for each.
    """
    entries = to_dict(architectures, space, table, names)["architectures"]
    costs = _columns(f"{space.name}: costs", entries)
    _line(costs, "MMACs", entries, lambda entry: f"{entry['macs'] / 1e6:.2f}")
    _line(costs, "parameters", entries, lambda entry: f"{entry['parameters']:,}")
    _line(costs, "layers", entries, lambda entry: str(len(entry["layers"])))
    if table is not None:
        _line(costs, "latency, predicted", entries, lambda e: f"{e['predicted_latency_ms']:.3f} ms")
    _line(costs, "digest", entries, lambda entry: entry["digest"][:12])
    choices = _columns("choices", entries)
    for choice in space.choices:
        _line(choices, choice.name, entries, partial(_value, choice.name))
    layers = _columns("layers", entries)
    for slot in space.slots:
        _line(layers, slot, entries, partial(_layer, slot))
    return Group(costs, choices, layers)


def spaces_table() -> tuple[dict[str, Any], RenderableType]:
    """All spaces with their default options, for ``--json`` and as a picture.

    Size is the number of different rows; each cost is its least and its most over all networks,
    whichever networks these are.
    """
    table = Table(header_style="bold")
    for title in ("space", "networks", "choices", "MMACs", "M parameters"):
        table.add_column(title, no_wrap=True)
    spaces = []
    for name in catalogue.names():
        space = catalogue.get(name)
        macs = space.bounds([spec.macs for spec in space.specs])
        parameters = space.bounds([spec.params for spec in space.specs])
        sides = [list(choice.values) for choice in space.choices if choice.name == "resolution"]
        spaces.append(
            {
                "name": name,
                "size": space.size,
                "choices": len(space.choices),
                "resolutions": sides[0] if sides else [],
                **{
                    end: {"macs": int(macs[i]), "parameters": int(parameters[i])}
                    for i, end in enumerate(("smallest", "largest"))
                },
            }
        )
        table.add_row(
            name,
            # All columns must fit into 80 characters; large spaces have twenty digits.
            f"{space.size:,}" if space.size < 10**9 else f"{space.size:.2e}",
            str(len(space.choices)),
            f"{macs[0] / 1e6:.2f} to {macs[1] / 1e6:.2f}",
            f"{parameters[0] / 1e6:.2f} to {parameters[1] / 1e6:.2f}",
        )
    return {"spaces": spaces}, table


def describe(spec: LayerSpec) -> str:
    """A layer in one line: its kind, the shapes in and out, and what else makes it."""
    shapes = " + ".join(_shape(tensor.shape) for tensor in spec.inputs)
    line = (
        f"{type(spec).__name__} {shapes} → {_shape(spec.output.shape)} {', '.join(details(spec))}"
    )
    return line.rstrip()


def _titles(architectures: Sequence[Architecture], names: Sequence[str] | None) -> list[str]:
    if not architectures:
        raise SpaceError("nothing to show; give at least one architecture")
    titles = list(names) if names is not None else [f"#{i + 1}" for i in range(len(architectures))]
    if len(titles) != len(architectures):
        raise SpaceError(
            f"one name for each architecture; got {len(titles)} for {len(architectures)}"
        )
    return titles


def _columns(title: str, entries: Sequence[dict[str, Any]]) -> Table:
    table = Table(title=title, title_justify="left", header_style="bold")
    table.add_column("")
    for entry in entries:
        table.add_column(Text(entry["name"]))
    return table


def _line(
    table: Table,
    label: str,
    entries: Sequence[dict[str, Any]],
    cell: Callable[[dict[str, Any]], str],
) -> None:
    cells = [cell(entry) for entry in entries]
    style = DIFFERS if len(set(cells)) > 1 else ""
    table.add_row(Text(label), *(Text(text, style=style) for text in cells))


def _value(choice: str, entry: dict[str, Any]) -> str:
    value = entry["choices"][choice]
    return ABSENT if value is None else str(value)


def _layer(slot: str, entry: dict[str, Any]) -> str:
    found = [layer["layer"] for layer in entry["layers"] if layer["slot"] == slot]
    return str(found[0]) if found else ABSENT


def _shape(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))


def searchers_table() -> tuple[dict[str, Any], RenderableType]:
    """All searchers with their papers, for ``--json`` and as a picture."""
    from nas.search.searchers import SEARCHERS

    exact = "the true optimum of a predictor under limits is no search: nas search --exact"
    table = Table("searcher", "after", header_style="bold", caption=exact, caption_justify="left")
    for name, entry in SEARCHERS.items():
        table.add_row(name, entry.paper)
    listed = [{"name": name, "paper": entry.paper} for name, entry in SEARCHERS.items()]
    return {"searchers": listed}, table
