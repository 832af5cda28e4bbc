"""A real sshd on the loopback interface, with keys, a configuration and a port of its own."""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import latency_lut
from latency_lut.ssh import SshDevice

START_S = 20
# Where Debian has it; an unprivileged user's path leaves this folder out.
SBIN = "/usr/sbin"

SERVER = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host
PidFile none
AuthorizedKeysFile {folder}/authorized
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
SetEnv TMPDIR={folder}/remote
"""

# The last three are what can go wrong before a worker starts.
CLIENT = """\
Host pi chatty stranger refused
  HostName 127.0.0.1
  Port {port}
  User {user}
Host stranger
  UserKnownHostsFile /dev/null
Host refused
  IdentityFile {folder}/unknown
Host chatty
  IdentityFile {folder}/greeted
Host nowhere
  HostName nowhere.invalid
Host off
  HostName 127.0.0.1
  Port {closed}
Host pi stranger
  IdentityFile {folder}/user
Host *
  IdentitiesOnly yes
  IdentityAgent none
  GlobalKnownHostsFile /dev/null
  UserKnownHostsFile {folder}/known
  StrictHostKeyChecking yes
"""


@dataclass(frozen=True)
class Sshd:
    """``pi`` is the host that works; ``config`` names others, each with a fault of its own."""

    folder: Path
    process: subprocess.Popen[bytes]

    @property
    def config(self) -> Path:
        return self.folder / "config"

    @property
    def remote_folder(self) -> Path:
        """Where the other side's temporary files are."""
        return self.folder / "remote"

    def device(self, host: str = "pi", **options: Any) -> SshDevice:
        """A device there, through this interpreter unless another ``python`` is named."""
        options = {"python": sys.executable, "config": self.config, **options}
        device = latency_lut.device(f"ssh://{host}", **options)
        assert isinstance(device, SshDevice)
        return device

    def sessions(self) -> list[int]:
        """The processes of sshd that serve connections now."""
        return _children(self.process.pid)

    def cut(self) -> None:
        """End all connections at once, as a dead line or a power cut does."""
        sessions = self.sessions()
        for pid in [*sessions, *(child for one in sessions for child in _sshds(one))]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _children(parent: int) -> list[int]:
    text = Path(f"/proc/{parent}/task/{parent}/children").read_text()
    return [int(pid) for pid in text.split()]


def _sshds(parent: int) -> list[int]:
    # Of what a session started, sshd's own processes; the worker has to end by itself.
    return [
        pid for pid in _children(parent) if Path(f"/proc/{pid}/comm").read_text().startswith("sshd")
    ]


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Sshd]:
    """An sshd, ended when the block ends; skips the test where the system has none."""
    program = shutil.which("sshd", path=os.pathsep.join([os.environ["PATH"], SBIN]))
    if program is None or shutil.which("ssh") is None:
        pytest.skip("needs sshd and ssh (Debian: openssh-server, openssh-client)")
    if os.geteuid() == 0:  # As root it wants a folder that the system's own start makes.
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    (folder / "remote").mkdir()
    for name in ("host", "user", "greeted", "unknown"):
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True
        )
    port = _free_port()
    public = {name: (folder / f"{name}.pub").read_text() for name in ("host", "user", "greeted")}
    greets = 'command="echo Welcome to pi; eval \\"$SSH_ORIGINAL_COMMAND\\""'
    (folder / "authorized").write_text(f"{public['user']}{greets} {public['greeted']}")
    (folder / "known").write_text(f"[127.0.0.1]:{port} {public['host']}")
    (folder / "server").write_text(SERVER.format(folder=folder, port=port))
    with socket.socket() as closed:
        # Bound and not listening: it refuses connections, and no other process gets its port.
        closed.bind(("127.0.0.1", 0))
        (folder / "config").write_text(
            CLIENT.format(
                folder=folder, port=port, closed=closed.getsockname()[1], user=getpass.getuser()
            )
        )
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen([program, "-D", "-e", "-f", folder / "server"], stderr=log)
        try:
            _wait(process, port, folder / "log")
            yield Sshd(folder, process)
        finally:
            process.terminate()
            process.wait()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    end = time.monotonic() + START_S
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise AssertionError(f"sshd does not start: {log.read_text()}")
