"""Work that is done once: a folder with a result, and what that belongs to."""

from __future__ import annotations

import csv
import fcntl
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import spinning
import torch

from nas.processor import processor_name
from search_spaces.files import write_atomic

RESULT = "result.json"
Hits = npt.NDArray[np.bool_]
"""Whether each test image was recognised, [images]."""


def once(
    folder: Path, belongs: Mapping[str, str], work: Callable[[], dict[str, Any]]
) -> dict[str, Any]:
    """What ``work`` finds and on which machine, or found earlier with all that it ``belongs`` to.

    Raises:
        SystemExit: the folder has a result of something else.
    """
    file = folder / RESULT
    if file.is_file():
        document: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        known = document["belongs"]
        if differ := [
            name for name in sorted({*known, *belongs}) if known.get(name) != belongs.get(name)
        ]:
            raise SystemExit(f"{file} is of another {' and '.join(differ)}; take another -o")
        return document["found"]  # type: ignore[no-any-return]
    found = {**work(), "machine": machine()}
    folder.mkdir(parents=True, exist_ok=True)
    write_atomic(file, json.dumps({"belongs": dict(belongs), "found": found}, indent=1) + "\n")
    return found


@dataclass(frozen=True)
class Unit:
    """A piece of work whose result ``once`` keeps in ``folder``; ``wanted`` by this process."""

    folder: Path
    work: Callable[[], None]
    wanted: bool = True


def share(units: Sequence[Unit], keep: Callable[[], None], out: Path) -> list[Path]:
    """Do what is wanted and not done, but for what another process is at; the folders of that.

    ``keep`` writes what stands into ``out``: first all that earlier calls did, then after each unit
    all that is done by then, here or elsewhere, one process at a time. The one that ends last
    leaves everything.
    """
    known: set[Path] = set()

    def learn(unit: Unit) -> None:
        unit.work()
        known.add(unit.folder)

    def look() -> None:
        with _locked(out):
            for unit in units:
                if unit.folder not in known and (unit.folder / RESULT).is_file():
                    learn(unit)
            keep()

    look()
    trying = True
    while trying:
        trying = False
        for unit in units:
            if unit.wanted and unit.folder not in known:
                with _locked(unit.folder, wait=False) as mine:
                    if mine:
                        learn(unit)
                if mine:
                    trying = True
                    look()
    return [unit.folder for unit in units if unit.wanted and unit.folder not in known]


@contextmanager
def _locked(folder: Path, wait: bool = True) -> Iterator[bool]:
    """Whether the folder is this process's alone; a lock ends with its process, however that ends.

    Without ``wait`` the answer may be no.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock.tmp").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
        else:
            yield True


def packed(hits: Hits) -> str:
    """As hexadecimal digits, eight images in two."""
    return np.packbits(hits).tobytes().hex()


def unpacked(text: str, images: int) -> Hits:
    """The inverse of ``packed``."""
    return np.unpackbits(np.frombuffer(bytes.fromhex(text), np.uint8), count=images).astype(bool)


def took(log: Path) -> dict[str, float]:
    """What the epochs in a training's log took: seconds, and images a second of its steps."""
    with log.open() as stream:
        rows = list(csv.DictReader(stream))
    rates = [float(row["images_per_second"]) for row in rows]
    return {
        "seconds": round(sum(float(row["seconds"]) for row in rows), 1),
        # Every epoch has as many images: their rates as those of equal ways.
        "images_per_second": round(len(rates) / sum(1 / rate for rate in rates), 1),
    }


def machine() -> dict[str, Any]:
    """What seconds belong to."""
    return {
        "cpu": processor_name(),
        "cores": os.cpu_count(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        **spinning.waiting(),
    }
