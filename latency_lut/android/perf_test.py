"""``onnxruntime_perf_test``: how it is asked, and what it answers.

From its source, ``onnxruntime/test/perftest`` in microsoft/onnxruntime: options were parsed with
getopt and are with Abseil's flags since, single letters after one dash are the same in both, and
so are the rows of the result file, ``model,seconds,peak_bytes,cpu_percent,iteration``. The model
is the last part of the file's folder, seconds have six digits (``9.87e-05``), the processor's
share is -1 where the clock did not tick. Rows are appended to a file that is there. What may
follow after an empty line are statistics, ``P50 Latency is 0.05sec`` in old versions and
``P50 Latency: 0.05 s`` in new ones; they are asked for with ``-s``, which we do not.
"""

from __future__ import annotations

import hashlib
import math
import os
import re
from dataclasses import dataclass
from pathlib import Path

from latency_lut.errors import DeviceError

VARIABLE = "NAS_LOOP_PERF_TEST"
TOOL = "onnxruntime_perf_test"
# What each provider is asked for with -i. NNAPI has a processor's version of everything, which is
# not what it is taken for; QNN has to be told its library, that of the NPU.
PROVIDERS = {
    "cpu": "",
    "xnnpack": "",
    "nnapi": "NNAPI_FLAG_CPU_DISABLED",
    "qnn": "backend_path|libQnnHtp.so",
}
# It warms up with one run. The next ones are still slower, so they are thrown away.
DROPPED = 10
ROW = re.compile(r".*,(?P<seconds>[0-9.e+-]+),(?P<bytes>\d+),-?\d+,(?P<iteration>\d+)")
RUNTIME = re.compile(rb"VERS_(\d+\.\d+\.\d+)\0")


@dataclass(frozen=True)
class Result:
    """Times of the runs in milliseconds, warm-up left out; peak memory of the process in bytes."""

    times_ms: tuple[float, ...]
    peak_bytes: int | None


def options(provider: str, threads: int) -> str:
    """All options but the number of runs, as text for a shell; the input is random, seed 1.

    Everything is said, because defaults changed between versions.
    """
    asked = f"-I -m times -x {threads} -y 1 -c 1 -o 99 -e {provider} -S 1"
    if provider == "cpu":
        return asked
    # Without this, what the provider does not take runs on the processor, unnoticed.
    asked += " -C 'session.disable_cpu_ep_fallback|1'"
    return f"{asked} -i '{PROVIDERS[provider]}'" if PROVIDERS[provider] else asked


def parse(text: str, runs: int) -> Result:
    """A result file of ``runs`` runs and the dropped ones. Raises ``ValueError`` if it is none."""
    lines = text.strip().splitlines()
    rows = lines[: lines.index("")] if "" in lines else lines
    matches = [ROW.fullmatch(row.strip()) for row in rows]
    found = [match for match in matches if match is not None]
    if len(found) != len(rows) or len(rows) != runs + DROPPED:
        raise ValueError(f"{runs + DROPPED} rows of five values were due, there are {len(found)}")
    if [int(match["iteration"]) for match in found] != list(range(len(found))):
        raise ValueError("its rows are not numbered from 0")
    times = tuple(round(1e3 * float(match["seconds"]), 9) for match in found[DROPPED:])
    if not all(math.isfinite(time) and time > 0 for time in times):
        raise ValueError("a time is not above 0, so the phone's clock jumped: run it again")
    return Result(times, int(found[-1]["bytes"]) or None)


@dataclass(frozen=True)
class Tool:
    """The tool as the user built it, with the libraries beside it.

    ``digest`` is of all ``files``; ``version`` is that of ``libonnxruntime.so``, empty where the
    tool is built in one piece.
    """

    files: tuple[Path, ...]
    digest: str
    version: str

    @property
    def runtime(self) -> str:
        """As a fingerprint names it; builds of one version differ, so the digest counts."""
        return f"onnxruntime {self.version or 'of unknown version'}, {TOOL} {self.digest}"


def tool(path: str | Path | None = None) -> Tool:
    """The tool at ``path``, else where ``NAS_LOOP_PERF_TEST`` says. Raises ``DeviceError``."""
    named = path or os.environ.get(VARIABLE)
    if not named:
        raise DeviceError(
            f"a phone is measured with {TOOL}, built for it with ONNX Runtime's `build.sh "
            f"--android --android_abi arm64-v8a --build_shared_lib`; {VARIABLE} names the file"
        )
    executable = Path(named)
    if not executable.is_file():
        raise DeviceError(f"{executable}: {VARIABLE} names {TOOL}, and there is no such file")
    files = (executable, *sorted(executable.parent.glob("lib*.so*")))
    digest = hashlib.sha256()
    version = ""
    for file in files:
        content = file.read_bytes()
        digest.update(f"{file.name} {len(content)}\n".encode() + content)
        if told := file.name.startswith("libonnxruntime.so") and RUNTIME.search(content):
            version = told[1].decode()
    return Tool(files, digest.hexdigest()[:12], version)
