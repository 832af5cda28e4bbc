"""One thread for matrices this small: more wait for each other longer than they work.

On two busy cores, OpenBLAS with two threads took forty times as long to fit small networks.
"""

from __future__ import annotations

import functools
import sys
from contextlib import AbstractContextManager
from typing import Any


def one_thread() -> AbstractContextManager[Any]:
    """A block in which linear algebra runs on the calling thread alone."""
    # SciPy brings libraries of its own; they have to be looked for once it is there.
    return _controller("scipy.linalg" in sys.modules).limit(limits=1)


@functools.cache
def _controller(scipy: bool) -> Any:
    from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

    return ThreadpoolController()
