"""The true optimum of functions that are sums, with its proof."""

from nas.search.exact.formula import Bend, Excess, Formula, Log1p, Pairs, Shape, Sum
from nas.search.exact.known import Summable, formula
from nas.search.exact.optimum import Optimum, optimum
from nas.search.exact.pairwise import Pairwise

__all__ = [
    "Bend",
    "Excess",
    "Formula",
    "Log1p",
    "Optimum",
    "Pairs",
    "Pairwise",
    "Shape",
    "Sum",
    "Summable",
    "formula",
    "optimum",
]
