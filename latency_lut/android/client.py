"""The adb client: its commands, and what it complains of as one clear line.

The client is the user's own (``adb`` on the path) with the user's own server; which server it
talks to is up to its environment (``ADB_SERVER_SOCKET``, ``ANDROID_ADB_SERVER_PORT``).
"""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from latency_lut.errors import DeviceError

ADB = "adb"
# Ends what a script prints: adb itself tells no exit codes of phones before Android 7.
END = "nas-loop-exit"
AGAIN = "then the same command goes on"
WAYS_OUT = {
    "unauthorized": "unlock its screen and allow debugging from this computer",
    "offline": "plug it in again, or run `adb reconnect`",
    "no permissions": "this user may not use the USB port: see `adb devices` and its udev rules",
    "recovery": "start Android on it",
    "bootloader": "start Android on it",
}


@dataclass(frozen=True)
class Adb:
    """A phone as the adb client reaches it: ``serial``, empty for the only one connected.

    ``name`` begins every message, ``timeout_s`` is what one command may take.
    """

    serial: str
    name: str
    timeout_s: float = 120.0

    def found(self) -> Adb:
        """The same with its serial, sure to be connected. Raises ``DeviceError`` if it is not."""
        states = self._states()
        if self.serial and self.serial not in states:
            have = ", ".join(states) or "none"
            raise DeviceError(
                f"{self.name}: the phone is not connected, adb has {have}; plug it in with USB "
                f"debugging on, {AGAIN}"
            )
        if not states:
            raise DeviceError(
                f"{self.name}: no phone is connected; plug one in with USB debugging on, and see "
                f"`adb devices`, {AGAIN}"
            )
        if not self.serial and len(states) > 1:
            names = ", ".join(f"adb://{serial}" for serial in states)
            raise DeviceError(
                f"{self.name}: {len(states)} phones are connected; say which: {names}"
            )
        serial = self.serial or next(iter(states))
        if states[serial] != "device":
            state = states[serial]
            way = next((w for s, w in WAYS_OUT.items() if state.startswith(s)), "see `adb devices`")
            raise DeviceError(f"{self.name}: the phone {serial} is {state}; {way}, {AGAIN}")
        return Adb(serial, self.name, self.timeout_s)

    def _states(self) -> dict[str, str]:
        """The state of each phone by its serial, from ``adb devices``."""
        lines = self._run("devices").stdout.splitlines()
        pairs = (line.strip().split("\t", 1) for line in lines if "\t" in line)
        return {serial: state.strip() for serial, state in pairs}

    def shell_command(self, script: str) -> tuple[str, ...]:
        """The command on this machine that runs ``script`` in the phone's shell."""
        return (ADB, "-s", self.serial, "shell", script)

    def shell(self, script: str) -> str:
        """What ``script`` prints on the phone, errors included.

        Raises ``DeviceError`` if it fails or what it printed was cut off.
        """
        done = self._run(*self.shell_command(f"({script}) 2>&1; echo {END} $?")[1:])
        text, _, code = done.stdout.replace("\r\n", "\n").rpartition(f"{END} ")
        if not re.fullmatch(r"\d+\s*", code):
            said = (done.stderr or done.stdout).strip()[-200:] or "nothing"
            raise self.gone(f"its shell was cut off and said {said!r}")
        if int(code):
            raise DeviceError(f"{self.name}: the phone says {text.strip()[-400:]!r}")
        return text

    def push(self, source: Path, target: str) -> None:
        """Copy a file. Raises ``DeviceError`` with adb's own words if that fails."""
        done = self._run("-s", self.serial, "push", str(source), target)
        if done.returncode:
            lines = [*done.stdout.splitlines(), *done.stderr.splitlines(), "nothing was said"]
            said = next((line for line in lines if "error" in line), lines[-1])
            raise self.gone(f"nothing can be pushed to {target}: {said[-200:]}")

    def gone(self, text: str) -> DeviceError:
        """The error that ``text`` is, or that the phone is no longer there."""
        try:
            self.found()
        except DeviceError as error:
            return DeviceError(f"{error} (it was there before)")
        return DeviceError(f"{self.name}: {text}")

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        try:
            return subprocess.run(
                [ADB, *arguments],
                capture_output=True,
                text=True,
                encoding="utf-8",
                errors="replace",
                timeout=self.timeout_s,
                stdin=subprocess.DEVNULL,
            )
        except OSError as error:
            raise DeviceError(
                f"{self.name}: the adb client does not start ({error.strerror}); install it "
                "(Debian: `apt-get install adb`) so that `adb devices` works"
            ) from error
        except subprocess.TimeoutExpired:
            raise DeviceError(
                f"{self.name}: `adb {' '.join(arguments)[:80]}` took more than "
                f"{self.timeout_s:g} s; plug the phone in again, or run `adb kill-server`"
            ) from None
