"""What searchers believe about networks that nobody has evaluated yet."""

from nas.search.surrogate.answers import Answers
from nas.search.surrogate.beliefs import Beliefs, Believer
from nas.search.surrogate.history import History
from nas.search.surrogate.improvement import expected_improvement
from nas.search.surrogate.proposals import inner_search
from nas.search.surrogate.start import Start

__all__ = [
    "Answers",
    "Beliefs",
    "Believer",
    "History",
    "Start",
    "expected_improvement",
    "inner_search",
]
