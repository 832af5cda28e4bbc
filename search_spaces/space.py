"""A search space: choices, populations as integer matrices, plans and vectorised costs."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from search_spaces import plan as plans
from search_spaces import tables
from search_spaces.architecture import Architecture
from search_spaces.choices import Choice
from search_spaces.emptiness import require_layers
from search_spaces.errors import SpaceError
from search_spaces.mismatch import apart
from search_spaces.net import Net
from search_spaces.plan import Node, Plan
from search_spaces.specs import LayerSpec, Tensor, described

if TYPE_CHECKING:
    from torch import nn

    from search_spaces.supernet import Supernet

Population = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Canonical = Callable[["Space", Population], Population]


class Space:
    """All networks that a ``Net`` with choices can become.

    A population ``X`` is an integer matrix [n, choices]: one option index for every choice.
    """

    def __init__(
        self,
        net: Net,
        name: str,
        *,
        rows_are_exact: bool = False,
        canonical: Canonical | None = None,
        size: int | None = None,
    ) -> None:
        """``rows_are_exact``: equal networks have equal canonical rows (tests hold it).

        It is taken back where rounding makes two options of a slot the same layer, unless the
        space's own ``canonical`` sees to that.

        ``canonical`` takes and returns rows whose unread choices are 0, and leaves what it
        returned as it is. With it comes ``size``, the number of rows that it leaves: the network
        alone does not tell which of its rows the space holds equal.

        Raises:
            SpaceError: a slot's table would be too large, or all slots may be skipped at once.
        """
        if (canonical is None) != (size is None):
            raise SpaceError(
                f"space {name!r}: canonical and size come together; got only "
                f"{'size' if canonical is None else 'canonical'}"
            )
        self.name = name
        self._trace = tables.trace(net)
        require_layers(self._trace, name)
        told = canonical is not None or tables.tells_apart(self._trace)
        self.rows_are_exact = rows_are_exact and told
        self._canonical = canonical
        self._size = size
        self.options: Mapping[str, Any] | None = None
        """What `search_spaces.get` was asked for; None for a space that was made without it."""

    @property
    def choices(self) -> tuple[Choice, ...]:
        """The decisions, in the order of a row."""
        return self._trace.choices

    @property
    def specs(self) -> tuple[LayerSpec, ...]:
        """The distinct specs of the whole space; number 0 is ``SKIP``."""
        return self._trace.specs

    @property
    def images(self) -> tuple[Tensor, ...]:
        """What networks take: one tensor for each resolution."""
        return self._trace.columns[0].outputs

    def reachable(self, image: Tensor | None = None) -> tuple[LayerSpec, ...]:
        """The specs that some network has, in the order of ``specs``; exact, ``SKIP`` left out.

        With ``image``, some network that takes it. ``specs`` may list more: where slots share a
        choice, layers that no row leads to.
        """
        return tables.reachable(self._trace, image)

    @property
    def classes(self) -> int:
        """How many numbers a network gives for an image."""
        return self.lower_row(self.largest).nodes[-1].spec.output.shape[0]

    @property
    def slots(self) -> tuple[str, ...]:
        """The slots in topological order: the columns of ``index``."""
        return tuple(column.slot for column in self._trace.columns[1:])

    @property
    def columns(self) -> tuple[tables.Column, ...]:
        """The image and the slots as tables: what may stand there, and what it takes."""
        return self._trace.columns

    @functools.cached_property
    def identity(self) -> str:
        """SHA-256 of choices, slots and what they build: artefacts of two spaces differ in it."""
        columns = [
            (c.slot, c.sources, c.reads, c.sizes, c.spec.tolist(), sorted(c.weights.items()))
            for c in self._trace.columns
        ]
        choices = [(choice.name, choice.values) for choice in self.choices]
        document = [choices, [described(spec) for spec in self.specs], columns]
        return hashlib.sha256(json.dumps(document).encode()).hexdigest()

    @functools.cached_property
    def size(self) -> int:
        """The number of canonical rows, counted exactly."""
        return tables.count(self._trace) if self._size is None else self._size

    def checked(self, X: npt.ArrayLike) -> Population:
        """``X`` as [n, choices]; raises ``SpaceError`` for rows that are not of this space."""
        rows = np.atleast_2d(np.asarray(X))
        if rows.dtype.kind not in "iu":
            raise SpaceError(f"rows hold option indices, integers; got dtype {rows.dtype}")
        if rows.shape[1:] != (len(self.choices),):
            raise SpaceError(
                f"rows of {self.name} have {len(self.choices)} columns; got shape {rows.shape}"
            )
        bad = np.argwhere((rows < 0) | (rows >= self._sizes))
        if len(bad):
            row, column = bad[0]
            choice = self.choices[column]
            raise SpaceError(
                f"row {row}: {choice.name!r} has options 0 to {len(choice.values) - 1}; "
                f"got {rows[row, column]}"
            )
        return rows.astype(np.int64, copy=False)

    @functools.cached_property
    def _sizes(self) -> Population:
        return np.array([len(choice.values) for choice in self.choices], dtype=np.int64)

    def _walk(self, rows: Population) -> tuple[Population, list[npt.NDArray[np.int64]]]:
        options = np.ascontiguousarray(rows.T)
        states: list[npt.NDArray[np.int64]] = []
        positions = []
        for column in self._trace.columns:
            position = column.positions(states, options)
            positions.append(position)
            states.append(column.state[position].astype(np.int64))
        return options, positions

    def index(self, X: npt.ArrayLike) -> npt.NDArray[np.int32]:
        """The plans of a population: [n, slots], numbers into ``specs``.

        Equal rows are equal plans.
        """
        return self._plans(self._walk(self.checked(X))[1])

    def _plans(self, positions: list[npt.NDArray[np.int64]]) -> npt.NDArray[np.int32]:
        columns = zip(self._trace.columns[1:], positions[1:], strict=True)
        return np.stack([column.spec[position] for column, position in columns], axis=1)

    def total(self, metric: npt.ArrayLike, X: npt.ArrayLike) -> Floats:
        """The sum over each row's layers of ``metric`` [specs]: [n]."""
        values = np.asarray(metric, dtype=np.float64)
        _, positions = self._walk(self.checked(X))
        total = np.zeros(len(positions[0]))
        for column, position in zip(self._trace.columns[1:], positions[1:], strict=True):
            total += values[column.spec][position]
        return total

    def peak(self, metric: npt.ArrayLike, X: npt.ArrayLike) -> Floats:
        """The largest ``metric`` [specs] among each row's layers: [n]."""
        return np.asarray(metric, dtype=np.float64)[self.index(X)].max(axis=1)

    @functools.cached_property
    def _macs(self) -> Floats:
        return np.array([spec.macs for spec in self.specs], dtype=np.float64)

    @functools.cached_property
    def _params(self) -> Floats:
        return np.array([spec.params for spec in self.specs], dtype=np.float64)

    def macs(self, X: npt.ArrayLike) -> Floats:
        """Multiply-accumulates of one image: [n]."""
        return self.total(self._macs, X)

    def parameters(self, X: npt.ArrayLike) -> Floats:
        """Trainable parameters: [n]."""
        return self.total(self._params, X)

    def bounds(self, metric: npt.ArrayLike) -> tuple[float, float]:
        """The least and the most that ``total`` of ``metric`` [specs] is in any network; exact."""
        return tables.bounds(self._trace, np.asarray(metric, dtype=np.float64))

    def walk(self, image: Tensor | None = None) -> Iterator[list[tables.Step]]:
        """The steps of every slot in order, the image's first, over all networks.

        With ``image``, over those that take it.
        """
        return tables.walk(self._trace, image)

    def used(self, X: npt.ArrayLike) -> npt.NDArray[np.bool_]:
        """Which choices each row reads: [n, choices]."""
        return self._used(*self._walk(self.checked(X)))

    def _used(
        self, options: Population, positions: list[npt.NDArray[np.int64]]
    ) -> npt.NDArray[np.bool_]:
        used = np.zeros_like(options, dtype=np.bool_)
        for column, position in zip(self._trace.columns, positions, strict=True):
            bits = column.read[position]
            for k, choice in enumerate(column.reads):
                used[choice] |= (bits >> k & 1).astype(np.bool_)
        return used.T

    def canonical(self, X: npt.ArrayLike) -> Population:
        """The rows with unread choices set to 0, as the space's own form where it has one.

        Equal rows, equal networks.
        """
        rows = self.checked(X)
        rows = np.where(self._used(*self._walk(rows)), rows, 0)
        return self._canonical(self, rows) if self._canonical else rows

    def resolved(
        self, X: npt.ArrayLike
    ) -> tuple[Population, npt.NDArray[np.bool_], npt.NDArray[np.int32]]:
        """``canonical`` rows [n, choices], and what ``used`` and ``index`` say of those.

        In one walk, and a second over the rows that a form of the space's own changes.
        """
        rows = self.checked(X)
        options, positions = self._walk(rows)
        used, plans = self._used(options, positions), self._plans(positions)
        rows = np.where(used, rows, 0)
        if self._canonical:
            own = self._canonical(self, rows)
            changed = np.flatnonzero((own != rows).any(axis=1))
            options, positions = self._walk(own[changed])
            used[changed], plans[changed] = self._used(options, positions), self._plans(positions)
            rows = own
        return rows, used, plans

    def sample(
        self,
        n: int,
        rng: np.random.Generator,
        uniform: Literal["choices", "networks"] = "choices",
    ) -> Population:
        """``n`` canonical rows, drawn with replacement: [n, choices].

        Uniform over choices favours networks that many rows describe (shallow ones). Uniform
        over networks keeps a row with a chance of one over the rows that differ from it in unread
        choices only, and of the rows that the space holds equal the canonical one.
        """
        if uniform == "choices":
            return self.canonical(rng.integers(0, self._sizes, (n, len(self._sizes))))
        kept: list[Population] = [np.empty((0, len(self._sizes)), dtype=np.int64)]
        while sum(map(len, kept)) < n:
            rows = rng.integers(0, self._sizes, (max(1024, 4 * n), len(self._sizes)))
            used = self.used(rows)
            describing = np.where(used, 1, self._sizes).astype(np.float64).prod(axis=1)
            accepted = rng.random(len(rows)) * describing < 1
            rows = np.where(used, rows, 0)[accepted]
            kept.append(rows[(self.canonical(rows) == rows).all(axis=1)])
        return np.concatenate(kept)[:n]

    def decode(self, row: npt.ArrayLike) -> Architecture:
        """The architecture of one row [choices]."""
        options = self.checked(row)[0]
        values = tuple((c.name, c.values[o]) for c, o in zip(self.choices, options, strict=True))
        return Architecture(self.name, self.identity, values)

    def encode(self, architecture: Architecture) -> Population:
        """The row [choices] of an architecture; the inverse of ``decode``."""
        if architecture.identity != self.identity:
            raise SpaceError(
                "the architecture is of space "
                f"{apart(architecture.space, architecture.identity, self.name, self.identity)}; "
                "use the space and options that it was made with"
            )
        given = dict(architecture.values)
        if set(given) != {choice.name for choice in self.choices}:
            odd = sorted(set(given) ^ {choice.name for choice in self.choices})
            raise SpaceError(f"an architecture has one value for every choice; check {odd}")
        row = []
        for choice in self.choices:
            if given[choice.name] not in choice.values:
                raise SpaceError(
                    f"{choice.name!r} is one of {choice.values}; got {given[choice.name]!r}"
                )
            row.append(choice.values.index(given[choice.name]))
        return np.array(row, dtype=np.int64)

    def lower(self, architecture: Architecture) -> Plan:
        """The plan that the decisions build."""
        return self.lower_row(self.encode(architecture))

    def lower_row(self, row: npt.ArrayLike) -> Plan:
        """The plan of one row [choices]."""
        found = self.index(row)[0]
        stands = {0: -1}
        nodes: list[Node] = []
        columns = self._trace.columns[1:]
        for position, (column, number) in enumerate(zip(columns, found, strict=True), start=1):
            inputs = tuple(stands[source] for source in column.sources)
            if number == 0:
                stands[position] = inputs[0]
                continue
            stands[position] = len(nodes)
            nodes.append(Node(column.slot, self.specs[number], inputs, column.weights[int(number)]))
        return Plan(tuple(nodes), (stands[len(columns)],))

    def digest(self, architecture: Architecture) -> str:
        """The network's own name: equal exactly for networks that are equal when trained alone."""
        return plans.digest(self.lower(architecture))

    @property
    def smallest(self) -> Population:
        """The row of first options, canonical: by convention the smallest network."""
        return self.canonical(np.zeros((1, len(self.choices)), dtype=np.int64))[0]

    @property
    def largest(self) -> Population:
        """The row of last options, canonical: by convention the largest network."""
        return self.canonical(self._sizes[None] - 1)[0]

    def weight_specs(self) -> dict[str, tuple[LayerSpec, ...]]:
        """For every key of weights, the specs that are slices of them."""
        sharing: dict[str, dict[LayerSpec, None]] = {}
        for column in self._trace.columns:
            for number, key in column.weights.items():
                if number:
                    sharing.setdefault(key, {})[self.specs[number]] = None
        return {key: tuple(specs) for key, specs in sharing.items()}

    def build(self, architecture: Architecture) -> nn.Module:
        """A plain network with fresh weights (PyTorch's generator draws them)."""
        from search_spaces.subnet import Subnet

        return Subnet(self.lower(architecture))

    def supernet(self) -> Supernet:
        """The network that holds the weights of all, fresh."""
        from search_spaces.supernet import Supernet

        return Supernet(self)
