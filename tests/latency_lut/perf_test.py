"""What plays ``onnxruntime_perf_test``: it runs the model and writes what the tool's source writes.

The tool is a small script that hands its arguments to a thread of the test's own process, because
importing onnxruntime for every visit would take most of the time.
"""

from __future__ import annotations

import contextlib
import getopt
import json
import os
import resource
import socket
import sys
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import onnxruntime

# The letters of the tool's own parser, as the versions with getopt had them.
LETTERS = "k:b:m:e:r:t:p:x:y:c:d:o:u:i:f:F:S:T:C:AMPIDZvhsqzn"
CLIENT = """
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as link:
    link.connect(sys.argv[1])
    link.sendall(json.dumps({"arguments": sys.argv[2:], "folder": os.getcwd()}).encode() + b"\\n")
    answer = json.loads(link.makefile().read())
sys.stderr.write(answer["said"])
sys.exit(answer["code"])
"""


class PerfTest:
    """``script`` is the file that a user would name; ``asked`` are the calls it got."""

    def __init__(self, folder: Path) -> None:
        self.asked: list[list[str]] = []
        home = folder / "tool"
        home.mkdir()
        client, address = home / "client.py", home / "socket"
        client.write_text(CLIENT)
        self.script = home / "onnxruntime_perf_test"
        self.script.write_text(f'#!/bin/sh\nexec {sys.executable} -SI {client} {address} "$@"\n')
        # As the real one's symbols have it.
        (home / "libonnxruntime.so").write_bytes(b"\x7fELF...\0VERS_1.20.1\0...")
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(address))
        self.listener.listen()

    def __enter__(self) -> PerfTest:
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                link, _ = self.listener.accept()
                with link, link.makefile("rw") as lines, contextlib.suppress(OSError):
                    call = json.loads(lines.readline())
                    self.asked.append(call["arguments"])
                    code, said = run(call["arguments"], Path(call["folder"]))
                    lines.write(json.dumps({"code": code, "said": said}))


def run(arguments: list[str], folder: Path) -> tuple[int, str]:
    """The exit code of a call, and what it printed."""
    try:
        pairs, (model, result) = getopt.getopt(arguments, LETTERS)
    except (getopt.GetoptError, ValueError) as error:
        return 255, f"{error}\nperf_test [options...] model_path [result_file]\n"
    options: dict[str, Any] = dict(pairs)
    if options.get("-e", "cpu") != "cpu":
        return 255, f"{options['-e'].upper()} is not supported in this build\n"
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = int(options["-x"])
    settings.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(
            str(folder / model), settings, providers=["CPUExecutionProvider"]
        )
    except Exception as error:
        return 255, str(error)
    (value,) = session.get_inputs()
    shape = [size if isinstance(size, int) else 1 for size in value.shape]
    random = np.random.default_rng(int(options["-S"]))
    feed = {value.name: random.random(shape, dtype=np.float32)}
    session.run(None, feed)
    times = []
    for _ in range(int(options["-r"])):
        start = time.perf_counter()
        session.run(None, feed)
        times.append(time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    name = (folder / model).parent.name
    with open(os.path.join(folder, result), "a") as file:
        for number, seconds in enumerate(times):
            # %g is how a C++ stream writes a double unless told otherwise: six digits.
            file.write(f"{name},{seconds:g},{peak},-1,{number}\n")
    return 0, f"Total inference requests: {len(times)}\n"
