"""A new device from few measurements: tables of known devices are its donors."""

from latency_lut.transfer.transfer import Transfer

__all__ = ["Transfer"]
