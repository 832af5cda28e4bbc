"""onnxruntime-web: the pinned npm package, downloaded once, checked, and served from here."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import tarfile
import tempfile
import urllib.request
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import IO

from latency_lut.errors import DeviceError

PACKAGE = "onnxruntime-web"
CHUNK_BYTES = 1 << 20
TIMEOUT_S = 60.0
# What a connection and an archive raise that end too early, besides errors of the system.
BROKEN = (HTTPException, tarfile.TarError, EOFError, zlib.error)


@dataclass(frozen=True)
class Release:
    """A version of the package. ``integrity`` is its SHA-512 as the registry writes it."""

    version: str
    url: str
    integrity: str
    megabytes: int


PINNED = Release(
    version="1.30.0",
    url="https://registry.npmjs.org/onnxruntime-web/-/onnxruntime-web-1.30.0.tgz",
    integrity="sha512-q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1Sig"
    "qR4CXAfKYQ==",
    megabytes=33,
)


@dataclass(frozen=True)
class Bundle:
    """What a provider needs: the library, the code that loads it, and the compiled runtime."""

    library: str
    loader: str
    runtime: str


BUNDLES = {
    "wasm": Bundle("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm"),
    "webgpu": Bundle(
        "ort.webgpu.min.mjs",
        "ort-wasm-simd-threaded.asyncify.mjs",
        "ort-wasm-simd-threaded.asyncify.wasm",
    ),
}
FILES = tuple(name for b in BUNDLES.values() for name in (b.library, b.loader, b.runtime))


@dataclass(frozen=True)
class Assets:
    """A version of the package, and the files that are served, by name."""

    version: str
    files: dict[str, Path]


def find_assets(
    given: Path | None, cache: Path, say: Callable[[str], None], release: Release = PINNED
) -> Assets:
    """The package in the folder ``given``, else the pinned one, downloaded where it is not yet.

    Raises ``DeviceError``: the folder is no such package, or the download fails or is not what
    was published.
    """
    if given is not None:
        return _unpacked(given)
    folder = cache / f"{PACKAGE}-{release.version}"
    if not folder.is_dir():
        say(f"downloading {PACKAGE} {release.version} ({release.megabytes} MB, once) to {folder}")
        _download(release, folder)
    return _unpacked(folder)


def _unpacked(folder: Path) -> Assets:
    files = {name: folder / "dist" / name for name in FILES}
    missing = [name for name, path in files.items() if not path.is_file()]
    try:
        document = json.loads((folder / "package.json").read_text(encoding="utf-8"))
        name, version = document["name"], document["version"]
    except (OSError, ValueError, KeyError, TypeError):
        name = version = None
    plain = isinstance(version, str) and re.fullmatch(r"[0-9A-Za-z.+-]+", version)
    if name != PACKAGE or not plain or missing:
        lacks = f"it lacks {', '.join(missing)}" if missing else f"its package.json says {name!r}"
        raise DeviceError(
            f"{folder}: the browser needs an unpacked npm package {PACKAGE}, with package.json and "
            f"dist/; {lacks}. Delete or name another folder (NAS_LOOP_BROWSER_ASSETS)"
        )
    return Assets(version, files)


def _download(release: Release, folder: Path) -> None:
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
            fresh = Path(scratch) / "package"
            with tempfile.TemporaryFile(dir=scratch) as archive:
                _fetch(release, archive)
                _unpack(archive, fresh)
            fresh.replace(folder)
    except (*BROKEN, OSError, KeyError) as error:
        if folder.is_dir():  # Another command was faster.
            return
        raise DeviceError(
            f"{PACKAGE} {release.version} cannot be fetched from {release.url} to {folder} "
            f"({error}); mend that, or fetch it by hand (npm pack {PACKAGE}@{release.version}), "
            "unpack it and name its folder in NAS_LOOP_BROWSER_ASSETS"
        ) from error


def _fetch(release: Release, archive: IO[bytes]) -> None:
    digest = hashlib.sha512()
    with urllib.request.urlopen(release.url, timeout=TIMEOUT_S) as response:
        while chunk := response.read(CHUNK_BYTES):
            digest.update(chunk)
            archive.write(chunk)
    found = "sha512-" + base64.b64encode(digest.digest()).decode()
    if found != release.integrity:
        raise DeviceError(
            f"{release.url}: what came is not what was published ({found[:20]}... instead of "
            f"{release.integrity[:20]}...); nothing of it is kept. Try again, on another network"
        )
    archive.seek(0)


def _unpack(archive: IO[bytes], folder: Path) -> None:
    """The few files that are served; names in the archive are looked up, never written to."""
    (folder / "dist").mkdir(parents=True)
    with tarfile.open(fileobj=archive, mode="r:gz") as package:
        for name in ("package.json", *(f"dist/{file}" for file in FILES)):
            source = package.extractfile(f"package/{name}")
            if source is None:
                raise KeyError(f"{name} is no file")
            with source, (folder / name).open("wb") as target:
                shutil.copyfileobj(source, target)
