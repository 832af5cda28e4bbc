"""Where independent pieces of work are done: in this process, or on a cluster."""

from nas.engine.catalogue import names, opened
from nas.engine.local import LOCAL, LocalEngine
from nas.engine.seam import Engine, EngineError, Work

__all__ = ["LOCAL", "Engine", "EngineError", "LocalEngine", "Work", "names", "opened"]
