"""Being on a Ray cluster: the one that is there, else one that is started here."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import ray

from nas.engine.seam import EngineError

CLIENT = "ray://"
ANSWER_S = 10.0


@contextmanager
def connected() -> Iterator[None]:
    """On a cluster until the block ends; a caller that is on one already stays there.

    Which one is Ray's own rule: that of ``RAY_ADDRESS``, one that runs on this machine, a new one.
    What workers print stays in their logs.

    Raises ``EngineError`` where ``RAY_ADDRESS`` names none that answers, or none starts.
    """
    if ray.is_initialized():
        yield
        return
    _require_answer(os.environ.get("RAY_ADDRESS", ""))
    # Nothing is reported to anybody, unless the user says so.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    with _own_signals():
        try:
            ray.init(include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
        except Exception as error:  # A node that does not come up in time is a plain one.
            raise EngineError(
                f"Ray cannot be used ({error}); start a cluster with `ray start --head`, or leave "
                "RAY_ADDRESS out to have one started here"
            ) from error
    try:
        yield
    finally:
        ray.shutdown()


def _require_answer(address: str) -> None:
    if address.startswith(CLIENT):
        # Objects of a Ray client are proxies, and devices of this machine would be nobody's.
        raise EngineError(
            f"RAY_ADDRESS is host:port of a cluster that this machine is part of; got {address!r}: "
            "join it with `ray start --address HOST:PORT`, and leave RAY_ADDRESS out"
        )
    host, colon, port = address.rpartition(":")
    if not colon:
        return
    # Ray itself would wait for many minutes, deaf to an interruption.
    try:
        socket.create_connection((host, int(port)), ANSWER_S).close()
    except (OSError, ValueError) as error:
        raise EngineError(
            f"no Ray cluster answers at RAY_ADDRESS={address} ({error}); start one with `ray start "
            "--head`, or leave RAY_ADDRESS out to have one started here"
        ) from error


@contextmanager
def _own_signals() -> Iterator[None]:
    """Whoever answers a polite kill keeps doing so: Ray would end the process at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    answers = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, answers)
