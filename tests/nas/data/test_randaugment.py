from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance, ImageOps

from nas.data.randaugment import OPERATIONS, rand_augment

SIDE = 32
Reference = Callable[[Image.Image, float], Image.Image]


def photographs(count: int = 6) -> torch.Tensor:
    """Smooth images with noise, some in a narrow range, one of a single colour."""
    rng = np.random.default_rng(0)
    ramp = np.linspace(0, 1, SIDE)
    images = []
    for i in range(count):
        low, high = rng.uniform(0, 100), rng.uniform(120, 250)
        plane = low + (high - low) * np.abs(np.sin(3 * ramp[:, None] + i * ramp[None, :]))
        image = plane[None] * rng.uniform(0.6, 1, (3, 1, 1)) + rng.normal(0, 6, (3, SIDE, SIDE))
        images.append(image.clip(0, 255))
    images.append(np.full((3, SIDE, SIDE), 77.0))
    return torch.from_numpy(np.stack(images).astype(np.uint8))


def moved(*matrix: float) -> Reference:
    """Pillow's affine transform, whose matrix is in pixels from the corner."""

    def transform(image: Image.Image, strength: float) -> Image.Image:
        a, b, c, d, e, f = (one * strength if i in (1, 2, 3, 5) else one for i, one in
                            enumerate(matrix))  # fmt: skip
        centre = SIDE / 2
        data = (
            a,
            b,
            c + centre - a * centre - b * centre,
            d,
            e,
            f + centre - d * centre - e * centre,
        )
        return image.transform(image.size, Image.Transform.AFFINE, data, Image.Resampling.BILINEAR)

    return transform


def enhanced(kind: type[ImageEnhance._Enhance]) -> Reference:
    return lambda image, strength: kind(image).enhance(1 + 0.9 * strength)


REFERENCES: dict[str, Reference] = {
    "identity": lambda image, strength: image,
    "autocontrast": lambda image, strength: ImageOps.autocontrast(image),
    "equalize": lambda image, strength: ImageOps.equalize(image),
    "solarize": lambda image, s: ImageOps.solarize(image, 256 * (1 - abs(s))),  # type: ignore[arg-type]
    "posterize": lambda image, s: ImageOps.posterize(image, 8 - round(4 * abs(s))),
    "color": enhanced(ImageEnhance.Color),
    "contrast": enhanced(ImageEnhance.Contrast),
    "brightness": enhanced(ImageEnhance.Brightness),
    "sharpness": enhanced(ImageEnhance.Sharpness),
    "rotate": lambda image, s: image.rotate(30 * s, Image.Resampling.BILINEAR),
    "shear_x": moved(1, 0.3, 0, 0, 1, 0),
    "shear_y": moved(1, 0, 0, 0.3, 1, 0),
    "translate_x": moved(1, 0, 0.45 * SIDE, 0, 1, 0),
    "translate_y": moved(1, 0, 0, 0, 1, 0.45 * SIDE),
}


@pytest.mark.parametrize("strength", [-1.0, -0.5, 0.0, 0.3, 1.0])
@pytest.mark.parametrize("name", OPERATIONS)
def test_operations_are_those_of_pillow(name: str, strength: float) -> None:
    images = photographs()
    found = OPERATIONS[name](images, torch.full((len(images),), strength))
    assert found.dtype == torch.uint8
    for image, ours in zip(images, found, strict=True):
        picture = Image.fromarray(image.permute(1, 2, 0).numpy())
        theirs = np.asarray(REFERENCES[name](picture, strength)).astype(int)
        there = np.ones((SIDE, SIDE), bool)
        if name.startswith(("rotate", "shear", "translate")):
            # Pillow repeats the last pixel where two meet the border; two pixels in they agree.
            white = Image.fromarray(np.full((SIDE, SIDE), 255, np.uint8))
            kept = np.asarray(REFERENCES[name](white, strength)) == 255
            padded = np.pad(kept, 2)
            there = np.all([np.roll(padded, (i, j), (0, 1))[2:-2, 2:-2] for i in range(-2, 3)
                            for j in range(-2, 3)], axis=0)  # fmt: skip
            assert there.mean() > 0.25
        difference = np.abs(ours.permute(1, 2, 0).numpy().astype(int) - theirs)[there]
        assert difference.max() <= 1, (name, strength)


def test_outside_is_grey() -> None:
    images = torch.zeros(1, 3, SIDE, SIDE, dtype=torch.uint8)
    right = OPERATIONS["translate_x"](images, torch.tensor([1.0]))
    assert (right[..., 20:] == 128).all() and (right[..., :17] == 0).all()


def test_a_batch_is_dealt_out_to_operations_of_either_sign() -> None:
    images = photographs(63)
    before = images.clone()
    once = rand_augment(images, torch.Generator().manual_seed(1), 1, 0.5)
    assert torch.equal(images, before)
    expected = {
        (name, sign): operation(images, torch.full((len(images),), 0.5 * sign))
        for name, operation in OPERATIONS.items()
        for sign in (-1, 1)
    }
    seen = set()
    for i, image in enumerate(once):
        fits = [key for key, outcome in expected.items() if torch.equal(outcome[i], image)]
        assert fits
        if len(fits) == 1:
            seen.add(fits[0])
    assert {name for name, _ in seen} >= {"rotate", "color", "shear_x", "translate_y"}
    assert {sign for _, sign in seen} == {-1, 1}
    again = rand_augment(images, torch.Generator().manual_seed(1), 1, 0.5)
    assert torch.equal(once, again)
    twice = rand_augment(images, torch.Generator().manual_seed(1), 2, 0.5)
    assert not torch.equal(once, twice)
    assert torch.equal(rand_augment(images, torch.Generator(), 0, 1.0), images)
