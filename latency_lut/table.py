"""A latency table: what every network of a space takes on one device, and how sure that is."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, overload

import numpy as np
import numpy.typing as npt

from latency_lut import costs
from latency_lut import entries as naming
from latency_lut.accuracy import Accuracy
from latency_lut.arrays import Floats
from latency_lut.conditions import Conditions
from latency_lut.costs import Costs
from latency_lut.entries import Entry
from latency_lut.fingerprint import Fingerprint
from latency_lut.fit import Posterior
from latency_lut.latency import Latency
from latency_lut.populations import resolutions_of
from latency_lut.vectors import Vectors
from latency_lut.verification import Verification, require_verified
from latency_lut.windows import Window
from search_spaces.errors import ArtefactError
from search_spaces.space import Space

BATCH = 8192


@dataclass(frozen=True)
class Network:
    """A whole network that was measured: its row, and whether the fit saw it."""

    resolution: int
    row: tuple[int, ...]
    fitted: bool
    latency: Latency


@dataclass(frozen=True)
class Fit:
    """The fit of one resolution: an intercept, a price of spilled weights, and the ``blocks``.

    Weights of a network above ``threshold_mb`` spill; ``spilled_mb`` are what each entry's own
    measurement spilled already.
    """

    blocks: tuple[str, ...]
    posterior: Posterior
    threshold_mb: float
    spilled_mb: tuple[float, ...]


@dataclass(frozen=True)
class Campaign:
    """How a table was measured.

    ``steady`` is the share of windows in which the reference networks kept still,
    ``disagreement`` the median difference of the halves over whole networks (0.01 for 1%).
    ``noisy`` tables were published although the halves disagree too much, because it was asked.
    ``seconds`` are those of every process that measured for it, where it was interrupted.
    ``conditions`` are what the device told ``before`` and ``after``: governor, temperature, load.
    """

    when: str
    rounds: int
    runs: int
    seconds: float
    steady: float
    disagreement: float
    noisy: bool
    usual_ms: Mapping[str, float]
    conditions: Mapping[str, Conditions] = field(default_factory=dict)


@dataclass(frozen=True)
class Further:
    """A later campaign, which added ``resolutions`` to a table or measured them again.

    The machine ran at another pace that day: in the table its times are multiplied by ``pace``, so
    that they compare with those of the first campaign. ``windows`` are its samples as they came.
    """

    campaign: Campaign
    resolutions: tuple[int, ...]
    pace: float
    windows: tuple[Window, ...]


@dataclass(frozen=True)
class Donor:
    """A table that a fit was made from: of which device, and when that one was measured."""

    fingerprint: Fingerprint
    when: str


@dataclass(frozen=True, eq=False)
class LatencyTable:
    """The table of ``space`` on the device of ``fingerprint``.

    ``accuracy`` is that on held-out networks, by resolution; ``windows`` are the raw samples.
    ``campaign`` is the first, at whose pace all times are, also those of ``further`` campaigns.
    ``verified`` are checks whether it holds, perhaps after an update of the device, in their order.
    A resolution in ``donors`` has no blocks measured on the device: it is fitted to a few whole
    networks and to tables of other devices. Its accuracy is by leaving out each of the networks.
    ``costs`` are memory and energy, None where no network was run alone for them.
    """

    space: Space
    fingerprint: Fingerprint
    campaign: Campaign
    entries: Mapping[str, Entry]
    networks: tuple[Network, ...]
    fits: Mapping[int, Fit]
    accuracy: Mapping[int, Accuracy]
    windows: tuple[Window, ...]
    further: tuple[Further, ...] = ()
    verified: tuple[Verification, ...] = ()
    donors: Mapping[int, tuple[Donor, ...]] = field(default_factory=dict)
    costs: Costs | None = None

    @property
    def campaigns(self) -> tuple[Campaign, ...]:
        """Those that the fits come from, the latest last."""
        later = {side for one in self.further for side in one.resolutions}
        first = (self.campaign,) if set(self.fits) - later else ()
        return (*first, *(one.campaign for one in self.further))

    @property
    def noisy(self) -> bool:
        """Whether a campaign contradicted itself and was published because it was asked."""
        return any(campaign.noisy for campaign in self.campaigns)

    @classmethod
    def load(cls, path: str | Path, space: Space) -> LatencyTable:
        """Read a table. Raises ``ArtefactError`` if it is none, or not of ``space``."""
        from latency_lut import table_file

        return table_file.load(path, space)

    def save(self, path: str | Path) -> None:
        """Write the table as JSON, atomically."""
        from latency_lut import table_file

        table_file.save(self, path)

    def require(self, fingerprint: Fingerprint) -> None:
        """Raises ``ArtefactError`` if the table was measured on another device than this one.

        A device that was updated since is the same where its latest verification found the table
        to hold; where that found that it does not, the table is refused on its own device too.
        """
        require_verified(self.fingerprint, self.verified, fingerprint)

    @overload
    def predict(self, X: npt.ArrayLike) -> Floats: ...

    @overload
    def predict(self, X: npt.ArrayLike, return_std: Literal[True]) -> tuple[Floats, Floats]: ...

    def predict(self, X: npt.ArrayLike, return_std: bool = False) -> Floats | tuple[Floats, Floats]:
        """``latency_ms`` of a population: [n]; with ``return_std`` the standard deviations too.

        A deviation is that of measuring the network against the prediction.

        Raises:
            ArtefactError: an entry or a resolution that the rows need is not in the table; it is
                named, and nothing is counted as zero.
        """
        index = self.space.index(X)
        sides = resolutions_of(self.space, index)
        mean = np.empty(len(index))
        std = np.empty(len(index))
        self.require_resolutions(np.unique(sides).tolist())
        for side in np.unique(sides):
            rows = np.flatnonzero(sides == side)
            vectors = self._by_resolution[int(side)]
            mean[rows] = vectors.means(index[rows])
            if np.isnan(mean[rows]).any():
                self._name_missing(index[rows], vectors, int(side))
            for start in range(0, len(rows) if return_std else 0, BATCH):
                part = rows[start : start + BATCH]
                std[part] = vectors.deviations(index[part])
        return (mean, std) if return_std else mean

    def cost(self, name: str, X: npt.ArrayLike) -> Floats:
        """``peak_memory_mb`` or ``energy_mj`` of a population: [n].

        Raises ``ArtefactError``: the table has none, and why.
        """
        fits = {} if self.costs is None else self.costs.fits
        if name not in fits:
            known = _listed(fits) or "neither memory nor energy"
            why = "nobody measured it" if self.costs is None else self.costs.why_absent(name)
            raise ArtefactError(f"the latency table has {known}, no {name}: {why}")
        return costs.predict(self.space, fits[name], X)

    def require_resolutions(self, sides: Sequence[int]) -> None:
        """Raises ``ArtefactError`` if the table has no fit for one of the image sides."""
        missing = [side for side in sides if side not in self.fits]
        if missing:
            options = " ".join(f"--resolution {side}" for side in missing)
            raise ArtefactError(
                f"the latency table has resolutions {_listed(self.fits)}, not {_listed(missing)}; "
                f"`nas measure RUN {options}` adds what is missing to the run's table"
            )

    def vectors(self, side: int) -> Vectors:
        """The fit at an image side, spread over the specs; what it lacks is NaN there.

        Raises ``ArtefactError`` if the table has no fit for it.
        """
        self.require_resolutions([side])
        return self._by_resolution[side]

    @functools.cached_property
    def _by_resolution(self) -> Mapping[int, Vectors]:
        specs = self.space.specs
        return {
            side: Vectors(specs, fit.blocks, fit.posterior, fit.threshold_mb, fit.spilled_mb)
            for side, fit in self.fits.items()
        }

    def _name_missing(self, index: npt.NDArray[np.int32], vectors: Vectors, side: int) -> None:
        missing = np.unique(index[np.isnan(vectors.mean[index])])
        names = [naming.block_key(self.space.specs[number]) for number in missing]
        raise ArtefactError(
            f"the latency table lacks {len(names)} entries at resolution {side}, the first is "
            f"{names[0]}; measure the table again with `nas measure`"
        )


def _listed(names: Iterable[object]) -> str:
    return ", ".join(map(str, names))
