"""What a campaign has measured so far, on disk, so that a killed one goes on where it was.

``campaign.json`` says what is being measured; ``samples.jsonl`` grows by one line for each window
and each loaded model, with the seconds that the campaign had taken by then. A line that was cut off
by a kill is dropped.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from latency_lut.seam import Loaded, Sample
from latency_lut.windows import Window
from search_spaces.errors import ArtefactError, NasLoopError
from search_spaces.files import write_atomic

try:
    import fcntl
except ImportError:  # Not on Windows, where nobody is kept from measuring into one folder twice.
    fcntl = None  # type: ignore[assignment]

HEADER = "campaign.json"
SAMPLES = "samples.jsonl"
ASIDE = ".noisy"
LOCK = "lock"


class Journal:
    """Windows and loaded models, in memory and, where there is a folder, on disk."""

    def __init__(self, folder: Path | None, clock: Callable[[], float] = time.monotonic) -> None:
        self.folder = folder
        self._clock = clock
        self._began = clock()
        self.windows: list[Window] = []
        self.loaded: dict[str, Loaded] = {}
        self._mine: IO[str] | None = None

    @property
    def seconds(self) -> float:
        """What the campaign has taken: by this process, and by earlier ones to their last line."""
        return self._clock() - self._began

    def header(self) -> dict[str, Any] | None:
        """What the campaign in the folder measures; None if there is none."""
        if self.folder is None or not (self.folder / HEADER).exists():
            return None
        try:
            document = json.loads((self.folder / HEADER).read_text(encoding="utf-8"))
        except ValueError as error:
            raise ArtefactError(
                f"{self.folder / HEADER} is no JSON ({error}); delete the folder to start anew"
            ) from error
        if not isinstance(document, dict):
            raise ArtefactError(f"{self.folder / HEADER} is no campaign; delete the folder")
        return document

    def begin(self, header: Mapping[str, Any]) -> None:
        """Start a campaign: what is measured, as JSON. Earlier samples of the folder go.

        Raises ``ArtefactError`` where another process measures into the folder.
        """
        if self.folder is not None:
            self._claim()
            write_atomic(self.folder / SAMPLES, "")
            write_atomic(self.folder / HEADER, json.dumps(dict(header), indent=1) + "\n")

    def go_on(self, header: Mapping[str, Any]) -> None:
        """Resume the campaign of that header, or begin it where the folder has another or none.

        Raises ``ArtefactError`` as ``begin`` does.
        """
        there = self.folder is not None and self.header() == json.loads(json.dumps(dict(header)))
        if there:
            self.resume()
        else:
            self.begin(header)

    def resume(self) -> None:
        """Read the samples that are there. Raises ``ArtefactError`` as ``begin`` does."""
        assert self.folder is not None
        self._claim()
        text = (self.folder / SAMPLES).read_text(encoding="utf-8")
        whole = text[: text.rfind("\n") + 1]
        if whole != text:
            write_atomic(self.folder / SAMPLES, whole)
        earlier = 0.0
        for number, line in enumerate(whole.splitlines(), start=1):
            try:
                document = json.loads(line)
                self._read(document)
                earlier = float(document["seconds"])
            except (ValueError, KeyError, TypeError) as error:
                raise ArtefactError(
                    f"{self.folder / SAMPLES}, line {number}, is no sample ({error}); "
                    "delete the folder to start anew"
                ) from error
        self._began -= earlier

    def set_aside(self) -> Path | None:
        """Move samples that nobody should go on with to ``*.noisy``, in place of earlier ones.

        Returns where they are now; None if they are not on disk.
        """
        if self.folder is None:
            return None
        aside = self.folder.with_suffix(ASIDE)
        shutil.rmtree(aside, ignore_errors=True)
        self.folder.replace(aside)
        self.close()
        return aside

    def discard(self) -> None:
        """Delete the folder, unless another process has begun to measure into it."""
        if self.folder is None or not self.folder.exists():
            return
        try:
            self._claim()
        except ArtefactError:
            return
        shutil.rmtree(self.folder, ignore_errors=True)
        self.close()

    def add(self, entry: Window | Loaded) -> None:
        """Keep a window or a loaded model. Raises ``NasLoopError`` if the disk is full."""
        if self.folder is not None:
            kind = "window" if isinstance(entry, Window) else "loaded"
            line = json.dumps({kind: asdict(entry), "seconds": round(self.seconds, 2)}) + "\n"
            path = self.folder / SAMPLES
            try:
                with path.open("a", encoding="utf-8") as stream:
                    stream.write(line)
                    stream.flush()
                    os.fsync(stream.fileno())
            except OSError as error:
                raise NasLoopError(
                    f"{path}: cannot be written ({error.strerror}); what was measured before is "
                    "kept: make room and resume"
                ) from error
        self._keep(entry)

    def _claim(self) -> None:
        """The folder is this process's until it ends, however that comes about."""
        if self._mine is not None or fcntl is None:
            return
        assert self.folder is not None
        self.folder.mkdir(parents=True, exist_ok=True)
        lock = (self.folder / LOCK).open("w", encoding="utf-8")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.close()
            raise ArtefactError(
                f"{self.folder}: another process measures into this folder at the moment; wait for "
                "it, or choose another name for this table"
            ) from error
        except OSError:  # A file system without locks: there it is as on Windows.
            lock.close()
            return
        self._mine = lock

    def close(self) -> None:
        """Let go of the folder."""
        if self._mine is not None:
            self._mine.close()
            self._mine = None

    def _keep(self, entry: Window | Loaded) -> None:
        if isinstance(entry, Window):
            self.windows.append(entry)
        else:
            self.loaded[entry.model] = entry

    def _read(self, document: dict[str, Any]) -> None:
        if "loaded" in document:
            self._keep(Loaded(**document["loaded"]))
            return
        window = document["window"]
        visits = tuple(Sample(one["model"], tuple(one["times_ms"])) for one in window["visits"])
        before, after = tuple(window["before"]), tuple(window["after"])
        self._keep(Window(window["leg"], before, after, visits))
