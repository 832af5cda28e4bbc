"""The web server of the page: a few files, a few posts, all of them behind the token."""

from __future__ import annotations

import hmac
import json
import socket
import ssl
import threading
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from latency_lut.browser.assets import BUNDLES, Assets
from latency_lut.browser.desk import Desk, GoneError, RefusedError, UnknownError
from latency_lut.browser.posts import (
    MOST_BYTES,
    MalformedError,
    page,
    parse,
    require,
    text,
    whole,
)
from latency_lut.errors import DeviceError

HERE = Path(__file__).parent
PAGE = {"": "page.html", "page.js": "page.js", "worker.js": "worker.js"}
KINDS = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".wasm": "application/wasm",
}
JSON = "application/json"
BYTES = "application/octet-stream"
WAIT_S = 10.0
# How long a connection may be silent once it has shown the token, and before; how many there may
# be. A page has six; the rest is for whoever would take all that this process can open.
SOCKET_S, UNKNOWN_S, MOST_LINES = 60.0, 10.0, 48
ALWAYS = {
    # Both together isolate the page from other origins, which threads and a fine clock need.
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    # Nothing comes from anywhere else, whatever a library would like to fetch.
    "Content-Security-Policy": "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src data:; worker-src 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
UNTIL_TOMORROW = "private, max-age=86400, immutable"


@dataclass(frozen=True)
class Offer:
    """What the site has to give: the desk, the files, and what the page's worker is set to."""

    token: str
    desk: Desk
    assets: Assets
    provider: str
    threads: int

    @property
    def files(self) -> dict[str, Path]:
        """Every file there is, by its path below the token. Nothing else is ever opened."""
        own = {path: HERE / name for path, name in PAGE.items()}
        version = self.assets.version
        return own | {f"ort/{version}/{name}": path for name, path in self.assets.files.items()}

    @property
    def settings(self) -> dict[str, Any]:
        """What a page hears when it is admitted."""
        bundle, folder = BUNDLES[self.provider], f"ort/{self.assets.version}/"
        return {
            "provider": self.provider,
            "threads": self.threads,
            "library": folder + bundle.library,
            "loader": folder + bundle.loader,
            "runtime": folder + bundle.runtime,
        }


class Site(ThreadingHTTPServer):
    """Serves an offer in threads of its own until it is closed."""

    daemon_threads = True

    def __init__(self, bind: tuple[str, int], offer: Offer, tls: ssl.SSLContext | None) -> None:
        self.offer = offer
        self.files = offer.files
        self._lines: set[socket.socket] = set()
        try:
            super().__init__(bind, _Handler)
        except (OSError, UnicodeError) as error:
            raise DeviceError(
                f"the page cannot be served on {bind[0]}:{bind[1]} ({error}); end what else uses "
                "that port, or choose another address with NAS_LOOP_BROWSER_ADDRESS=HOST:PORT"
            ) from error
        if tls is not None:
            # The handshake happens in the thread of each connection, where a slow one stops nobody.
            self.socket = tls.wrap_socket(
                self.socket, server_side=True, do_handshake_on_connect=False
            )
        self._thread = threading.Thread(target=self.serve_forever, args=(0.1,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening, and hang up on whoever is connected."""
        self.shutdown()
        self._thread.join()
        self.server_close()
        for line in tuple(self._lines):
            with suppress(OSError):  # It was closed by the other side.
                line.shutdown(socket.SHUT_RDWR)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Begin a thread for a connection; hang up where there are too many."""
        if len(self._lines) >= MOST_LINES:
            super().shutdown_request(request)
            return
        self._lines.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """End a connection."""
        self._lines.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: whoever sends rubbish is not to write on the user's terminal."""


class _Handler(BaseHTTPRequestHandler):
    server: Site
    protocol_version = "HTTP/1.1"
    timeout = UNKNOWN_S
    # A response goes out in one piece and at once: in two, the second waits for 40 ms.
    wbufsize = -1
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        path = self._path()
        files = self.server.files
        if path is None:
            self._reply(HTTPStatus.NOT_FOUND)
        elif path in files:
            self._file(path, files[path])
        elif path.startswith("model/"):
            content = self.server.offer.desk.content(path.removeprefix("model/"))
            if content is None:
                self._reply(HTTPStatus.NOT_FOUND)
            else:
                self._reply(HTTPStatus.OK, content, BYTES)
        else:
            self._reply(HTTPStatus.NOT_FOUND)

    def do_POST(self) -> None:
        path = self._path()
        posts = {
            "hello": self._hello,
            "work": self._work,
            "alive": self._alive,
            "answer": self._answer,
        }
        if path not in posts:
            self._refuse(HTTPStatus.NOT_FOUND)
            return
        body = self._body()
        if body is None:
            return
        try:
            self._json(HTTPStatus.OK, posts[path](parse(body)))
        except MalformedError as error:
            self._json(HTTPStatus.BAD_REQUEST, {"malformed": str(error)})
        except RefusedError as error:
            self._json(HTTPStatus.FORBIDDEN, {"refused": str(error)})
        except GoneError:
            self._json(HTTPStatus.CONFLICT, {"gone": "the page was opened again elsewhere"})
        except UnknownError:
            self._json(HTTPStatus.GONE, {"unknown": "say hello first"})

    def _hello(self, document: dict[str, Any]) -> dict[str, Any]:
        tab = self.server.offer.desk.hello(page(document))
        return {"tab": tab, **self.server.offer.settings}

    def _work(self, document: dict[str, Any]) -> dict[str, Any]:
        (tab,) = require(document, "tab")
        job = self.server.offer.desk.work(text(tab), WAIT_S)
        return {"work": None} if job is None else {"work": job.number, **job.request}

    def _alive(self, document: dict[str, Any]) -> dict[str, Any]:
        (tab,) = require(document, "tab")
        self.server.offer.desk.alive(text(tab))
        return {}

    def _answer(self, document: dict[str, Any]) -> dict[str, Any]:
        tab, number, answer = require(document, "tab", "work", "answer")
        if not isinstance(answer, dict):
            raise MalformedError("an answer is a JSON object")
        self.server.offer.desk.answer(text(tab), whole(number), answer)
        return {}

    def _path(self) -> str | None:
        """What is asked for below the token; None for whoever does not have it."""
        _, slash, rest = self.path.partition("/")
        token, below, path = rest.partition("/")
        ours = self.server.offer.token.encode()
        theirs = token.encode("utf-8", "surrogateescape")
        if not hmac.compare_digest(ours, theirs):
            return None
        self.connection.settimeout(SOCKET_S)
        return path if slash and below else None

    def _body(self) -> bytes | None:
        """What is posted, unless it is too long or does not say how long it is."""
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdecimal() and len(length) < 20):
            self._refuse(HTTPStatus.LENGTH_REQUIRED)
            return None
        if int(length) > MOST_BYTES:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            return None
        return self.rfile.read(int(length))

    def _file(self, path: str, file: Path) -> None:
        try:
            content = file.read_bytes()
        except OSError:
            self._reply(HTTPStatus.NOT_FOUND)
            return
        caching = "no-store" if path in PAGE else UNTIL_TOMORROW
        self._reply(HTTPStatus.OK, content, KINDS[file.suffix], caching)

    def _json(self, status: HTTPStatus, document: dict[str, Any]) -> None:
        self._reply(status, json.dumps(document).encode(), JSON)

    def _refuse(self, status: HTTPStatus) -> None:
        # What was posted is not read, so that nothing can follow it on this connection.
        self.close_connection = True
        self._reply(status)

    def _reply(
        self,
        status: HTTPStatus,
        content: bytes = b"",
        kind: str = "text/plain",
        caching: str = "no-store",
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Cache-Control", caching)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(content)

    def end_headers(self) -> None:
        for name, value in ALWAYS.items():
            self.send_header(name, value)
        super().end_headers()

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """An empty answer, for requests that the base class does not understand."""
        self._refuse(HTTPStatus(code))

    def version_string(self) -> str:
        return "nas-loop"

    def log_message(self, *_: Any) -> None:
        """The terminal belongs to the campaign."""
