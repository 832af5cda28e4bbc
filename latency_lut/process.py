"""Talking to a worker process: lines of JSON, with an answer or a clear error for each."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import tempfile
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import IO, Any

from latency_lut.errors import DeviceError

TAIL = 400
CHUNK = 1 << 20


class WorkerProcess:
    """A child process; a context manager, ended when the block ends.

    ``timeout_s`` is how long it may be silent while an answer is due, or may take for a megabyte
    of what it is sent. ``advice`` says what to do about an error, from its text; empty for nothing.
    """

    def __init__(
        self,
        command: Sequence[str],
        name: str,
        timeout_s: float,
        threads: int,
        advice: Callable[[str], str] = lambda text: "",
    ) -> None:
        self.name = name
        self.timeout_s = timeout_s
        self._advice = advice
        self._silent = False
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._errors: IO[str] = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                env=environment,
            )
        except OSError as error:
            self._errors.close()
            raise self._error(
                f"the measuring process does not start ({error.strerror}): {command[0]}"
            ) from error
        # A thread, because a pipe cannot be read with a time limit on every system.
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> WorkerProcess:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the process, by force if it does not end by itself within a second."""
        if self._process.stdin is not None:
            with suppress(OSError):  # It is dead already, with a request unread.
                self._process.stdin.close()
        try:
            self._process.wait(1)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._errors.close()

    def send(self, request: dict[str, Any], content: bytes = b"") -> None:
        """Send a request and what belongs to it.

        Raises ``DeviceError`` if nobody listens any more; what was said before is told.
        """
        self.write(json.dumps(request).encode() + b"\n" + content)

    def write(self, content: bytes) -> None:
        """Send bytes as they are; raises as ``send`` does."""
        assert self._process.stdin is not None
        # A pipe holds little: who writes waits for a process that hangs, or for a slow line.
        for start in range(0, len(content), CHUNK):
            watch = threading.Timer(self.timeout_s, self._give_up)
            watch.start()
            try:
                self._process.stdin.write(content[start : start + CHUNK])
                self._process.stdin.flush()
            except OSError:
                self.receive("reason")
            finally:
                watch.cancel()

    def receive(self, expected: str) -> dict[str, Any]:
        """The next answer, which has the key ``expected``.

        Raises ``DeviceError`` if the process died, is silent for too long, reports an error or
        says something else.
        """
        try:
            line = self._lines.get(timeout=self.timeout_s)
        except queue.Empty:
            self._give_up()
            line = None
        if line is None:
            raise self._error(self._died())
        try:
            answer = json.loads(line)
        except ValueError:
            answer = None
        if isinstance(answer, dict) and "error" in answer:
            raise self._error(str(answer["error"]))
        if not isinstance(answer, dict) or expected not in answer:
            raise self._error(
                f"the measuring process is to answer with JSON that has {expected!r}; "
                f"it printed {line.strip()[:TAIL]!r}"
            )
        return answer

    def _error(self, text: str) -> DeviceError:
        advice = self._advice(text)
        return DeviceError(f"{self.name}: {text}" + (f"; {advice}" if advice else ""))

    def _give_up(self) -> None:
        self._silent = True
        self._process.kill()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line.decode("utf-8", errors="replace"))
        self._lines.put(None)

    def _died(self) -> str:
        code = self._process.wait()
        if self._silent:
            return (
                f"the measuring process said nothing for {self.timeout_s:g} s and was ended; "
                "try again, with a longer timeout_s if the model is that slow"
            )
        self._errors.flush()
        self._errors.seek(0)
        tail = self._errors.read().strip()[-TAIL:]
        how = f"was ended by signal {-code}" if code < 0 else f"ended with code {code}"
        said = f": {tail}" if tail else ", without a word (out of memory?)"
        return f"the measuring process {how}{said}"
