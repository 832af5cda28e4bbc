"""What can go wrong between a model and its time."""

from __future__ import annotations

from search_spaces.errors import NasLoopError


class DeviceError(NasLoopError):
    """A device that is unknown, does not answer, or answers what is no measurement."""


class NoisyError(NasLoopError):
    """A campaign whose numbers contradict each other; its samples are set aside."""
