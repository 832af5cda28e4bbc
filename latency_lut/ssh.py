"""A Linux machine over ssh: the worker is sent there, nothing is installed.

The system's own ``ssh`` makes the connection, so that the user's configuration, keys and agent
are in force. Worker and models travel on the standard input of one remote Python, answers on its
standard output.
"""

from __future__ import annotations

import functools
import os
import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from latency_lut import worker
from latency_lut.conditions import Conditions
from latency_lut.connection import WorkerConnection, fingerprint_of_worker
from latency_lut.errors import DeviceError
from latency_lut.fingerprint import Fingerprint
from latency_lut.process import WorkerProcess
from latency_lut.seam import Connection

CONFIG_VARIABLE, PYTHON_VARIABLE = "NAS_LOOP_SSH_CONFIG", "NAS_LOOP_SSH_PYTHON"
PYTHON = "python3"
# Asks nothing of a terminal that nobody watches; notices a dead line within half a minute; and
# whatever forwardings or commands the user has for this host, they are not for measuring.
OPTIONS = (
    "BatchMode=yes",
    "ConnectTimeout=10",
    "ServerAliveInterval=10",
    "ServerAliveCountMax=3",
    "ClearAllForwardings=yes",
    "RemoteCommand=none",
    "RequestTTY=no",
)
# Without single quotes, so that one pair of them keeps it from every kind of shell there.
START = (
    "import sys; "
    'sys.version_info < (3, 9) and sys.exit("Python there is older than 3.9"); '
    "read = sys.stdin.buffer; "
    "source = read.read(int(read.readline())); "
    'exec(compile(source, "worker.py", "exec"), '
    '{"__name__": "__main__", "__file__": "worker.py"})'
)
ADDRESS = re.compile(
    r"ssh://(?P<to>(?:[^@\s/?-][^@\s/?]*@)?(?:\[[0-9A-Fa-f:.%\w]+\]|[\w.][\w.-]*))"
    r"(?::(?P<port>\d{1,5}))?/?(?:\?python=(?P<python>[^\s&]+))?",
    re.ASCII,
)


# What to do, by what ssh, the shell or Python there said; the first that fits.
ADVICE = (
    ("does not start", "install OpenSSH's client"),
    (
        "No module named '?(numpy|onnxruntime)",
        "install it: {by_hand} {python} -m pip install numpy onnxruntime; or name a Python that "
        "has it: {name}?python=/path/to/python3",
    ),
    ("Could not resolve", "check the address, or give the host a name in ~/.ssh/config"),
    ("has changed and you have", "find out why the key is another one before you trust it"),
    (
        "Host key verification failed",
        "its key is not known here: run `{by_hand}` once and accept it",
    ),
    (
        "Permission denied .*publickey|Too many authentication failures",
        "it takes none of your keys: use ssh-copy-id, or add a key to the agent, until `{by_hand}` "
        "asks for no password",
    ),
    (
        "Connection refused|timed out|No route to host|unreachable",
        "is it on, and does its sshd listen at this port?",
    ),
    (
        "ended with code 12[67]|older than 3.9",
        "name a Python of 3.9 or newer there: {name}?python=/path/to/python3",
    ),
    (
        "it printed",
        "a shell that greets (~/.bashrc?) has to be silent where there is no terminal: "
        "`{by_hand} true` must print nothing",
    ),
    (
        "ended with code 255",
        "the connection broke; a table's samples are kept, and the same command goes on with them",
    ),
)


@dataclass(frozen=True)
class SshDevice:
    """``destination`` is [user@]host, or a name in the user's ``~/.ssh/config``.

    ``python`` is the interpreter there, ``config`` a file in place of ``~/.ssh/config``,
    ``timeout_s`` how long a request may take to be answered.
    """

    destination: str
    port: int | None = None
    threads: int = 1
    python: str = PYTHON
    provider: str = "CPUExecutionProvider"
    timeout_s: float = 120.0
    config: Path | str | None = None

    @property
    def name(self) -> str:
        """The address, without options."""
        return f"ssh://{self.destination}" + (f":{self.port}" if self.port else "")

    def fingerprint(self) -> Fingerprint:
        """The other machine's; asked for once."""
        return self._fingerprint

    @functools.cached_property
    def _fingerprint(self) -> Fingerprint:
        machine = self._about()["machine"]
        if not 1 <= self.threads <= machine["cores"]:
            raise DeviceError(
                f"threads is from 1 to the {machine['cores']} cores of {self.name}; "
                f"got {self.threads}"
            )
        return fingerprint_of_worker(machine, self.name, self.threads, self.provider)

    def conditions(self) -> Conditions:
        """The other machine's of now: a connection of its own."""
        return self._about()["conditions"]

    def _about(self) -> dict[str, Any]:
        with self._worker() as process:
            process.send({"about": "machine"})
            about = process.receive("machine")
        if about["machine"]["runtime"] == "onnxruntime none":
            text = f"No module named 'onnxruntime' in its {self.python}"
            raise DeviceError(f"{self.name}: {text}; {self._advice(text)}")
        return about

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """A fresh worker there, ended when the connection ends, for whatever reason."""
        with self._worker() as process:
            process.send({"threads": self.threads, "provider": self.provider})
            process.receive("ready")
            yield WorkerConnection(process)

    @contextmanager
    def _worker(self) -> Iterator[WorkerProcess]:
        with WorkerProcess(
            self._command, self.name, self.timeout_s, self.threads, self._advice
        ) as process:
            source = Path(worker.__file__).read_bytes()
            process.write(b"%d\n" % len(source) + source)
            yield process

    @property
    def _command(self) -> tuple[str, ...]:
        # `env`, because not every shell takes an assignment before a command.
        remote = ["env", f"OMP_NUM_THREADS={self.threads}", self.python, "-c", START]
        return (
            "ssh",
            *(("-F", str(self.config)) if self.config else ()),
            *(part for option in OPTIONS for part in ("-o", option)),
            *(("-p", str(self.port)) if self.port else ()),
            "--",
            self._host,
            shlex.join(remote),
        )

    @property
    def _host(self) -> str:
        return self.destination.replace("[", "").replace("]", "")

    def _advice(self, text: str) -> str:
        config = f"-F {self.config} " if self.config else ""
        port = f"-p {self.port} " if self.port else ""
        by_hand = f"ssh {config}{port}{self._host}"
        for pattern, advice in ADVICE:
            if re.search(pattern, text):
                return advice.format(by_hand=by_hand, name=self.name, python=self.python)
        return ""


def ssh_device(address: str, threads: int = 1, **options: Any) -> SshDevice:
    """The device at ``ssh://[user@]host[:port][?python=INTERPRETER]``.

    What neither the address nor ``options`` say (``python``, ``config``), the environment does:
    NAS_LOOP_SSH_PYTHON and NAS_LOOP_SSH_CONFIG. Raises ``DeviceError`` for what is no address.
    """
    parts = ADDRESS.fullmatch(address)
    if parts is None or not 0 < int(parts["port"] or 22) < 1 << 16:
        raise DeviceError(
            f"a device over ssh is ssh://[user@]host[:port], with ?python=/path/to/python3 behind "
            f"it if need be; got {address!r}"
        )
    if threads < 1:
        raise DeviceError(f"threads is 1 or more; got {threads}")
    environment = {"python": PYTHON_VARIABLE, "config": CONFIG_VARIABLE}
    given = {name: os.environ[key] for name, key in environment.items() if os.environ.get(key)}
    if parts["python"]:
        given["python"] = unquote(parts["python"])
    return SshDevice(
        parts["to"], int(parts["port"]) if parts["port"] else None, threads, **{**given, **options}
    )
