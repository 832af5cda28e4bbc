"""Many images by several threads, against a loop over them."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from nas.data import ImageOptions, Part, Source, open_source, parquet
from nas.data.decode import square
from nas.data.decoding import PIECE, decode, decoded
from search_spaces.errors import DataError

OPTIONS = ImageOptions(8)
Writer = Callable[..., Path]


def one_by_one(source: Source, indices: np.ndarray) -> np.ndarray:
    """The plain loop."""
    part, images = source.parts["train"], []
    for index in indices:
        with part.open(int(index)) as image:
            images.append(square(image, OPTIONS))
    return np.stack(images)


def part_of(open_: Callable[[int], Image.Image], count: int) -> Part:
    return Part(np.arange(count) % 2, open_, lambda index: f"image {index}")


def of_value(index: int) -> Image.Image:
    return Image.new("RGB", (8, 8), (index % 256, index // 256, 7))


def written_as(kind: str, folder: Path, count: int) -> Path:
    rng = np.random.default_rng(0)
    labels = np.arange(count) % 3
    sides = rng.integers(6, 20, (count, 2))
    pictures = [Image.fromarray(rng.integers(0, 256, (*side, 3), np.uint8)) for side in sides]
    if kind == "npz":
        pixels = rng.integers(0, 256, (count, 9, 7, 3), np.uint8)
        np.savez(folder / "images.npz", images=pixels, labels=labels)
        return folder / "images.npz"
    if kind == "parquet":
        rows = []
        for picture in pictures:
            picture.save(stream := io.BytesIO(), "JPEG")
            rows.append({"bytes": stream.getvalue(), "path": None})
        for number, half in enumerate((slice(0, count // 3), slice(count // 3, count))):
            table = pa.table({"image": rows[half], "label": labels[half]})
            pq.write_table(table, folder / f"train-{number}.parquet", row_group_size=11)
        return folder
    for number, (picture, label) in enumerate(zip(pictures, labels, strict=True)):
        (folder / f"class{label}").mkdir(exist_ok=True)
        picture.save(folder / f"class{label}" / f"{number:03}.png")
    return folder


@pytest.mark.parametrize("kind", ["folder", "parquet", "npz"])
def test_threads_find_what_a_loop_finds(tmp_path: Path, kind: str) -> None:
    source = open_source(written_as(kind, tmp_path, 150))
    part = source.parts["train"]
    chosen = np.random.default_rng(1).permutation(150)[:140]
    pieces = list(decoded(part, chosen, OPTIONS, threads=4))
    assert [len(piece) for piece in pieces] == [PIECE] * 4 + [140 - 4 * PIECE]
    np.testing.assert_array_equal(np.concatenate(pieces), one_by_one(source, chosen))
    some = decode(source, "train", OPTIONS, chosen)
    np.testing.assert_array_equal(some.images, np.concatenate(pieces))
    np.testing.assert_array_equal(some.labels, part.labels[chosen])
    everything = decode(source, "train", OPTIONS)
    np.testing.assert_array_equal(everything.images, one_by_one(source, np.arange(150)))


def test_images_are_decoded_at_the_same_time() -> None:
    together = threading.Barrier(2, timeout=20)

    def wait(index: int) -> Image.Image:
        together.wait()
        return of_value(index)

    assert len(list(decoded(part_of(wait, 2 * PIECE), np.arange(2 * PIECE), OPTIONS, threads=2)))


def test_the_first_damaged_image_is_named_whichever_is_found_first() -> None:
    first, later = PIECE + 3, 3 * PIECE
    found = []

    def damaged(index: int) -> Image.Image:
        if index == first:
            until = time.monotonic() + 20
            while later not in found and time.monotonic() < until:
                time.sleep(0.001)
        if index in (first, later):
            found.append(index)
            raise OSError("junk")
        return of_value(index)

    count = 8 * PIECE
    with pytest.raises(DataError, match=rf"^image {first}: cannot be read as an image \(junk\)$"):
        list(decoded(part_of(damaged, count), np.arange(count), OPTIONS, threads=4))
    assert found == [later, first]


def test_who_takes_images_slowly_does_not_fill_the_memory() -> None:
    opened = []

    def counted(index: int) -> Image.Image:
        opened.append(index)
        return of_value(index)

    count, taken = 40 * PIECE, 0
    for piece in decoded(part_of(counted, count), np.arange(count), OPTIONS, threads=2):
        time.sleep(0.002)
        assert len(opened) - taken <= 4 * PIECE
        taken += len(piece)
    assert sorted(opened) == list(range(count))


def test_how_far_it_is_is_told() -> None:
    class Heard:
        def __init__(self) -> None:
            self.steps: list[tuple[str, float, float]] = []

        def say(self, text: str) -> None:
            raise AssertionError(text)

        @contextmanager
        def progress(self, title: str, total: float) -> Iterator[Callable[[float, str], None]]:
            yield lambda done, remark: self.steps.append((title, done, total))

    heard, count = Heard(), PIECE + 5
    list(decoded(part_of(of_value, count), np.arange(count), OPTIONS, heard))
    assert heard.steps == [("decode images", PIECE, count), ("decode images", count, count)]


def test_of_parquet_a_few_row_groups_are_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = open_source(written_as("parquet", tmp_path, 150))
    rng, read = np.random.default_rng(2), []
    images = parquet._images

    def noted(file: Path, group: int) -> pa.ChunkedArray:
        read.append((file.name, group))
        return images(file, group)

    monkeypatch.setattr(parquet, "_images", noted)
    monkeypatch.setattr(parquet, "_HELD", 2 * PIECE)
    part = source.parts["train"]
    found = np.concatenate(list(decoded(part, np.arange(150), OPTIONS, threads=1)))
    assert len(read) == len(set(read)) == 5 + 10  # 50 and 100 images in groups of 11
    np.testing.assert_array_equal(found, one_by_one(source, np.arange(150)))
    # The first groups had to make room, and are read again.
    assert len(read) > 15
    order = rng.permutation(150)
    np.testing.assert_array_equal(one_by_one(source, order), found[order])


def test_of_parquet_no_image_is_read_until_it_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = pa.table({"image": [b"noise", b"more"], "label": [0, 1]})
    pq.write_table(table, tmp_path / "train.parquet", row_group_size=1)
    read, asked = pq.read_table, []

    def watched(file: Path, columns: list[str]) -> pa.Table:
        asked.extend(columns)
        return read(file, columns=columns)

    with monkeypatch.context() as patched:
        patched.setattr(pq, "read_table", watched)
        patched.setattr(pq.ParquetFile, "read_row_group", None)
        source = open_source(tmp_path)
    assert len(source.parts["train"]) == 2 and asked == ["label"]
    with pytest.raises(DataError, match=r"train\.parquet, row 0: is not an image"):
        decode(source, "train", OPTIONS)


def test_files_are_all_that_images_come_from(tmp_path: Path, class_folders: Writer) -> None:
    folders = class_folders({"a": 2, "b": 1})
    assert list(open_source(folders).parts["train"].files()) == sorted(folders.rglob("*.png"))
    packed = written_as("npz", tmp_path, 6)
    assert list(open_source(packed).parts["train"].files()) == [packed]
    assert list(open_source("digits").parts["train"].files()) == []
    (tmp_path / "set").mkdir()
    file = tmp_path / "set" / "train.parquet"
    beside = [{"bytes": b"x", "path": "no.png"}, {"bytes": None, "path": "yes.png"}]
    pq.write_table(pa.table({"img": beside, "label": [0, 1]}), file, row_group_size=1)
    assert list(open_source(file).parts["train"].files()) == [file, file.parent / "yes.png"]
