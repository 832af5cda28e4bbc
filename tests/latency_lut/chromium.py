"""A real browser without a screen, and a device whose page it opens."""

from __future__ import annotations

import atexit
import functools
import json
import os
import shutil
import signal
import subprocess
import tempfile
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from experiments.latency.browser import FLAGS
from latency_lut.browser import BrowserDevice, Settings
from latency_lut.browser.assets import find_assets
from latency_lut.errors import DeviceError

# A name for this machine that no browser trusts without a certificate, unlike localhost.
ELSEWHERE = "phone.test"
PATIENCE_S = 120.0
# The GPU that Chromium brings: SwiftShader computes on the processor what a card would.
SOFTWARE_GPU = ("--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader")


def program() -> str:
    """Chromium's command; without one the test is skipped."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return path
    pytest.skip("needs a browser: install chromium")


@functools.cache
def assets() -> Path:
    """The folder of the real onnxruntime-web; where it cannot be had the test is skipped."""
    settings = Settings.from_environment()
    try:
        found = find_assets(settings.assets, settings.cache, lambda text: None)
    except DeviceError as error:
        pytest.skip(f"needs onnxruntime-web: {error}")
    return next(iter(found.files.values())).parents[1]


class Chromium:
    """A browser with a fresh profile that shows one page, until it is killed."""

    def __init__(self, url: str, *flags: str) -> None:
        self._profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        command = [program(), *FLAGS, f"--host-resolver-rules=MAP {ELSEWHERE} 127.0.0.1", *flags]
        self._process = subprocess.Popen(
            [*command, f"--user-data-dir={self._profile.name}", url],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def __enter__(self) -> Chromium:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def kill(self) -> None:
        """End all of its processes at once, as a phone does that is out of memory."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._profile.cleanup()


class Covered(Chromium):
    """A browser whose page can be hidden, by another tab before it, as a locked screen hides it."""

    def __init__(self, url: str) -> None:
        super().__init__(url, "--remote-debugging-port=0")

    def hide(self) -> None:
        """Open an empty tab before the page, which stays the one to be shown again."""
        self._page = next(one["id"] for one in self._ask("list") if one["type"] == "page")
        self._ask("new?about:blank", "PUT")

    def show(self) -> None:
        """The page before all others."""
        self._ask(f"activate/{self._page}")

    def _ask(self, what: str, method: str = "GET") -> Any:
        port = (Path(self._profile.name) / "DevToolsActivePort").read_text().split()[0]
        request = urllib.request.Request(f"http://127.0.0.1:{port}/json/{what}", method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            text = answer.read().decode()
        return json.loads(text) if text.startswith(("[", "{")) else text


def device(**options: Any) -> BrowserDevice:
    """A device on a free port of this machine, with the real runtime; nothing is open yet."""
    program()
    settings = Settings("127.0.0.1:0", options.pop("certificate", None), assets())
    options = {"say": lambda text: None, "patience_s": PATIENCE_S, **options}
    return BrowserDevice(settings=settings, token="t" * 43, **options)


@functools.cache
def opened(provider: str = "wasm") -> BrowserDevice:
    """A device whose page is open, the same for all tests of a process."""
    made = device(provider=provider)
    browser = Chromium(made.url, *(SOFTWARE_GPU if provider == "webgpu" else ()))
    atexit.register(browser.kill)
    return made
