"""A stand-in for a phone: adbd's side of the adb protocol over TCP, for the real adb client.

As ``protocol.txt``, ``SERVICES.TXT`` and ``SYNC.TXT`` in AOSP's ``packages/modules/adb`` have it:
packets of six little-endian words and data, streams that are opened, acknowledged, written and
closed, the services ``shell`` (old, and ``shell,v2`` with exit codes) and ``sync`` (``SEND``,
``STAT``, ``STA2``). Commands run in this machine's shell, in a folder for ``/data/local/tmp``.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.latency_lut.perf_test import PerfTest

CNXN, AUTH, OPEN, OKAY, CLSE, WRTE = (
    int.from_bytes(name, "little")
    for name in (b"CNXN", b"AUTH", b"OPEN", b"OKAY", b"CLSE", b"WRTE")
)
VERSION, MOST = 0x01000001, 1 << 18
NEW = ("shell_v2", "cmd", "stat_v2")
OLD = ("cmd",)
PROPERTIES = {
    "ro.product.model": "Stand-in 5",
    "ro.soc.model": "SM0000",
    "ro.build.version.release": "14",
    "ro.product.cpu.abi": "arm64-v8a",
}
GETPROP = "case $1 in\n" + "".join(f"{k}) echo '{v}';;\n" for k, v in PROPERTIES.items()) + "esac\n"
DUMPSYS = 'echo "IsStatusOverride: false"; echo "Thermal Status: 1"\n'


class Stream:
    """What one ``OPEN`` opened, as a file: ``write`` waits for the other side's ``OKAY``."""

    def __init__(self, link: Link, here: int, there: int) -> None:
        self.link, self.here, self.there = link, here, there
        self.acknowledged = threading.Semaphore(0)
        self.received = bytearray()
        self.more = threading.Condition()
        self.closed = False

    def write(self, data: bytes) -> None:
        for start in range(0, len(data), MOST):
            self.link.send(WRTE, self.here, self.there, data[start : start + MOST])
            self.acknowledged.acquire()
            if self.closed:
                raise ConnectionError

    def read(self, size: int) -> bytes:
        with self.more:
            self.more.wait_for(lambda: len(self.received) >= size or self.closed)
            if len(self.received) < size:
                raise ConnectionError
            data = bytes(self.received[:size])
            del self.received[:size]
            return data

    def feed(self, data: bytes) -> None:
        with self.more:
            self.received += data
            self.more.notify_all()

    def close(self) -> None:
        with self.more:
            self.closed = True
            self.more.notify_all()
        self.acknowledged.release()


class Link:
    """One connection of an adb server."""

    def __init__(self, phone: Phone, connection: socket.socket) -> None:
        self.phone, self.connection = phone, connection
        self.streams: dict[int, Stream] = {}
        self.lock = threading.Lock()

    def send(self, command: int, first: int, second: int, data: bytes = b"") -> None:
        checksum = sum(data) & 0xFFFFFFFF
        header = (command, first, second, len(data), checksum, command ^ 0xFFFFFFFF)
        with self.lock:
            self.connection.sendall(struct.pack("<6I", *header) + data)

    def serve(self) -> None:
        with contextlib.suppress(OSError, ConnectionError), self.connection:
            while True:
                command, first, second, size, _, _ = struct.unpack("<6I", self._exactly(24))
                self._answer(command, first, second, self._exactly(size))
        for stream in list(self.streams.values()):
            stream.close()

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            data += (piece := self.connection.recv(size - len(data)))
            if not piece:
                raise ConnectionError
        return data

    def _answer(self, command: int, first: int, second: int, data: bytes) -> None:
        if command == CNXN and self.phone.authorized:
            banner = f"device::ro.product.model=Stand-in;features={','.join(self.phone.features)}"
            self.send(CNXN, VERSION, MOST, banner.encode())
        elif command == CNXN or (command == AUTH and first == 2):
            self.send(AUTH, 1, 0, bytes(20))  # A token to sign; no signature will do.
        elif command == OPEN:
            stream = Stream(self, len(self.streams) + 1, first)
            self.streams[stream.here] = stream
            self.send(OKAY, stream.here, first)
            service = data.rstrip(b"\0").decode()
            threading.Thread(target=self._run, args=(service, stream), daemon=True).start()
        elif command == OKAY:
            self.streams[second].acknowledged.release()
        elif command == WRTE:
            self.streams[second].feed(data)
            self.send(OKAY, second, first)
        elif command == CLSE and second in self.streams:
            self.streams[second].close()

    def _run(self, service: str, stream: Stream) -> None:
        with contextlib.suppress(OSError, ConnectionError):
            kind, _, argument = service.partition(":")
            if kind == "sync":
                _sync(self.phone, stream)
            else:
                _shell(self.phone, stream, argument, "v2" in kind.split(","))
            self.send(CLSE, stream.here, stream.there)


def _shell(phone: Phone, stream: Stream, command: str, second_version: bool) -> None:
    process = subprocess.Popen(
        ["sh", "-c", command.replace("/data/local/tmp", str(phone.folder))],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=phone.folder,
        env={"PATH": f"{phone.programs}:{os.environ['PATH']}"},
        start_new_session=True,
    )
    assert process.stdout is not None
    try:
        while piece := os.read(process.stdout.fileno(), MOST // 2):
            # The first version of the service has a terminal, which ends lines in its own way.
            packet = b"\1" + struct.pack("<I", len(piece)) + piece
            stream.write(packet if second_version else piece.replace(b"\n", b"\r\n"))
        if second_version:
            stream.write(b"\3" + struct.pack("<IB", 1, process.wait() & 255))
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def _sync(phone: Phone, stream: Stream) -> None:
    while True:
        request, size = struct.unpack("<4sI", stream.read(8))
        if request == b"QUIT":
            return
        text = stream.read(size).decode()
        path = Path(text.partition(",")[0].replace("/data/local/tmp", str(phone.folder)))
        if request == b"SEND":
            _receive(stream, path, int(text.rpartition(",")[2]))
        else:
            _stat(stream, request, path)


def _receive(stream: Stream, path: Path, mode: int) -> None:
    content = b""
    while True:
        request, size = struct.unpack("<4sI", stream.read(8))
        if request == b"DONE":  # With the time of the file in place of a size.
            break
        content += stream.read(size)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(mode & 0o777)
    except OSError as error:
        message = f"couldn't create file: {error.strerror}".encode()
        stream.write(b"FAIL" + struct.pack("<I", len(message)) + message)
    else:
        stream.write(b"OKAY" + bytes(4))


def _stat(stream: Stream, request: bytes, path: Path) -> None:
    there = path.stat() if path.exists() else None
    mode, size, when = (there.st_mode, there.st_size, int(there.st_mtime)) if there else (0, 0, 0)
    if request == b"STAT":
        stream.write(request + struct.pack("<3I", mode, size, when))
    else:
        numbers = (0 if there else 2, 0, 0, mode, 1, 0, 0, size, when, when, when)
        stream.write(request + struct.pack("<IQQ4IQ3q", *numbers))


@dataclass
class Phone:
    """``folder`` plays /data/local/tmp, ``programs`` comes first on the path."""

    folder: Path
    programs: Path
    features: tuple[str, ...] = NEW
    authorized: bool = True
    port: int = 0
    listener: socket.socket | None = None
    links: list[Link] = field(default_factory=list)

    @property
    def serial(self) -> str:
        return f"127.0.0.1:{self.port}"

    def plug(self) -> None:
        """Listen, at the port it had, and have the adb server connect."""
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("127.0.0.1", self.port))
        self.listener.listen()
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self.listener,), daemon=True).start()
        self.connect()

    def connect(self) -> None:
        # Else the server tries a phone that it lost again only after ten seconds.
        adb("disconnect", self.serial)
        adb("connect", self.serial)
        until(lambda: f"{self.serial}\t" in adb("devices"))

    def unplug(self) -> None:
        if self.listener is not None:
            # Closing alone does not end an accept that waits.
            self.listener.shutdown(socket.SHUT_RDWR)
            self.listener.close()
            self.listener = None
        for link in self.links:
            with contextlib.suppress(OSError):
                link.connection.shutdown(socket.SHUT_RDWR)
        self.links.clear()

    def forget(self) -> None:
        """Unplug, and have the adb server forget it."""
        self.unplug()
        adb("disconnect", self.serial)

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                link = Link(self, listener.accept()[0])
                self.links.append(link)
                threading.Thread(target=link.serve, daemon=True).start()


def adb(*arguments: str) -> str:
    done = subprocess.run(["adb", *arguments], capture_output=True, text=True, timeout=60)
    return done.stdout + done.stderr


def until(condition: object) -> None:
    assert callable(condition)
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


@contextlib.contextmanager
def adb_server(folder: Path) -> Iterator[pytest.MonkeyPatch]:
    """An adb server of its own, on a free port and with keys of its own."""
    if shutil.which("adb") is None:
        pytest.skip("needs the adb client (Debian: adb)")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ANDROID_ADB_SERVER_PORT", str(port))
        patch.delenv("ADB_SERVER_SOCKET", raising=False)
        patch.delenv("ANDROID_SERIAL", raising=False)
        # It would connect to emulators on this machine by itself.
        patch.setenv("ADB_LOCAL_TRANSPORT_MAX_PORT", "5554")
        patch.setenv("HOME", str(folder))
        adb("start-server")
        try:
            yield patch
        finally:
            adb("kill-server")


def made(folder: Path, features: tuple[str, ...] = NEW, authorized: bool = True) -> Phone:
    """A phone that is not plugged in yet."""
    programs = folder / "bin"
    (folder / "tmp").mkdir(parents=True)
    programs.mkdir()
    for name, script in (("getprop", GETPROP), ("dumpsys", DUMPSYS)):
        (programs / name).write_text(f"#!/bin/sh\n{script}")
        (programs / name).chmod(0o755)
    return Phone(folder / "tmp", programs, features, authorized)


@contextlib.contextmanager
def phone_with_tool(folder: Path) -> Iterator[Phone]:
    """An adb server with one phone, and a tool to be pushed to it in the environment."""
    with adb_server(folder) as patch, PerfTest(folder) as tool:
        patch.setenv("NAS_LOOP_PERF_TEST", str(tool.script))
        phone = made(folder / "phone")
        phone.plug()
        try:
            yield phone
        finally:
            phone.forget()
