"""A page without a browser: it says and posts what a test wants, over real HTTP."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from latency_lut.browser import BrowserDevice, Settings
from latency_lut.browser.assets import FILES

TOKEN = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFG"
ABOUT: dict[str, Any] = {
    "user_agent": "Test/1.0",
    "platform": "Linux armv8l",
    "model": "Phone 3",
    "cores": 4,
    "isolated": True,
    "resolution_ms": 0.005,
    "webgpu": False,
}


def package(folder: Path, version: str = "9.9.9") -> Path:
    """An unpacked npm package of the right shape, with nothing in it."""
    (folder / "dist").mkdir(parents=True)
    document = {"name": "onnxruntime-web", "version": version}
    (folder / "package.json").write_text(json.dumps(document))
    for name in FILES:
        (folder / "dist" / name).write_text(f"this is {name}")
    return folder


def served(folder: Path, **options: Any) -> BrowserDevice:
    """A device whose page is served on a free port of this machine."""
    settings = Settings("127.0.0.1:0", assets=package(folder / "assets"), cache=folder / "cache")
    options = {"say": lambda text: None, "patience_s": 30.0, **options}
    return BrowserDevice(settings=settings, token=TOKEN, **options)


@dataclass(frozen=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class FakePage:
    """``tab`` is the page's name once it has said hello."""

    url: str
    tab: str = ""
    about: dict[str, Any] = field(default_factory=lambda: dict(ABOUT))

    def request(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> Reply:
        """``path`` is all of it, the token included."""
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=20)
        try:
            connection.request(method, path, body, dict(headers or {}))
            reply = connection.getresponse()
            return Reply(reply.status, dict(reply.getheaders()), reply.read())
        finally:
            connection.close()

    def below(self, path: str) -> str:
        return urlsplit(self.url).path + path

    def get(self, path: str) -> Reply:
        return self.request("GET", self.below(path))

    def post(self, what: str, document: Any) -> Reply:
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        return self.request("POST", self.below(what), body)

    def hello(self) -> Reply:
        reply = self.post("hello", self.about)
        if reply.status == 200:
            self.tab = reply.json["tab"]
        return reply

    def work(self) -> Any:
        """The next piece of work."""
        for _ in range(100):
            reply = self.post("work", {"tab": self.tab})
            assert reply.status == 200, reply
            if reply.json["work"] is not None:
                return reply.json
        raise AssertionError("no work came")

    def answer(self, work: Mapping[str, Any], answer: Any) -> Reply:
        return self.post("answer", {"tab": self.tab, "work": work["work"], "answer": answer})


def right(work: Mapping[str, Any]) -> dict[str, Any]:
    """What an honest page would answer."""
    if "load" in work:
        return {"run_ms": 2.5}
    times = [1.0 + i for i in range(work["runs"])]
    return {"samples": [{"model": name, "ms": times} for name in work["time"]]}


class Campaign(threading.Thread):
    """What a campaign does with a device, in a thread of its own; ``result`` raises its error."""

    def __init__(self, work: Callable[[], Any]) -> None:
        super().__init__(daemon=True)
        self._work = work
        self._outcome: list[Any] = []
        self._error: list[BaseException] = []
        self.start()

    def run(self) -> None:
        try:
            self._outcome.append(self._work())
        except BaseException as error:
            self._error.append(error)

    def result(self) -> Any:
        self.join(60)
        assert not self.is_alive(), "the campaign does not end"
        if self._error:
            raise self._error[0]
        return self._outcome[0]
