"""A job that takes seconds: a small space, a few of the digits, and the commands on them.

``python -m tests.nas.tiny ARGUMENTS`` is ``nas ARGUMENTS`` with the space ``tiny`` added. With
``DEMO`` in the environment, its demo does the job of that configuration; with ``HELD``, a file of
that name is written by half and no further, until the process is killed.
"""

from __future__ import annotations

import contextlib
import inspect
import io
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any
from unittest import mock

import numpy as np

from search_spaces import Net, Space, catalogue, choice, one_of
from search_spaces.specs import Classifier, Conv, FusedMBConv, MBConv

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("nas", "search_spaces", "latency_lut", "predictors")
OURS = tuple(f"{ROOT / name}{os.sep}" for name in PACKAGES)
CLASSES = 4
IMAGES = 200
DEMO, HELD = "NAS_TINY_DEMO", "NAS_TINY_HELD"
HELD_S = 60

CONFIG = """\
data: {{path: {images}, size: 10, val_fraction: 0.25, shift: 1, horizontal_flip: false}}
space: {{name: tiny, resolutions: [8, 10]}}
train:
  batch_size: 32
  threads: 1
  phases:
  - {{name: largest, epochs: 2}}
  - {{name: kernel, epochs: 1}}
  - {{name: depth, epochs: 1}}
  - {{name: width, epochs: 1}}
search: {{samples: 12, population: 10, generations: 6, candidates: 2}}
latency: {{rounds: 8, runs: 1, references: 3}}
"""


def tiny(resolutions: tuple[int, ...] = (8, 10), num_classes: int = CLASSES) -> Space:
    """480 networks at each resolution, made of 35 different layers."""
    net = Net(image=(3, choice("resolution", *resolutions)))
    net("stem", Conv, out=8, kernel=3, act="h_swish")
    for name, block, widths, kernels in (
        ("a", FusedMBConv, (8, 16), (3,)),
        ("b", MBConv, (16, 24), (3, 5)),
    ):
        depth, out = choice(f"{name}.depth", 1, 2), choice(f"{name}.width", *widths)
        for i in range(2):
            net(
                f"{name}.{i}",
                block,
                out=out,
                kernel=one_of(*kernels) if len(kernels) > 1 else kernels[0],
                expand=one_of(1, 2),
                stride=1 if i else 2,
                act="h_swish",
                residual=i > 0,
                when=depth > i,
            )
    net("classifier", Classifier, classes=num_classes)
    return Space(net, "tiny", rows_are_exact=True)


@contextlib.contextmanager
def registered() -> Iterator[None]:
    """``tiny`` is among the spaces as long as the block lasts."""
    with mock.patch.dict(catalogue.SPACES, {"tiny": tiny}):
        yield


@contextlib.contextmanager
def demo_of(config: Path) -> Iterator[None]:
    """``nas demo`` does the job of that configuration as long as the block lasts."""
    from nas.config import Config

    with registered(), mock.patch("nas.jobs.demo.CONFIG", Config.load(config)):
        yield


@contextlib.contextmanager
def held(name: str) -> Iterator[None]:
    """Writing a file of that name stops halfway for ``HELD_S`` seconds, which is told."""
    write = Path.write_bytes

    def half(path: Path, data: bytes) -> int:
        if name in path.name:
            write(path, data[: len(data) // 2])
            print(f"{HELD} {path}", file=sys.stderr, flush=True)
            time.sleep(HELD_S)
        return write(path, data)

    with mock.patch.object(Path, "write_bytes", half):
        yield


def write_images(path: Path, images: int = IMAGES, first: int = 0) -> Path:
    """Some of the digits below ``CLASSES``, 8x8 grey, as ``.npz``."""
    from sklearn.datasets import load_digits  # A second that a process of its own has no use for.

    digits = load_digits()
    kept = np.flatnonzero(digits.target < CLASSES)[first : first + images]
    pixels = (digits.images[kept] * 15).astype(np.uint8)
    np.savez(path, images=pixels, labels=digits.target[kept])
    return path


def write_config(path: Path, images: Path) -> Path:
    """A configuration that trains in a second."""
    path.write_text(CONFIG.format(images=images))
    return path


@dataclass(frozen=True)
class Said:
    """What a command left: its exit code, standard output and standard error."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output, which must be one JSON object and nothing else."""
        document = json.loads(self.out)
        assert isinstance(document, dict)
        return document


class Interrupter:
    """Presses Ctrl-C at the ``at``-th call of a function of ours; counts ``calls`` of them.

    Of those alone in files whose path begins with ``within``. Not after some time: a signal that
    falls into the tracer of a coverage measurement leaves its locks closed. And not in a generator:
    one that is closed as garbage swallows all that is raised in it, whoever raises it.
    """

    def __init__(self, at: int = 0, within: str | tuple[str, ...] = OURS) -> None:
        self.at, self.within, self.calls = at, within, 0

    def __call__(self, frame: FrameType, event: str, _: object) -> None:
        code = frame.f_code
        if code.co_flags & inspect.CO_GENERATOR or event != "call":
            return
        if code.co_filename.startswith(self.within):
            self.calls += 1
            if self.calls == self.at:
                sys.setprofile(None)
                signal.raise_signal(signal.SIGINT)


def nas(*arguments: object, interrupter: Interrupter | None = None) -> Said:
    """Run a command in this process, by the entry point that is installed."""
    from nas.cli import main

    out, err = io.StringIO(), io.StringIO()
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    with (
        registered(),
        mock.patch.object(sys, "argv", ["nas", *map(str, arguments)]),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            sys.setprofile(interrupter)
            main()
            code = 0
        except SystemExit as ended:
            code = int(ended.code or 0)
        finally:
            sys.setprofile(None)
            for number, handler in handlers.items():
                signal.signal(number, handler)
    return Said(code, out.getvalue(), err.getvalue())


def uncovered() -> dict[str, str]:
    """The environment of a process whose coverage is not measured.

    One that a signal will strike: inside coverage's lock, it would leave that locked for ever.
    """
    return {k: v for k, v in os.environ.items() if not k.startswith("COVERAGE_PROCESS")}


def start(*arguments: object, **options: Any) -> subprocess.Popen[str]:
    """Start a command in a process of its own, uncovered."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.nas.tiny", *map(str, arguments)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**uncovered(), "OMP_NUM_THREADS": "1"},
        **options,
    )


def files(folder: Path) -> dict[str, bytes]:
    """All that lies in a folder, by relative path."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def rows(database: Path, table: str) -> list[tuple[Any, ...]]:
    """The rows of a table of an SQLite file; none where there is no such table yet.

    Without what an evaluation of a study took, which no two runs agree on.
    """
    if not database.is_file():
        return []
    connection = sqlite3.connect(database, timeout=60)
    try:
        found = connection.execute(f"SELECT * FROM {table}")
        names = [column[0] for column in found.description]
        told = [i for i, name in enumerate(names) if (table, name) != ("evaluations", "seconds")]
        return [tuple(line[i] for i in told) for line in found]
    except sqlite3.OperationalError:
        return []
    finally:
        connection.close()


def accuracies(run: Path) -> list[tuple[str, float]]:
    """The subnets that were measured in a run, in order, without how long that took."""
    return [(row, accuracy) for row, accuracy, _ in rows(run / "samples.sqlite", "samples")]


def windows(samples: Path) -> list[list[float]]:
    """What the references took before each window of a campaign; a cut-off line is left out."""
    lines = samples.read_text().split("\n")[:-1]
    return [json.loads(line)["window"]["before"] for line in lines if '"window"' in line]


def raising(*given: object) -> None:
    """In the place of a step of a command: it ends as if it was killed there."""
    raise KeyError("killed")


if __name__ == "__main__":
    from nas import terminal
    from nas.cli import main

    # Every step is told, so that a test knows when to strike.
    terminal.QUIET_INTERVAL_S = -1.0
    with contextlib.ExitStack() as changed:
        changed.enter_context(registered())
        if DEMO in os.environ:
            changed.enter_context(demo_of(Path(os.environ[DEMO])))
        if HELD in os.environ:
            changed.enter_context(held(os.environ[HELD]))
        main()
