"""Writing files so that a reader finds the old content or the new, and never a half."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from search_spaces.errors import NasLoopError

__all__ = ["atomic_path", "sha256_of", "write_atomic"]

_CHUNK_BYTES = 1 << 20


def write_atomic(path: str | Path, data: bytes | str) -> None:
    """Write `data` (text as UTF-8) to `path`, replacing what is there in one step.

    Raises:
        NasLoopError: the disk is full or the folder cannot be written; the old file is kept.
    """
    content = data.encode("utf-8") if isinstance(data, str) else data
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """A temporary path beside `path`, which replaces it when the block ends without an error.

    The temporary file keeps the suffix of `path`, because some writers choose their format by
    it or append it. It is removed when the block raises.

    Raises:
        NasLoopError: the disk is full or the folder cannot be written; the old file is kept.
    """
    target = Path(path)
    temporary = _reserve(target)
    try:
        yield temporary
        _flush(temporary)
        temporary.replace(target)
    except OSError as error:
        raise _refused(target, error) from error
    finally:
        # After a successful replace there is nothing left to remove.
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
    _flush_folder(target.parent)


def sha256_of(source: str | Path | bytes) -> str:
    """The SHA-256 of bytes, or of the content of a file, as 64 hexadecimal digits.

    Raises:
        NasLoopError: the file cannot be read.
    """
    if isinstance(source, bytes):
        return hashlib.sha256(source).hexdigest()
    digest = hashlib.sha256()
    try:
        with Path(source).open("rb") as stream:
            while chunk := stream.read(_CHUNK_BYTES):
                digest.update(chunk)
    except OSError as error:
        reason = error.strerror or str(error)
        raise NasLoopError(f"{source}: cannot be read ({reason})") from error
    return digest.hexdigest()


def _reserve(target: Path) -> Path:
    # In the same folder, because os.replace is atomic within one file system only.
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(
            dir=target.parent, prefix=f".{target.name}.", suffix=f".tmp{target.suffix}"
        )
        # mkstemp makes it private; the finished file should be as readable as any other.
        os.fchmod(handle, 0o666 & ~_umask())
        os.close(handle)
    except OSError as error:
        raise _refused(target, error) from error
    return Path(name)


def _umask() -> int:
    current = os.umask(0o022)
    os.umask(current)
    return current


def _flush(path: Path) -> None:
    with path.open("rb+") as stream:
        os.fsync(stream.fileno())


def _flush_folder(folder: Path) -> None:
    # The rename itself has to reach the disk; file systems that cannot do it are no loss.
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _refused(target: Path, error: OSError) -> NasLoopError:
    reason = error.strerror or str(error)
    kept = "the old file is kept" if target.exists() else "nothing was written"
    return NasLoopError(f"{target}: cannot be written ({reason}); {kept}")
