"""Decoded images in files: equal to those in memory, believed when whole, written once."""

from __future__ import annotations

import json
import mmap
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from nas.data import SILENT, ImageOptions, ImageSet, cache, load_splits, open_source
from nas.data.cache import cached
from nas.data.decoding import decode
from nas.memory import machine_memory
from search_spaces.errors import DataError, NasLoopError
from tests.nas.test_full_disk import files_up_to
from tests.nas.tiny import ROOT

COUNT, SIDE = 90, 8
OPTIONS = ImageOptions(SIDE)


def write_images(path: Path, seed: int = 0, count: int = COUNT) -> Path:
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (count, SIDE, SIDE, 3), np.uint8)
    np.savez(path, images=pixels, labels=np.arange(count) % 3)
    return path


@pytest.fixture
def images(tmp_path: Path) -> Path:
    return write_images(tmp_path / "images.npz")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "kept" / "here"


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by an element for every piece that is decoded."""
    pieces: list[int] = []
    decoded = cache.decoded

    def noted(*arguments: Any) -> Any:
        for piece in (found := decoded(*arguments)):
            pieces.append(len(piece))
            yield piece
        found.close()

    monkeypatch.setattr(cache, "decoded", noted)
    return pieces


def all_of(path: Path, folder: Path, options: ImageOptions = OPTIONS, every: int = 1) -> ImageSet:
    source = open_source(path)
    indices = np.arange(0, len(source.parts["train"]), every)
    (found,) = cached(folder, source, [("train", indices)], options, SILENT)
    return found


def data_files(folder: Path) -> list[Path]:
    return sorted(folder.glob("train*.npy"))


def same(one: ImageSet, other: ImageSet) -> bool:
    """Also in what the cache says of them, which the other counts."""
    assert one.known is not None and other.known is None
    return (
        np.array_equal(one.images, other.images)
        and np.array_equal(one.labels, other.labels)
        and one.classes == other.classes
        and one.fingerprint == other.fingerprint
        and np.array_equal(one.histogram, other.histogram)
    )


def test_images_are_those_in_memory_and_decoded_once(
    images: Path, folder: Path, counted: list[int]
) -> None:
    source = open_source(images)
    expected = decode(source, "train", OPTIONS)
    assert same(all_of(images, folder), expected) and sum(counted) == COUNT
    assert same(all_of(images, folder), expected) and sum(counted) == COUNT
    (file,) = data_files(folder)
    np.testing.assert_array_equal(np.load(file, mmap_mode="r"), expected.images)
    some = decode(source, "train", OPTIONS, np.arange(0, COUNT, 2))
    assert same(all_of(images, folder, every=2), some) and sum(counted) == 3 * COUNT // 2
    other = ImageOptions(SIDE, "stretch", (1, 2, 3))
    assert same(all_of(images, folder, other), decode(source, "train", other))
    assert len(data_files(folder)) == 3


def test_splits_are_the_same_with_and_without(images: Path, folder: Path) -> None:
    def splits(cache: Path | None) -> list[ImageSet]:
        found = load_splits(images, OPTIONS, 0.2, 0.2, np.random.default_rng(1), cache)
        return [found.train, found.val, found.test()]

    assert all(map(same, splits(folder), splits(None)))
    assert all(map(same, splits(folder), splits(None)))


def test_a_path_may_be_said_in_another_way(
    images: Path, folder: Path, counted: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    all_of(images, folder)
    monkeypatch.chdir(images.parent)
    all_of(Path(images.name), folder)
    assert sum(counted) == COUNT


def longer(file: Path) -> None:
    with file.open("ab") as stream:
        stream.write(b"x")


def shorter(file: Path) -> None:
    os.truncate(file, file.stat().st_size - 1)


def headless(file: Path) -> None:
    file.write_bytes(b"\0" * 200 + file.read_bytes()[200:])


def of_another_digest(file: Path) -> None:
    beside = file.with_suffix(".json")
    beside.write_text(json.dumps(json.loads(beside.read_text()) | {"digest": "0" * 64}))


def half_told(file: Path) -> None:
    beside = file.with_suffix(".json")
    beside.write_bytes(beside.read_bytes()[: beside.stat().st_size // 2])


@pytest.mark.parametrize(
    "damage", [longer, shorter, headless, of_another_digest, half_told, Path.unlink]
)
def test_what_does_not_hold_is_made_again(
    images: Path, folder: Path, counted: list[int], damage: Callable[[Path], None]
) -> None:
    all_of(images, folder)
    (file,) = data_files(folder)
    damage(file)
    assert same(all_of(images, folder), decode(open_source(images), "train", OPTIONS))
    assert sum(counted) == 2 * COUNT and data_files(folder) == [file]


def test_what_was_changed_since_is_made_again(
    images: Path, folder: Path, counted: list[int]
) -> None:
    before = all_of(images, folder)
    kept = before.images.copy()
    write_images(images, seed=1)
    os.utime(images, ns=(1, 1))
    after = all_of(images, folder)
    assert same(after, decode(open_source(images), "train", OPTIONS)) and sum(counted) == 2 * COUNT
    assert after.fingerprint != before.fingerprint and len(data_files(folder)) == 1
    np.testing.assert_array_equal(before.images, kept)  # Whoever has the old file goes on with it.
    os.utime(images, ns=(2, 2))
    assert all_of(images, folder).fingerprint == after.fingerprint and sum(counted) == 3 * COUNT


def test_who_writes_to_the_map_does_not_change_the_file(images: Path, folder: Path) -> None:
    first, second = all_of(images, folder), all_of(images, folder)
    before = second.images.copy()
    first.images[:] = 0
    np.testing.assert_array_equal(second.images, before)
    assert (
        all_of(images, folder).fingerprint
        == decode(open_source(images), "train", OPTIONS).fingerprint
    )


def test_a_file_may_be_larger_than_all_memory(tmp_path: Path) -> None:
    policy = Path("/proc/sys/vm/overcommit_memory").read_text().strip()
    if policy == "2":
        pytest.skip("this system sets room aside for every map")
    swap = next(
        int(line.split()[1])
        for line in Path("/proc/meminfo").read_text().splitlines()
        if line.startswith("SwapTotal:")
    )
    size = 2 * machine_memory(tmp_path / "none") + 1024 * swap
    with (tmp_path / "large").open("wb+") as stream:
        stream.truncate(size)  # A hole: it takes no room.
        if policy == "0":  # What this is about: a plain private map of it is refused.
            with pytest.raises(OSError):
                mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_COPY)
        whole = np.frombuffer(cache._mapped(stream.fileno()), np.uint8)
    whole[-1] = 5
    assert len(whole) == size and whole[-1] == 5 and whole[size // 2] == 0


def test_a_disk_without_room_is_noticed_before(
    images: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needed = 128 + COUNT * 3 * SIDE * SIDE
    with monkeypatch.context() as patched:
        patched.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=needed - 1))
        with pytest.raises(NasLoopError, match=r"here: 1 MB are needed .* another data\.cache$"):
            all_of(images, folder)
    assert data_files(folder) == []
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=needed))
    all_of(images, folder)


def test_a_disk_that_is_full_in_the_midst(images: Path, folder: Path) -> None:
    with files_up_to(10_000), pytest.raises(NasLoopError) as refused:
        all_of(images, folder)
    assert "\n" not in str(refused.value) and ".npy: cannot be written" in str(refused.value)
    assert [path.name for path in folder.iterdir()] == [".lock"]
    assert same(all_of(images, folder), decode(open_source(images), "train", OPTIONS))


def test_a_damaged_image_leaves_nothing(tmp_path: Path, folder: Path) -> None:
    for name in "ab":
        (tmp_path / "set" / name).mkdir(parents=True)
        for number in range(3):
            Image.new("RGB", (8, 8), (number, 0, 0)).save(tmp_path / "set" / name / f"{number}.png")
    damaged = tmp_path / "set" / "b" / "1.png"
    whole = damaged.read_bytes()
    damaged.write_bytes(b"junk")
    with pytest.raises(DataError, match=r"b/1\.png: is not an image"):
        all_of(tmp_path / "set", folder)
    assert data_files(folder) == []
    damaged.write_bytes(whole)
    assert all_of(tmp_path / "set", folder).images[:, 0, 0, 0].tolist() == [0, 1, 2, 0, 1, 2]


def test_a_folder_that_cannot_be_made(images: Path) -> None:
    with pytest.raises(NasLoopError, match=r"choose another data\.cache"):
        all_of(images, images / "below")


def test_a_system_that_refuses_the_map(
    images: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(file: int) -> mmap.mmap:
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr(cache, "_mapped", refuse)
    with pytest.raises(NasLoopError, match=r"npy: cannot be mapped into memory \(Cannot allocate"):
        all_of(images, folder)


def test_what_may_not_be_removed(images: Path, folder: Path) -> None:
    all_of(images, folder)
    (file,) = data_files(folder)
    file.unlink()
    file.mkdir()
    with pytest.raises(NasLoopError, match=r"npy: cannot be removed .*another data\.cache"):
        all_of(images, folder)


# Decodes slowly, and tells what it decoded.
CHILD = """
import sys, time
import numpy as np
from PIL import Image
from nas.data import ImageOptions, Part, Source, cache, decoding
count, side, pause = map(int, sys.argv[2:5])
opened = 0
def open_(index):
    global opened
    opened += 1
    time.sleep(pause / 1000)
    return Image.new("RGB", (side, side), (index % 256, index // 256, 3))
part = Part(np.arange(count) % 2, open_, str)
source = Source("made up", ("a", "b"), {"train": part})
class Told:
    progress = decoding.SILENT.progress
    def say(self, text):
        print(text, flush=True)
from pathlib import Path
decoding.MOST_THREADS = 1
def found():
    wanted = [("train", np.arange(0, count, 2)), ("train", np.arange(1, count, 2))]
    return cache.cached(Path(sys.argv[1]), source, wanted, ImageOptions(side), Told())
"""
DECODES = f"""{CHILD}
print(*(images.fingerprint for images in found()), opened)
"""
MAPS = f"""{CHILD}
import torch
from nas.data.augment import Normalisation
from nas.data.batches import as_tensors
def own():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith("RssAnon"))
torch.zeros(10)[torch.arange(3)]  # What a first use takes.
before = own()
first, second = found()
images, labels = as_tensors(first)
held = own() - before
batch = images[torch.arange(0, len(images), 8)]
assert all(0 < few.flatten()[::4096].sum() for few in images.split(8))  # Every page is read.
assert Normalisation.of_histogram(first.histogram).mean[2] == 3
print(first.images.nbytes, held, own() - before - batch.nbytes, opened)
"""


def child(text: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", text, *map(str, arguments)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )


def said(process: subprocess.Popen[str]) -> list[str]:
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    return out.splitlines()


def test_of_a_writer_that_was_killed_nothing_is_believed(folder: Path) -> None:
    with child(DECODES, folder, 200, 8, 20) as process:
        until = time.monotonic() + 60
        while not any(
            left.stat().st_size > 128 + 32 * 192 for left in folder.glob(".train*.tmp.npy")
        ):
            assert time.monotonic() < until and process.poll() is None
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
    assert data_files(folder) == [] and len(list(folder.glob(".train*.tmp.npy"))) == 1
    *_, first = said(child(DECODES, folder, 200, 8, 0))
    *_, again = said(child(DECODES, folder, 200, 8, 0))
    assert first.split()[:2] == again.split()[:2]
    assert (first.split()[2], again.split()[2]) == ("200", "0")
    assert len(data_files(folder)) == 2 and not list(folder.glob(".train*.tmp.npy"))


def test_one_process_decodes_and_others_wait_for_it(folder: Path) -> None:
    outcomes = [said(one) for one in [child(DECODES, folder, 100, 8, 10) for _ in range(3)]]
    prints = {tuple(lines[-1].split()[:2]) for lines in outcomes}
    assert len(prints) == 1
    assert sorted(int(lines[-1].split()[2]) for lines in outcomes) == [0, 0, 100]
    remarks = [line for lines in outcomes for line in lines[:-1]]
    assert f"100 images are decoded, once, into {folder}: 1 MB" in remarks
    waited = f"{folder}: another process decodes images into it, which is waited for"
    assert set(remarks) <= {waited, f"100 images are decoded, once, into {folder}: 1 MB"}


def test_a_map_is_not_copied_into_memory(folder: Path) -> None:
    arguments = folder, 128, 640, 0
    said(child(DECODES, *arguments))
    size, held, after, opened = map(int, said(child(MAPS, *arguments))[-1].split())
    assert size == 64 * 3 * 640 * 640 and opened == 0
    assert held < size / 20 and after < size / 5, (size, held, after)
