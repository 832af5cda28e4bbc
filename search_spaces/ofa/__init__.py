"""The family of Once for All (Cai et al., ICLR 2020), to the unit."""

from search_spaces.ofa.mobilenetv3 import ofa_mobilenetv3
from search_spaces.ofa.notation import from_config, to_config
from search_spaces.ofa.options import RESOLUTIONS
from search_spaces.ofa.proxyless import ofa_proxyless
from search_spaces.ofa.resnet50 import ofa_resnet50
from search_spaces.ofa.sizes import options_of
from search_spaces.ofa.weights import load_state_dict

__all__ = [
    "RESOLUTIONS",
    "from_config",
    "load_state_dict",
    "ofa_mobilenetv3",
    "ofa_proxyless",
    "ofa_resnet50",
    "options_of",
    "to_config",
]
