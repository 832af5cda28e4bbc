"""Why a layer cannot be converted."""

from __future__ import annotations

from typing import Final

WAY_OUT: Final = "replace the layer, or convert the part of the network without it"


class RefusedError(Exception):
    """What is wrong with a layer, and the way out; whoever knows the layer's name adds it."""

    def __init__(self, reason: str, way_out: str = WAY_OUT) -> None:
        super().__init__(reason)
        self.reason = reason
        self.way_out = way_out
