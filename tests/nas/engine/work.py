"""Work for engines to do, in a module that workers can import; and a cluster for them."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

STORE = 80 << 20
# Longer than anything here takes, also on a machine that is busy with something else.
PATIENCE_S = 120


@dataclass(frozen=True)
class Cluster:
    """Two nodes with a core each; this process is connected to the first."""

    both: Any
    second: Any

    def lose_second(self) -> None:
        """As if its machine was switched off."""
        self.both.remove_node(self.second, allow_graceful=False)


@contextlib.contextmanager
def cluster(**second: Any) -> Iterator[Cluster]:
    """A real Ray cluster of two nodes on this machine; ``second`` are options of the second."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    import ray
    from ray.cluster_utils import Cluster as Nodes

    small = {"num_cpus": 1, "object_store_memory": STORE}
    nodes = Nodes(initialize_head=True, head_node_args={**small, "include_dashboard": False})
    try:
        other = nodes.add_node(**{**small, **second})
        nodes.wait_for_nodes()
        ray.init(
            nodes.address, log_to_driver=False, logging_level=logging.ERROR, include_dashboard=False
        )
        yield Cluster(nodes, other)
    finally:
        logs = nodes.head_node.get_session_dir_path()
        ray.shutdown()
        nodes.shutdown()
        shutil.rmtree(logs, ignore_errors=True)


def wait_for(happens: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not happens():
        assert time.monotonic() < end, "it does not happen"
        time.sleep(0.02)


class Collecting(threading.Thread):
    """Takes what comes, while the test does something to the cluster."""

    def __init__(self, outcomes: Iterator[tuple[int, Any]]) -> None:
        super().__init__(daemon=True)
        self.outcomes, self.found = outcomes, []  # type: ignore[var-annotated]

    def run(self) -> None:
        self.found.extend(self.outcomes)

    def all(self) -> dict[int, Any]:
        self.join(PATIENCE_S)
        assert not self.is_alive()
        assert len(dict(self.found)) == len(self.found)
        return dict(self.found)


def square(number: int) -> int:
    return number * number


def drawn(seed: int) -> float:
    """Random, and yet a function of the item alone."""
    return float(np.random.default_rng(seed).normal())


class OddError(Exception):
    """With a signature that pickle cannot call."""

    def __init__(self, number: int, why: str) -> None:
        super().__init__(f"{number} is {why}")


def odd_fails(number: int) -> int:
    if number % 2:
        raise OddError(number, "odd")
    return number


def value_error(number: int) -> int:
    raise ValueError(f"not {number}")


def lock(number: int) -> Any:
    """A result that cannot be sent anywhere."""
    return threading.Lock() if number == 1 else number


@dataclass(frozen=True)
class Recorded:
    """Takes ``seconds``, and appends when it began and ended, where, to a file of its item."""

    folder: Path
    seconds: float

    def __call__(self, item: tuple[int, str]) -> int:
        number, device = item
        began = time.time()
        time.sleep(self.seconds)
        record = {"device": device, "began": began, "ended": time.time(), "pid": os.getpid()}
        (self.folder / f"{number}-{os.getpid()}.json").write_text(json.dumps(record))
        return number

    def records(self) -> list[dict[str, Any]]:
        """All of them, by when they began."""
        found = [json.loads(file.read_text()) for file in self.folder.glob("*.json")]
        return sorted(found, key=lambda record: record["began"])


@dataclass(frozen=True)
class Meeting:
    """Ends when so many are at it at once."""

    folder: Path
    number: int

    def __call__(self, item: str) -> str:
        (self.folder / item).touch()
        wait_for(lambda: len(list(self.folder.iterdir())) >= self.number)
        return item


@dataclass(frozen=True)
class Fatal:
    """Kills its worker with SIGKILL on ``victim``, as often as it says; notes every attempt."""

    folder: Path
    victim: int
    times: int

    def __call__(self, number: int) -> int:
        with (self.folder / str(number)).open("a") as file:
            file.write("x")
        if number == self.victim and self.attempts(number) <= self.times:
            os.kill(os.getpid(), signal.SIGKILL)
        return number * number

    def attempts(self, number: int) -> int:
        return len((self.folder / str(number)).read_text())


@dataclass(frozen=True)
class Placed:
    """Waits until ``go`` is there; says in which node each attempt began."""

    folder: Path

    def __call__(self, number: int) -> int:
        import ray

        node = ray.get_runtime_context().get_node_id()
        (self.folder / f"{number}-{node}").write_text(str(os.getpid()))
        while not (self.folder / "go").exists():
            time.sleep(0.02)
        return number * number

    def attempts(self) -> list[tuple[int, str]]:
        names = [file.name for file in self.folder.iterdir() if file.name != "go"]
        return [(int(name.split("-")[0]), name.split("-")[1]) for name in sorted(names)]

    def works(self, number: int, node: str) -> bool:
        """Whether the process of that attempt is still there."""
        return Path("/proc", (self.folder / f"{number}-{node}").read_text()).exists()


class Heavy:
    """Counts in a file how often it was unpacked; has an attribute that is built when called."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self.built = 0

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        with self.log.open("a") as file:
            file.write(f"{os.getpid()}\n")

    def __call__(self, number: int) -> tuple[int, int]:
        self.built += 1
        return os.getpid(), self.built


@dataclass(frozen=True)
class Deadly:
    """Errors of networks; the first time that it meets the one ``victim`` it kills its worker."""

    folder: Path
    victim: tuple[int, ...]

    def __call__(self, rows: Any) -> Any:
        for row in rows.tolist():
            log = self.folder / ",".join(map(str, row))
            log.write_text((log.read_text() if log.exists() else "") + "x")
            if tuple(row) == self.victim and log.read_text() == "x":
                os.kill(os.getpid(), signal.SIGKILL)
        return 10.0 + rows @ np.arange(1.0, rows.shape[1] + 1)
