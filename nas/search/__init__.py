"""The search: what proposes networks, what remembers them, and the front that remains."""

from nas.search.budget import Budget
from nas.search.exact import Optimum, optimum
from nas.search.fleet import Fleet
from nas.search.fleet_search import fleet_study, refined_fleet, require_fleet, search_fleet
from nas.search.loop import Observer, Step, load, minimize
from nas.search.pareto import hypervolume, nondominated
from nas.search.problem import UPPER, Function, Graded, MachineError, Plain, Problem, SearchError
from nas.search.reachable import beyond, require_reachable, smallest
from nas.search.searcher import Population, Searcher
from nas.search.searchers import names
from nas.search.study import Evaluation, Failure, InfeasibleWarning, Study
from nas.search.task import Task

__all__ = [
    "UPPER",
    "Budget",
    "Evaluation",
    "Failure",
    "Fleet",
    "Function",
    "Graded",
    "InfeasibleWarning",
    "MachineError",
    "Observer",
    "Optimum",
    "Plain",
    "Population",
    "Problem",
    "SearchError",
    "Searcher",
    "Step",
    "Study",
    "Task",
    "beyond",
    "fleet_study",
    "hypervolume",
    "load",
    "minimize",
    "names",
    "nondominated",
    "optimum",
    "refined_fleet",
    "require_fleet",
    "require_reachable",
    "search_fleet",
    "smallest",
]
