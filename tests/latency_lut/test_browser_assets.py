"""The npm package that the browser's page is made of: fetched once, checked, or refused."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from latency_lut.browser.assets import FILES, PINNED, Assets, Release, find_assets
from latency_lut.errors import DeviceError
from tests.latency_lut.fake_page import package


def archive(path: Path, version: str = "9.9.9", lacking: str = "", more: str = "") -> Release:
    """A package as the registry has it, on this machine's disk."""
    document = json.dumps({"name": "onnxruntime-web", "version": version})
    names = [f"package/dist/{name}" for name in FILES if name != lacking]
    content = {name: f"this is {name}" for name in names} | {"package/package.json": document}
    if more:
        content[more] = "evil"
    with tarfile.open(path, "w:gz") as file:
        for name, text in content.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            file.addfile(entry, io.BytesIO(text.encode()))
    digest = base64.b64encode(hashlib.sha512(path.read_bytes()).digest()).decode()
    return Release(version, path.as_uri(), f"sha512-{digest}", 1)


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_a_package_is_fetched_once_and_nothing_of_it_is_written_elsewhere(tmp_path: Path) -> None:
    release = archive(tmp_path / "p.tgz", more="package/../../../escaped")
    said: list[str] = []
    found = find_assets(None, tmp_path / "a" / "cache", said.append, release)
    folder = tmp_path / "a" / "cache" / "onnxruntime-web-9.9.9"
    files = {name: folder / "dist" / name for name in FILES}
    assert found == Assets("9.9.9", files)
    assert {p.read_text() for p in files.values()} == {f"this is package/dist/{n}" for n in FILES}
    assert left(folder.parent) == [folder.name] and len(left(folder / "dist")) == len(FILES)
    assert not list(tmp_path.rglob("escaped"))
    assert len(said) == 1 and "downloading onnxruntime-web 9.9.9 (1 MB, once)" in said[0]
    (tmp_path / "p.tgz").unlink()
    assert find_assets(None, tmp_path / "a" / "cache", said.append, release) == found
    assert len(said) == 1


def test_what_was_not_published_is_not_kept(tmp_path: Path) -> None:
    release = replace(archive(tmp_path / "p.tgz"), integrity=PINNED.integrity)
    with pytest.raises(DeviceError, match="is not what was published .sha512-.*nothing of it is"):
        find_assets(None, tmp_path / "cache", lambda text: None, release)
    assert left(tmp_path / "cache") == []


@pytest.mark.parametrize("broken", ["gone", "cut", "lacking"])
def test_a_download_that_fails_says_how_to_do_without(tmp_path: Path, broken: str) -> None:
    path = tmp_path / "p.tgz"
    release = archive(path, lacking=FILES[2] if broken == "lacking" else "")
    if broken == "gone":
        path.unlink()
    if broken == "cut":
        path.write_bytes(path.read_bytes()[:-40])
        digest = base64.b64encode(hashlib.sha512(path.read_bytes()).digest()).decode()
        release = replace(release, integrity=f"sha512-{digest}")
    with pytest.raises(DeviceError, match="cannot be fetched.*npm pack .*BROWSER_ASSETS"):
        find_assets(None, tmp_path / "cache", lambda text: None, release)
    assert left(tmp_path / "cache") == []


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DeviceError, match=f"cannot be fetched.*{tmp_path / 'file'}"):
        find_assets(None, tmp_path / "file", lambda text: None, archive(tmp_path / "p.tgz"))


def test_a_folder_may_be_named_instead(tmp_path: Path) -> None:
    folder = package(tmp_path / "own", "1.2.3-beta")
    assert find_assets(folder, tmp_path / "cache", pytest.fail).version == "1.2.3-beta"
    (folder / "dist" / FILES[0]).unlink()
    with pytest.raises(DeviceError, match=f"{folder}: .*it lacks {FILES[0]}"):
        find_assets(folder, tmp_path / "cache", pytest.fail)


@pytest.mark.parametrize(
    "document",
    ["", "[]", '{"version": "1"}', '{"name": "left-pad", "version": "1.0.0"}'],
)
def test_a_folder_of_another_package_is_refused(tmp_path: Path, document: str) -> None:
    folder = package(tmp_path / "own")
    (folder / "package.json").write_text(document)
    with pytest.raises(DeviceError, match="its package.json says"):
        find_assets(folder, tmp_path / "cache", pytest.fail)


def test_a_version_is_no_path(tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match="needs an unpacked npm package"):
        find_assets(package(tmp_path / "own", "../../x"), tmp_path, pytest.fail)
