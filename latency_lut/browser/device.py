"""A browser as a device, on a phone or anywhere: it opens a page, and the page measures."""

from __future__ import annotations

import itertools
import math
import secrets
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from latency_lut.browser.address import invitation, reachable_host, tls_context
from latency_lut.browser.assets import find_assets
from latency_lut.browser.connection import BrowserConnection
from latency_lut.browser.desk import Desk
from latency_lut.browser.posts import Page
from latency_lut.browser.settings import Settings, kept_token
from latency_lut.browser.silence import Silence
from latency_lut.browser.site import Offer, Site
from latency_lut.conditions import Conditions
from latency_lut.errors import DeviceError
from latency_lut.fingerprint import Fingerprint
from latency_lut.seam import Connection

# A batch of runs is timed whose length makes the clock's step 1% of it; a clock that needs longer
# batches than this (Firefox rounds to 100 ms where it resists fingerprinting) measures nothing.
COARSEST_MS = 2.0


def on_terminal(text: str) -> None:
    """A remark on standard error, wherever that goes at the moment."""
    sys.stderr.write(f"browser: {text}\n")
    sys.stderr.flush()


@dataclass(frozen=True)
class _Served:
    url: str
    desk: Desk
    site: Site
    runtime: str


class BrowserDevice:
    """A page for a browser, served from the first time that it is needed.

    ``provider`` is ``wasm`` or ``webgpu``, ``threads`` those of WebAssembly. ``patience_s`` is how
    long a campaign waits for a page that is not there, ``silence_s`` after how long it says so,
    ``timeout_s`` what a page that is there may take for one piece of work.
    """

    def __init__(
        self,
        threads: int = 1,
        provider: str = "wasm",
        settings: Settings | None = None,
        token: str | None = None,
        say: Callable[[str], None] = on_terminal,
        patience_s: float = math.inf,
        silence_s: float = 15.0,
        timeout_s: float = 300.0,
    ) -> None:
        if threads < 1:
            raise DeviceError(f"threads of a browser is 1 or more; got {threads}")
        if provider == "webgpu" and threads > 1:
            raise DeviceError(
                f"with WebGPU the threads of the processor do not count; leave threads at 1, "
                f"got {threads}"
            )
        self.threads = threads
        self.provider = provider
        self.name = "browser" if provider == "wasm" else f"browser-{provider}"
        self.settings = settings or Settings.from_environment()
        self._token = token
        self._say = say
        self._silence_s, self._patience_s = silence_s, patience_s
        self._timeout_s = timeout_s
        self._served: _Served | None = None
        self._numbers = itertools.count(secrets.randbelow(1 << 30))

    @property
    def url(self) -> str:
        """The address of the page, which begins to be served."""
        return self._serve().url

    def fingerprint(self) -> Fingerprint:
        """That of the browser that opens the page; waits for it the first time.

        Raises ``DeviceError`` if it cannot do what is wanted.
        """
        served = self._serve()
        page = served.desk.page()
        return Fingerprint(
            device=self.name,
            cpu=page.model or page.platform,
            cores=page.cores,
            system=page.platform,
            threads=self.threads,
            provider=self.provider,
            runtime=f"{served.runtime} in {page.user_agent}",
        )

    def conditions(self) -> Conditions:
        """A page is told nothing of the kind."""
        return {}

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """A fresh worker in the page, which ends with the next one."""
        desk = self._serve().desk
        yield BrowserConnection(self.name, desk, next(self._numbers), self._say)

    def close(self) -> None:
        """Stop serving; what is used again is served again."""
        if self._served is not None:
            self._served.site.close()
            self._served = None

    def _serve(self) -> _Served:
        if self._served is None:
            self._served = self._begin()
        return self._served

    def _begin(self) -> _Served:
        host, port = self.settings.bind
        there = reachable_host(host)
        assets = find_assets(self.settings.assets, self.settings.cache, self._say)
        token = self._token or kept_token(self.settings.cache)
        certificate = self.settings.certificate
        tls = certificate and tls_context(certificate, there, self.settings.cache)
        silence = Silence(self._say, time.monotonic, self._silence_s, self._patience_s)
        desk = Desk(self._unfit, silence, self._timeout_s)
        offer = Offer(token, desk, assets, self.provider, self.threads)
        site = Site((host, port), offer, tls or None)
        port = site.server_address[1]
        url = f"{'https' if tls else 'http'}://{there}:{port}/{token}/"
        silence.where = url
        self._say(invitation(url, port, drawn=sys.stderr.isatty()))
        return _Served(url, desk, site, f"onnxruntime-web {assets.version}")

    def _unfit(self, page: Page) -> str | None:
        """Why this page cannot measure, or None."""
        secure = (
            "which needs https or localhost: adb reverse and http://localhost, or "
            "NAS_LOOP_BROWSER_CERTIFICATE"
        )
        if self.threads > 1 and not page.isolated:
            return f"{self.threads} threads need a page in cross-origin isolation, {secure}"
        if self.threads > page.cores:
            return f"{self.threads} threads are wanted; the browser says it has {page.cores} cores"
        if self.provider == "webgpu" and not page.webgpu:
            return (
                f"the browser offers no WebGPU ({page.user_agent}), {secure}, and a browser that "
                "has it; --device browser measures on its processor"
            )
        if page.resolution_ms > COARSEST_MS:
            return (
                f"the clock of the browser goes in steps of {page.resolution_ms:g} ms, at most "
                f"{COARSEST_MS:g} ms can be measured with; switch off its protection against "
                "fingerprinting, or take another browser"
            )
        return None
