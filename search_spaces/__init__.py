"""What can be built, and how: choices, slots, architectures, specs, plans, supernets."""

from search_spaces.architecture import Architecture
from search_spaces.catalogue import get, names
from search_spaces.choices import Choice, apply, choice, layer, one_of, path
from search_spaces.net import Net
from search_spaces.plan import Node, Plan
from search_spaces.space import Space
from search_spaces.specs import LayerSpec, Tensor

__all__ = [
    "Architecture",
    "Choice",
    "LayerSpec",
    "Net",
    "Node",
    "Plan",
    "Space",
    "Tensor",
    "apply",
    "choice",
    "get",
    "layer",
    "names",
    "one_of",
    "path",
]
