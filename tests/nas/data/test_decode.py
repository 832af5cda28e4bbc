from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from nas.data.decode import FITS, ImageOptions, square
from search_spaces.errors import ConfigError, DataError

RED, BLUE = (255, 0, 0), (0, 0, 255)


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> Image.Image:
    """The image as a reader gets it: from bytes, not yet decoded."""
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return Image.open(io.BytesIO(stream.getvalue()))


def test_same_size_rgb_is_untouched() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
    out = square(encoded(Image.fromarray(pixels)), ImageOptions(8))
    assert out.dtype == np.uint8
    np.testing.assert_array_equal(out, pixels.transpose(2, 0, 1))


def test_resizes_as_pillow_does() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    expected = Image.fromarray(pixels).resize((16, 16), Image.Resampling.BILINEAR)
    out = square(encoded(Image.fromarray(pixels)), ImageOptions(16))
    np.testing.assert_array_equal(out, np.asarray(expected).transpose(2, 0, 1))


def test_grey_becomes_three_equal_channels() -> None:
    pixels = np.arange(64, dtype=np.uint8).reshape(8, 8)
    out = square(encoded(Image.fromarray(pixels)), ImageOptions(8))
    np.testing.assert_array_equal(out, np.stack([pixels] * 3))


def test_sixteen_bits_are_scaled_not_clipped() -> None:
    pixels = np.array([[0, 257], [32768, 65535]], np.uint16)
    image = encoded(Image.fromarray(pixels))
    assert image.mode.startswith("I")
    out = square(image, ImageOptions(2))
    np.testing.assert_array_equal(out[0], [[0, 1], [128, 255]])


def test_palette_bilevel_and_cmyk() -> None:
    red = Image.new("RGB", (4, 4), RED)
    for image in (encoded(red.quantize(4)), encoded(red.convert("CMYK"), "TIFF")):
        assert square(image, ImageOptions(4))[:, 0, 0].tolist() == list(RED)
    assert square(encoded(Image.new("1", (4, 4), 1)), ImageOptions(4)).min() == 255


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA", "P", "RGB"])
def test_transparent_pixels_show_the_background(mode: str) -> None:
    clear = Image.new("RGBA", (4, 4), (0, 0, 0, 0))
    if mode == "P":
        image = Image.new("P", (4, 4), 0)
        image.putpalette([0, 0, 0])
        image = encoded(image, transparency=0)
    elif mode == "RGB":
        image = encoded(Image.new("RGB", (4, 4), (9, 9, 9)), transparency=(9, 9, 9))
    elif mode == "PA":
        image = Image.new("P", (4, 4)).convert("PA")
        image.putalpha(0)
    else:
        image = encoded(clear.convert(mode))
    out = square(image, ImageOptions(4, background=(10, 20, 30)))
    assert np.unique(out.reshape(3, -1), axis=1).T.tolist() == [[10, 20, 30]]


def test_half_transparent_is_blended() -> None:
    image = encoded(Image.new("RGBA", (2, 2), (*RED, 128)))
    out = square(image, ImageOptions(2, background=BLUE))
    np.testing.assert_allclose(out[:, 0, 0], [128, 0, 127], atol=1)


def test_exif_rotation_is_applied() -> None:
    # Stored lying, with the note "turn by 90 degrees": red must end up on top.
    lying = Image.new("RGB", (8, 8), BLUE)
    lying.paste(RED, (0, 0, 4, 8))
    exif = Image.Exif()
    exif[0x0112] = 6
    out = square(encoded(lying, exif=exif), ImageOptions(8))
    assert out[:, 0, :].T.tolist() == [list(RED)] * 8
    assert out[:, 7, :].T.tolist() == [list(BLUE)] * 8


def wide() -> Image.Image:
    """24 x 8: a red third, a blue third, a red third."""
    image = Image.new("RGB", (24, 8), RED)
    image.paste(BLUE, (8, 0, 16, 8))
    return encoded(image)


def test_crop_keeps_the_middle() -> None:
    out = square(wide(), ImageOptions(8, "crop"))
    assert np.unique(out.reshape(3, -1), axis=1).T.tolist() == [list(BLUE)]


def test_pad_keeps_everything() -> None:
    out = square(wide(), ImageOptions(24, "pad", background=(1, 2, 3)))
    assert out[:, 0, 0].tolist() == [1, 2, 3]
    assert out[:, 23, 23].tolist() == [1, 2, 3]
    np.testing.assert_array_equal(out[:, 8:16], np.asarray(wide()).transpose(2, 0, 1))


def test_stretch_fills_the_square() -> None:
    out = square(wide(), ImageOptions(24, "stretch"))
    assert out[:, 0, 0].tolist() == list(RED)
    assert out[:, 23, 12].tolist() == list(BLUE)


def test_large_jpeg_is_close_to_full_decoding() -> None:
    ramp = np.linspace(0, 255, 512).astype(np.uint8)
    pixels = np.stack(
        [np.tile(ramp, (512, 1)), np.tile(ramp[:, None], 512), np.full((512, 512), 90)], 2
    )
    image = Image.fromarray(pixels.astype(np.uint8))
    expected = image.resize((32, 32), Image.Resampling.BILINEAR)
    out = square(encoded(image, "JPEG", quality=95), ImageOptions(32))
    np.testing.assert_allclose(out, np.asarray(expected).transpose(2, 0, 1), atol=4)


@settings(max_examples=40, deadline=None)
@given(
    width=st.integers(1, 40),
    height=st.integers(1, 40),
    size=st.integers(1, 40),
    fit=st.sampled_from(FITS),
    mode=st.sampled_from(["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "HSV", "I;16", "I"]),
)
def test_anything_becomes_a_square(width: int, height: int, size: int, fit: str, mode: str) -> None:
    out = square(Image.new(mode, (width, height)), ImageOptions(size, fit))  # type: ignore[arg-type]
    assert out.shape == (3, size, size)
    assert out.dtype == np.uint8


def test_ranges_that_nobody_knows_are_refused() -> None:
    with pytest.raises(DataError, match="floats"):
        square(Image.new("F", (4, 4)), ImageOptions(4))
    with pytest.raises(DataError, match=r"0\.\.70000"):
        pixels = np.array([[0, 70000]], np.int32)
        square(Image.fromarray(pixels), ImageOptions(4))


def test_options_are_checked() -> None:
    with pytest.raises(ConfigError, match="at least 1"):
        ImageOptions(0)
    with pytest.raises(ConfigError, match="crop, pad, stretch"):
        ImageOptions(8, "squeeze")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="256"):
        ImageOptions(8, background=(0, 0, 256))
