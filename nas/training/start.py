"""What a training begins with, where that is not chance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from search_spaces import Architecture

__all__ = ["Start"]


@dataclass(frozen=True, eq=False)
class Start:
    """Weights of a supernet, as its ``state_dict`` has them.

    With ``only``, that subnet alone is trained on, and the largest of these weights teaches it:
    what ``once for all'' calls fine-tuning (Cai et al., ICLR 2020, section 4.1).
    """

    weights: Mapping[str, Tensor]
    only: Architecture | None = None
