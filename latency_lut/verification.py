"""What a table's verification found."""

from __future__ import annotations

import math
from dataclasses import dataclass

from latency_lut.fingerprint import Fingerprint

PACE = 0.1


@dataclass(frozen=True)
class Verification:
    """What was found when ``networks`` whole networks of a table were measured again.

    ``pace`` is what times of today are multiplied by to be the table's, the median over networks.
    With it ``moved`` is how far the same networks are from what they took then, the mean, and
    ``mape`` how far predictions are from what networks take now that no fit saw (all, where none
    was held out). ``holds`` is whether both are as small as they may be; the pace is not in it,
    for it changes with the hour.
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
        """Whether milliseconds are what they were, within 10%."""
        return abs(math.log(self.pace)) <= PACE
