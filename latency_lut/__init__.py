"""How fast it is: devices, measurement, latency tables and their error."""

from latency_lut.accuracy import Accuracy, mape
from latency_lut.alone import COST_NETWORKS, COSTS_S, measure_costs
from latency_lut.bundle import bundle_bytes, write_bundle
from latency_lut.campaign import Effort, Progress
from latency_lut.catalogue import DEVICES, device, is_here, table_name, tells_costs
from latency_lut.conditions import described, remarks
from latency_lut.costs import Costs
from latency_lut.entries import block_key
from latency_lut.errors import DeviceError, NoisyError
from latency_lut.fingerprint import Fingerprint
from latency_lut.journal import ASIDE, Journal
from latency_lut.latency import Latency
from latency_lut.measure import measure
from latency_lut.merge import merged
from latency_lut.networks import NetworkLatency, measure_networks, networks_seconds
from latency_lut.pace import Pace, pace_of
from latency_lut.plans import WHOLE_NETWORKS, Cost, Plans, network_model, plan_table
from latency_lut.refine import refined
from latency_lut.results import Results, read_results
from latency_lut.seam import Connection, Device, Loaded, Model, Sample
from latency_lut.table import LatencyTable, Network
from latency_lut.table_file import fingerprint_of, pace_in, require_device, space_in
from latency_lut.verification import Verification
from latency_lut.verify import verify

__all__ = [
    "ASIDE",
    "COSTS_S",
    "COST_NETWORKS",
    "DEVICES",
    "WHOLE_NETWORKS",
    "Accuracy",
    "Connection",
    "Cost",
    "Costs",
    "Device",
    "DeviceError",
    "Effort",
    "Fingerprint",
    "Journal",
    "Latency",
    "LatencyTable",
    "Loaded",
    "Model",
    "Network",
    "NetworkLatency",
    "NoisyError",
    "Pace",
    "Plans",
    "Progress",
    "Results",
    "Sample",
    "Verification",
    "block_key",
    "bundle_bytes",
    "described",
    "device",
    "fingerprint_of",
    "is_here",
    "mape",
    "measure",
    "measure_costs",
    "measure_networks",
    "merged",
    "network_model",
    "networks_seconds",
    "pace_in",
    "pace_of",
    "plan_table",
    "read_results",
    "refined",
    "remarks",
    "require_device",
    "space_in",
    "table_name",
    "tells_costs",
    "verify",
    "write_bundle",
]
