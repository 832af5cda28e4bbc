"""Names of engines become engines here, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from nas.engine.local import LocalEngine
from nas.engine.seam import Engine, EngineError
from search_spaces.unknown import unknown


@contextmanager
def _local() -> Iterator[Engine]:
    yield LocalEngine()


@contextmanager
def _ray() -> Iterator[Engine]:
    try:
        from nas.engine.ray_connect import connected
        from nas.engine.ray_engine import RayEngine
    except ImportError as error:
        raise EngineError(
            f"the engine ray needs Ray, which is not installed here ({error}); run "
            "`pip install 'nas-loop[ray]'`, or leave --engine out to work in this process"
        ) from error
    with connected():
        yield RayEngine()


ENGINES: dict[str, Callable[[], AbstractContextManager[Engine]]] = {"local": _local, "ray": _ray}


def names() -> tuple[str, ...]:
    """The engines that can be asked for by name."""
    return tuple(ENGINES)


def opened(name: str) -> AbstractContextManager[Engine]:
    """The engine of that name, until the block ends.

    ``ray`` works on the cluster that the environment's ``RAY_ADDRESS`` names, else on one that runs
    on this machine, else on one that it starts here and ends with the block.

    Raises:
        EngineError: no engine of that name; Ray is not installed, or its cluster does not answer.
    """
    if name not in ENGINES:
        raise EngineError(unknown("engine", name, ENGINES))
    return ENGINES[name]()
