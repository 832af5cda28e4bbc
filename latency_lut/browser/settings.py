"""Where the page is served, and where what it needs is kept."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from latency_lut.errors import DeviceError
from search_spaces.errors import NasLoopError
from search_spaces.files import atomic_path

ADDRESS = "0.0.0.0:8765"
TOKEN_BYTES = 32


def cache_folder() -> Path:
    """The user's folder for what can be made or fetched again."""
    given = os.environ.get("XDG_CACHE_HOME")
    return (Path(given) if given else Path.home() / ".cache") / "nas-loop"


@dataclass(frozen=True)
class Settings:
    """``address`` is HOST:PORT to listen on; port 0 is any free one.

    ``certificate`` is a PEM file with key and certificates for HTTPS, or ``self`` for one that is
    made here; without it the page is served over plain HTTP. ``assets`` is the folder of an
    unpacked npm package ``onnxruntime-web``, in place of the pinned one, which is downloaded once
    into the folder ``cache``.
    """

    address: str = ADDRESS
    certificate: str | None = None
    assets: Path | None = None
    cache: Path = field(default_factory=cache_folder)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Settings:
        """What NAS_LOOP_BROWSER_ADDRESS, _CERTIFICATE and _ASSETS say; the usual, where unset."""
        assets = environment.get("NAS_LOOP_BROWSER_ASSETS")
        return cls(
            address=environment.get("NAS_LOOP_BROWSER_ADDRESS") or ADDRESS,
            certificate=environment.get("NAS_LOOP_BROWSER_CERTIFICATE") or None,
            assets=Path(assets) if assets else None,
        )

    @property
    def bind(self) -> tuple[str, int]:
        """Host and port. Raises ``DeviceError`` if ``address`` has none."""
        host, colon, port = self.address.rpartition(":")
        if not (colon and port.isascii() and port.isdecimal() and int(port) < 1 << 16):
            raise DeviceError(
                "the browser's address (NAS_LOOP_BROWSER_ADDRESS) is HOST:PORT with a port below "
                f"65536, for example {ADDRESS}; got {self.address!r}"
            )
        return host, int(port)


def kept_token(cache: Path) -> str:
    """The secret part of the address; the same from one command to the next.

    So that a page that was left open goes on with the next command. It is kept in a file that
    only the user may read; without that file a new one is made.

    Raises ``DeviceError`` if the file can be neither read nor written.
    """
    path = cache / "browser-token"
    try:
        token = path.read_text(encoding="ascii").strip() if path.exists() else ""
        if len(token) >= TOKEN_BYTES:
            return token
        token = secrets.token_urlsafe(TOKEN_BYTES)
        with atomic_path(path) as temporary:
            temporary.chmod(0o600)
            temporary.write_text(token + "\n", encoding="ascii")
    except (OSError, UnicodeDecodeError, NasLoopError) as error:
        raise DeviceError(
            f"{path}: the token of the browser's address cannot be kept ({error}); make the folder "
            "writable, or point XDG_CACHE_HOME elsewhere"
        ) from error
    return token
