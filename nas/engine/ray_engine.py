"""Pieces of work on a Ray cluster."""

from __future__ import annotations

import pickle
import uuid
from collections import Counter, OrderedDict, deque
from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import Any

import ray
from ray.exceptions import LocalRayletDiedError, RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from nas.engine.ray_worker import KEPT, Holder, Raised, Shipped, perform
from nas.engine.seam import EngineError, Work, pieces

# So often a piece may end its worker before it is the piece's fault.
TRIES = 3
# Pieces that a small cluster has at a time, and a large one two for each core: enough to keep it
# busy, and few that go on when nobody listens any more.
AHEAD = 16
# What pickling raises.
UNSENDABLE = (TypeError, AttributeError, pickle.PicklingError)
NAMESPACE = "nas-loop"
DEVICE = "device:"

Pieces = list[tuple[Any, str | None]]


class RayEngine:
    """See ``Engine``. A piece has one core; Ray chooses the node, and says when it was lost.

    Work goes into the object store once: each node fetches it once, each worker unpacks it once. A
    device belongs to an actor of its name, which does one piece at a time, for all programs on the
    cluster. That actor is on the node that has a resource ``device:NAME`` (``ray start
    --resources '{"device:NAME": 1}'``), else here, from where the user named it.
    """

    def __init__(self) -> None:
        """The process is connected to a cluster already (``ray_connect.connected``)."""
        self._shipped: OrderedDict[Hashable, tuple[Work, Shipped]] = OrderedDict()
        self._perform = ray.remote(num_cpus=1, max_retries=0)(perform)
        self._holder = ray.remote(num_cpus=0, max_restarts=0)(Holder)

    def map(
        self, work: Work, items: Iterable[Any], needs: Sequence[str | None] | None = None
    ) -> Iterator[tuple[int, Any]]:
        todo = pieces(items, needs)
        return self._run(self._ship(work), todo)

    def _run(self, shipped: Shipped, todo: Pieces) -> Iterator[tuple[int, Any]]:
        queue = _Queue([need for _, need in todo])
        deaths: Counter[int] = Counter()
        running: dict[Any, int] = {}
        cores = ray.cluster_resources().get("CPU", 0)  # type: ignore[no-untyped-call]
        ahead = max(AHEAD, 2 * int(cores))
        # Who stops listening leaves what has begun to end by itself: where a task is cancelled just
        # as it answers, Ray ends this process.
        while queue.left or running:
            while len(running) < ahead and (number := queue.take()) is not None:
                running[self._begin(shipped, *todo[number])] = number
            (ready, *_), _ = ray.wait(list(running), num_returns=1)
            number = running.pop(ready)
            outcome = _outcome(ready)
            queue.over(number)
            if isinstance(outcome, _Lost):
                deaths[number] += 1
                if deaths[number] < TRIES:
                    queue.again(number)
                    continue
                outcome = EngineError(_deadly(number, outcome))
            yield number, outcome

    def _begin(self, shipped: Shipped, item: Any, need: str | None) -> Any:
        try:
            if need is None:
                return self._perform.remote(shipped, item)
            return self._holding(need).perform.remote(shipped, item)
        except UNSENDABLE as error:
            raise EngineError(f"an item cannot be sent to another process: {error}") from error

    def _ship(self, work: Work) -> Shipped:
        name: Hashable = work if _hashable(work) else id(work)
        if name not in self._shipped:
            try:
                there = ray.put(work)
            except UNSENDABLE as error:
                raise EngineError(
                    f"work cannot be sent to other processes: {error}; give a function, or an "
                    "object that can be pickled, without open files or connections"
                ) from error
            self._shipped[name] = work, Shipped(uuid.uuid4().hex, (there,))
            if len(self._shipped) > KEPT:
                self._shipped.popitem(last=False)
        self._shipped.move_to_end(name)
        return self._shipped[name][1]

    def _holding(self, device: str) -> Any:
        """The actor that has a device, made where there is none."""
        resource = DEVICE + device
        options: dict[str, Any] = {"name": resource, "namespace": NAMESPACE, "get_if_exists": True}
        if resource in ray.cluster_resources():  # type: ignore[no-untyped-call]
            options["resources"] = {resource: 1}
        else:
            here = ray.get_runtime_context().get_node_id()
            options["scheduling_strategy"] = NodeAffinitySchedulingStrategy(here, soft=False)
        return self._holder.options(**options).remote()


class _Queue:
    """Which piece may begin: those of a device one at a time, the others at once."""

    def __init__(self, needs: Sequence[str | None]) -> None:
        self._needs = needs
        self._waiting: dict[str | None, deque[int]] = {}
        # Devices first: they have to keep busy however many pieces need none.
        for number in sorted(range(len(needs)), key=lambda number: needs[number] is None):
            self._waiting.setdefault(needs[number], deque()).append(number)
        self._busy: set[str] = set()

    @property
    def left(self) -> bool:
        return any(self._waiting.values())

    def take(self) -> int | None:
        """The number of a piece that may begin; None where none may at the moment."""
        for need, numbers in self._waiting.items():
            if numbers and need not in self._busy:
                if need is not None:
                    self._busy.add(need)
                return numbers.popleft()
        return None

    def over(self, number: int) -> None:
        """The piece has ended, well or not: its device is free."""
        need = self._needs[number]
        if need is not None:
            self._busy.remove(need)

    def again(self, number: int) -> None:
        """The piece has to be repeated, before others."""
        self._waiting[self._needs[number]].appendleft(number)


class _Lost:
    """Whoever did a piece is gone, and why."""

    def __init__(self, error: RayError) -> None:
        self.error = error


def _outcome(reference: Any) -> Any:
    try:
        outcome = ray.get(reference)
    except LocalRayletDiedError as error:
        raise EngineError(
            f"the Ray cluster is lost: this machine's node is gone ({_first_line(error)}); what "
            "was done before is kept, run the same command again"
        ) from error
    except RayTaskError as error:  # What ``perform`` does not catch: a result nobody can send.
        return EngineError(f"a result cannot be sent back: {_last_line(error)}")
    except RayError as error:
        return _Lost(error)
    return outcome.error if isinstance(outcome, Raised) else outcome


def _deadly(number: int, lost: _Lost) -> str:
    return (
        f"item {number} was given up: {TRIES} workers ended on it, the last with "
        f"{type(lost.error).__name__} ({_first_line(lost.error)}). It crashes, is killed, or takes "
        "more memory than there is; try that one with --engine local"
    )


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), "")


def _last_line(error: Exception) -> str:
    return next(iter(reversed(str(error).strip().splitlines())), "")


def _hashable(work: Work) -> bool:
    try:
        hash(work)
    except TypeError:
        return False
    return True
