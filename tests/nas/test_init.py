from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nas.config import Config, TrainConfig
from nas.init import DatasetSummary, inspect, suggest, write_config
from nas.processor import multiplies_bfloat16
from search_spaces.errors import ConfigError, DataError


def summary(**changes: object) -> DatasetSummary:
    values: dict[str, object] = {
        "path": "images",
        "classes": ("a", "b"),
        "counts": {"train": (5000, 5000)},
        "sizes": {(32, 32): 10},
        "modes": {"RGB": 10},
        "transparent": 0,
        "grey": False,
    }
    return DatasetSummary(**(values | changes))  # type: ignore[arg-type]


def test_digits() -> None:
    seen = inspect("digits")
    assert (seen.training_images, seen.has_test, seen.grey) == (1797, False, True)
    assert (seen.short_side, seen.looked_at) == (8, 1797)
    assert seen.imbalance == pytest.approx(183 / 174)
    config, notes = suggest(seen)
    assert config.data.path == "digits"
    assert not config.data.horizontal_flip
    assert "cannot be seen" in notes["data.horizontal_flip"]
    assert config.space.resolutions[-1] == config.data.size == 16


def test_a_folder_of_mixed_images(tmp_path: Path) -> None:
    for name, count in (("cat", 6), ("dog", 2)):
        for part in ("train", "test"):
            (tmp_path / part / name).mkdir(parents=True)
            for number in range(count):
                image = Image.new("RGBA" if number else "RGB", (100 + number, 50), (200, 9, 9))
                image.save(tmp_path / part / name / f"{number}.png")
    seen = inspect(tmp_path)
    assert seen.counts == {"train": (6, 2), "test": (6, 2)}
    assert seen.modes == {"RGB": 2, "RGBA": 6}
    assert (seen.transparent, seen.grey, seen.imbalance) == (6, False, 3.0)
    assert (seen.short_side, seen.has_test) == (50, True)
    assert seen.describe().splitlines() == [
        f"{tmp_path}: 2 classes; images: 8 train, 8 test",
        "per class: 2 (dog) to 6 (cat)",
        "sizes: 100x50 to 105x50 pixels; modes: RGB, RGBA (8 images looked at)",
    ]
    config, notes = suggest(seen)
    assert (config.data.fit, config.data.size, config.data.horizontal_flip) == ("pad", 32, True)
    assert set(notes) >= {"data.fit", "data.size", "data.background", "data.val_fraction"}
    assert "6 of 8" in notes["data.background"]
    assert "2 to 6" in notes["data.val_fraction"]


def test_grey_images_stored_in_colour_are_grey(tmp_path: Path) -> None:
    grey = np.random.default_rng(0).integers(0, 256, (8, 8, 1), np.uint8)
    for name in "ab":
        (tmp_path / name).mkdir()
        Image.fromarray(np.repeat(grey, 3, 2)).save(tmp_path / name / "0.jpg")
    assert inspect(tmp_path).grey


def test_a_sample_is_looked_at_and_everything_is_counted() -> None:
    seen = inspect("digits", sample=10)
    assert (seen.looked_at, seen.training_images) == (10, 1797)


def test_damaged_images_are_named(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "0.png").write_bytes(b"junk")
    with pytest.raises(DataError, match=r"a/0\.png: is not an image"):
        inspect(tmp_path)


@pytest.mark.parametrize(
    ("side", "size", "resolutions"),
    [
        (8, 16, (12, 16)),
        (24, 24, (16, 20, 24)),
        (28, 32, (24, 28, 32)),
        (32, 32, (24, 28, 32)),
        (300, 32, (24, 28, 32)),
    ],
)
def test_size_and_resolutions(side: int, size: int, resolutions: tuple[int, ...]) -> None:
    config, notes = suggest(summary(sizes={(side, side): 10}))
    assert config.data.size == size
    assert config.space.resolutions == resolutions
    assert ("data.size" in notes) == (side != size)


def test_epochs_and_batches_follow_the_number_of_images() -> None:
    def of(count: int) -> tuple[int, int]:
        train = suggest(summary(counts={"train": (count // 2, count // 2)}))[0].train
        return train.schedule[0].epochs, train.batch_size

    epochs, batch_size = TrainConfig().schedule[0].epochs, TrainConfig().batch_size
    assert of(45_000) == (epochs, batch_size)
    assert of(11_250) == (2 * epochs, batch_size)
    assert of(200) == (4 * epochs, 16)
    assert of(1_000_000) == (epochs // 2, batch_size)


@pytest.mark.parametrize(
    ("flags", "precision"),
    [
        (("fpu amx_bf16 amx_tile", "amx_tile amx_bf16"), "bfloat16"),
        (("fpu amx_bf16", "fpu avx512_bf16"), "float32"),
        (("fpu amx_bf16x",), "float32"),
        ((), "float32"),
    ],
)
def test_precision_is_what_the_processor_is_fast_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: tuple[str, ...], precision: str
) -> None:
    told = tmp_path / "cpuinfo"
    told.write_text("\n".join(f"processor\t: {n}\nflags\t\t: {f}\n" for n, f in enumerate(flags)))
    monkeypatch.setattr("nas.init.multiplies_bfloat16", lambda: multiplies_bfloat16(told))
    config, notes = suggest(summary())
    assert config.train.precision == precision
    assert ("train.precision" in notes) == (precision == "bfloat16")
    assert not multiplies_bfloat16(tmp_path / "none")


def test_the_file_says_why_and_is_not_overwritten(tmp_path: Path) -> None:
    out = tmp_path / "config.yaml"
    config = write_config(summary(path=str(tmp_path), grey=True), out)
    assert Config.load(out) == config
    assert "cannot be seen" in out.read_text()
    assert config.data.path == str(tmp_path)
    with pytest.raises(ConfigError, match="exists and is not overwritten"):
        write_config(summary(), out)
    assert Config.load(out) == config
    assert write_config(summary(), out, overwrite=True).data.path == str(Path("images").resolve())
