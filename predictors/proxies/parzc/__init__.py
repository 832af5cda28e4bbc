"""ParZC: weights for every layer's proxies, learned from labels.

Dong et al., "ParZC: Parametric Zero-Cost Proxies for Efficient NAS" (AAAI 2025). Proxies sum what
they see of single layers; not all layers are worth the same, and a small network learns what they
are.
"""

from predictors.proxies.parzc.nodes import STATISTICS, nodes
from predictors.proxies.parzc.predictor import ParZC

__all__ = ["STATISTICS", "ParZC", "nodes"]
