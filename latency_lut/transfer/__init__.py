"""A new device from few measurements: tables of known devices are its donors."""

from latency_lut.transfer.campaign import SAMPLES, measure_from_donors
from latency_lut.transfer.choice import informative
from latency_lut.transfer.tables import Donors
from latency_lut.transfer.transfer import Transfer

__all__ = ["SAMPLES", "Donors", "Transfer", "informative", "measure_from_donors"]
