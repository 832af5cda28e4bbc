"""What proposes networks: one file for each, by name in ``catalogue``."""

from nas.search.searchers.batches import usual_batch
from nas.search.searchers.catalogue import SEARCHERS, Entry, Maker, get, names

__all__ = ["SEARCHERS", "Entry", "Maker", "get", "names", "usual_batch"]
