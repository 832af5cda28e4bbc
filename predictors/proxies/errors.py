"""What cannot be scored."""

from __future__ import annotations

from search_spaces.errors import NasLoopError


class ProxyError(NasLoopError):
    """A network, a batch or a name that a proxy cannot score."""


class NotApplicableError(ProxyError):
    """A network without the parts that a proxy reads; ``score`` leaves it out unless named."""
