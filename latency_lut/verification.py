"""What a table's verification found."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from latency_lut.fingerprint import Fingerprint
from search_spaces.errors import ArtefactError

PACE = 0.1


def same_pace(pace: float) -> bool:
    """Whether milliseconds are what they were, within 10%."""
    return abs(math.log(pace)) <= PACE


@dataclass(frozen=True)
class Verification:
    """What was found when ``networks`` whole networks of a table were measured again.

    ``pace`` is what times of today are multiplied by to be the table's, the median over networks
    of the resolution where it is furthest from 1; each resolution has its own in what follows.
    ``moved`` is how far the same networks are from what they took then, the mean, and ``mape`` how
    far predictions are from what networks take now
    that no fit saw (all, where none was held out). ``holds`` is whether both are as small as they
    may be; on an updated device the pace must be the same as well, for what an update changes
    stays, while the pace of an unchanged one changes with the hour.
    """

    when: str
    fingerprint: Fingerprint
    networks: int
    pace: float
    moved: float
    mape: float
    kendall: float | None
    repeat_noise: float
    holds: bool

    @property
    def same_pace(self) -> bool:
        """Whether milliseconds are what they were, within 10%, at every resolution."""
        return same_pace(self.pace)


def require_verified(
    measured: Fingerprint, verified: Sequence[Verification], here: Fingerprint
) -> None:
    """Raises ``ArtefactError`` if a table ``measured`` on one device may not be used ``here``.

    The latest of ``verified`` that is of ``here`` decides; without one the devices are compared.
    """
    latest = next((one for one in reversed(verified) if one.fingerprint == here), None)
    if latest is None:
        try:
            measured.require(here)
        except ArtefactError as error:
            if not measured.same_place(here):
                raise
            raise ArtefactError(
                f"{error}. Or, as after an update, let `nas measure --verify TABLE` find out "
                "whether it still holds"
            ) from None
    elif not latest.holds:
        raise ArtefactError(
            f"a verification of {latest.when} found that the latency table no longer holds on this "
            "device; measure it again with `nas measure` and -o with this file"
        )
