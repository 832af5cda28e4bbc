from __future__ import annotations

import errno
import hashlib
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from search_spaces.errors import NasLoopError
from search_spaces.files import atomic_path, sha256_of, write_atomic


def test_writes_bytes_and_text_and_makes_the_folder(tmp_path: Path) -> None:
    write_atomic(tmp_path / "new" / "a.bin", b"\x00\xff")
    write_atomic(tmp_path / "new" / "b.txt", "müde")
    assert (tmp_path / "new" / "a.bin").read_bytes() == b"\x00\xff"
    assert (tmp_path / "new" / "b.txt").read_text(encoding="utf-8") == "müde"
    assert sorted(os.listdir(tmp_path / "new")) == ["a.bin", "b.txt"]


def test_replaces_and_is_as_readable_as_any_file(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_atomic(path, "old")
    write_atomic(path, "new")
    plain = tmp_path / "plain"
    plain.write_text("")
    assert path.read_text() == "new"
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)


def test_an_error_inside_keeps_the_old_file_and_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), atomic_path(path) as temporary:
        assert temporary.parent == tmp_path
        assert temporary.suffix == ".npz"
        temporary.write_text("half")
        raise ZeroDivisionError
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.npz"]


def test_full_disk_is_one_clear_line(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(NasLoopError) as caught, atomic_path(path):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert str(caught.value) == (
        f"{path}: cannot be written (No space left on device); the old file is kept"
    )
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full, a Linux device")
def test_the_message_of_a_disk_that_is_really_full(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    refused = pytest.raises(NasLoopError, match="No space left on device")
    with refused, atomic_path(path), open("/dev/full", "wb") as full:
        full.write(b"x" * 100)
    assert os.listdir(tmp_path) == []


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(NasLoopError, match="Not a directory|File exists"):
        write_atomic(tmp_path / "file" / "a.txt", "x")


def test_killed_while_writing_keeps_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    code = (
        "import os, sys\n"
        "from search_spaces.files import atomic_path\n"
        "with atomic_path(sys.argv[1]) as temporary:\n"
        "    temporary.write_text('half')\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], check=False)
    assert done.returncode == -9
    assert path.read_text() == "old"


def test_sha256_agrees_with_hashlib(tmp_path: Path) -> None:
    content = os.urandom(3_000_000)
    path = tmp_path / "a"
    path.write_bytes(content)
    expected = hashlib.sha256(content).hexdigest()
    assert sha256_of(content) == sha256_of(path) == sha256_of(str(path)) == expected
    with pytest.raises(NasLoopError, match="cannot be read"):
        sha256_of(tmp_path / "missing")
