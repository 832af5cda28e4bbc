"""Images as training sees them: divided, normalised by the training part, recognised again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nas.config import Config, DataConfig, SpaceConfig
from nas.data.augment import AugmentOptions
from nas.dataset import open_dataset
from search_spaces.errors import DataError

SIDE = 8


def config(path: Path, **data: object) -> Config:
    section = DataConfig(path=str(path), size=SIDE, shift=0, cutout=3, horizontal_flip=False)
    return Config(
        data=replace(section, **data),  # type: ignore[arg-type]
        space=SpaceConfig(resolutions=(SIDE,)),
    )


def arrays(seed: int = 0) -> dict[str, np.ndarray]:
    """Forty training images of two classes, twenty test images."""
    rng = np.random.default_rng(seed)
    return {
        "x_train": rng.integers(0, 256, (40, SIDE, SIDE, 3), dtype=np.uint8),
        "y_train": np.arange(40) % 2,
        "x_test": rng.integers(0, 256, (20, SIDE, SIDE, 3), dtype=np.uint8),
        "y_test": np.arange(20) % 2,
    }


@pytest.fixture
def path(tmp_path: Path) -> Path:
    np.savez(tmp_path / "images.npz", **arrays())
    return tmp_path / "images.npz"


def test_training_images_are_divided_and_test_images_kept_apart(path: Path) -> None:
    dataset = open_dataset(config(path, val_fraction=0.25))
    images = dataset.images
    assert dataset.classes == ("0", "1")
    assert images.train.shape == (30, 3, SIDE, SIDE) and images.val.shape == (10, 3, SIDE, SIDE)
    whole = arrays()["x_train"].transpose(0, 3, 1, 2)
    parts = np.concatenate([images.train.numpy(), images.val.numpy()])
    assert np.array_equal(np.unique(parts, axis=0), np.unique(whole, axis=0))
    test = dataset.splits.test()
    assert np.array_equal(test.images, arrays()["x_test"].transpose(0, 3, 1, 2))


def test_normalisation_is_that_of_the_training_images_alone(path: Path) -> None:
    images = open_dataset(config(path)).images
    values = images.train.numpy().astype(np.float64)
    assert images.normalisation.mean == pytest.approx(values.mean((0, 2, 3)))
    assert images.normalisation.std == pytest.approx(values.std((0, 2, 3)))
    assert images.augment == AugmentOptions(shift=0, flip=False, cutout=3)


def test_the_fingerprint_follows_pixels_labels_and_the_division(path: Path) -> None:
    before = open_dataset(config(path)).fingerprint
    assert open_dataset(config(path)).fingerprint == before
    assert open_dataset(config(path, split_seed=1)).fingerprint != before
    assert open_dataset(config(path, val_fraction=0.2)).fingerprint != before
    # Not what is done to images in training, nor the test images, which nothing rests on.
    assert open_dataset(config(path, cutout=0)).fingerprint == before
    changed = arrays()
    changed["x_test"][0] = 0
    np.savez(path, **changed)  # type: ignore[arg-type]
    assert open_dataset(config(path)).fingerprint == before
    changed["x_train"][7, 0, 0, 0] ^= 1
    np.savez(path, **changed)  # type: ignore[arg-type]
    assert open_dataset(config(path)).fingerprint != before


def test_images_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.npz: no such file or folder"):
        open_dataset(config(tmp_path / "none.npz"))
