from __future__ import annotations

from itertools import chain

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from nas.data.augment import AugmentOptions, Normalisation, augment, normalise, resize
from nas.data.batches import as_tensors, epoch_generator, shuffled
from nas.data.facts import histogram_of
from nas.data.images import ImageSet
from search_spaces.errors import ConfigError

PLAIN = Normalisation((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


def random_batch(count: int = 16, size: int = 8, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, 3, size, size), generator=generator, dtype=torch.uint8)


def test_normalisation_is_that_of_numpy() -> None:
    images = random_batch(50)
    found = Normalisation.of_histogram(histogram_of(images.numpy()))
    array = images.numpy().astype(np.float64)
    np.testing.assert_allclose(found.mean, array.mean((0, 2, 3)))
    np.testing.assert_allclose(found.std, array.std((0, 2, 3)))
    out = normalise(images, found)
    assert out.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(out.mean((0, 2, 3)), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(out.std((0, 2, 3), correction=0), torch.ones(3))
    torch.testing.assert_close(normalise(images.float(), found), out)


def test_a_constant_channel_does_not_divide_by_zero() -> None:
    images = torch.full((4, 3, 8, 8), 7, dtype=torch.uint8)
    found = Normalisation.of_histogram(histogram_of(images.numpy()))
    assert normalise(images, found).abs().max() == 0


def test_float_input_is_left_alone() -> None:
    images = random_batch().float().contiguous(memory_format=torch.channels_last)
    before = images.clone()
    normalise(images, Normalisation((1.0, 2.0, 3.0), (2.0, 2.0, 2.0)))
    assert torch.equal(images, before)


def test_nothing_asked_nothing_done() -> None:
    images = random_batch()
    out = augment(images, torch.Generator(), AugmentOptions(0, False, 0), PLAIN)
    assert torch.equal(out, images.float())


@pytest.mark.parametrize("flip", [False, True])
def test_every_image_is_one_of_its_shifts(flip: bool) -> None:
    images, shift = random_batch(64), 2
    options = AugmentOptions(shift, flip)
    out = augment(images, torch.Generator().manual_seed(1), options, PLAIN)
    seen = set()
    for before, after in zip(images.numpy(), out.numpy(), strict=True):
        padded = np.pad(before, ((0, 0), (shift, shift), (shift, shift)), mode="edge")
        matches = [
            (down, right, mirrored)
            for down in range(5)
            for right in range(5)
            for mirrored in (False, True)
            if np.array_equal(
                after,
                padded[:, down : down + 8, right : right + 8][:, :, :: -1 if mirrored else 1],
            )
        ]
        assert len(matches) == 1
        seen.add(matches[0])
    assert {mirrored for _, _, mirrored in seen} == ({False, True} if flip else {False})
    assert {down for down, _, _ in seen} == {right for _, right, _ in seen} == set(range(5))


def test_cutout_sets_one_square_to_the_mean() -> None:
    images = torch.full((200, 3, 16, 16), 200, dtype=torch.uint8)
    normalisation = Normalisation((100.0, 100.0, 100.0), (50.0, 50.0, 50.0))
    options = AugmentOptions(0, False, cutout=4)
    out = augment(images, torch.Generator().manual_seed(0), options, normalisation)
    blank = (out == 0).all(1)
    assert ((out == 0).any(1) == blank).all()
    sides = torch.stack([blank.any(2).sum(1), blank.any(1).sum(1)])
    assert sides.max() == 4
    assert sides.min() == 2  # cut off at the border
    assert torch.equal(sides.prod(0), blank.sum((1, 2)))
    assert (out[~blank[:, None].expand_as(out)] == 2).all()
    assert len({tuple(b.flatten().tolist()) for b in blank}) > 100


def test_cutout_shrinks_with_the_resolution() -> None:
    images = torch.full((50, 3, 16, 16), 200, dtype=torch.uint8)
    out = augment(images, torch.Generator(), AugmentOptions(0, False, 8), PLAIN, 8)
    assert (out == 0).all(1).any(2).sum(1).max() == 4


def test_resize_is_that_of_pillow() -> None:
    images = random_batch(4, 32)
    out = augment(images, torch.Generator(), AugmentOptions(0, False), PLAIN, 24)
    expected = [
        np.asarray(
            Image.fromarray(image.permute(1, 2, 0).numpy()).resize(
                (24, 24), Image.Resampling.BILINEAR
            )
        ).transpose(2, 0, 1)
        for image in images
    ]
    np.testing.assert_allclose(out.numpy(), np.stack(expected), atol=1)
    assert resize(images, 32) is images
    assert resize(images, 16).dtype == torch.uint8
    assert out.is_contiguous(memory_format=torch.channels_last)


def test_the_generator_decides() -> None:
    images, options = random_batch(), AugmentOptions(2, True, 3)
    one, two = (augment(images, epoch_generator(0, 1), options, PLAIN) for _ in range(2))
    other = augment(images, epoch_generator(0, 2), options, PLAIN)
    assert torch.equal(one, two)
    assert not torch.equal(one, other)


def test_options_are_checked() -> None:
    with pytest.raises(ConfigError, match="0 or more, got -1"):
        AugmentOptions(shift=-1)


def test_batches_cover_everything_once_in_the_order_of_the_generator() -> None:
    def order(seed: int, epoch: int, count: int = 23) -> list[list[int]]:
        return [one.tolist() for one in shuffled(count, 5, epoch_generator(seed, epoch))]

    assert sorted(chain.from_iterable(order(0, 0, 25))) == list(range(25))
    assert [len(batch) for batch in order(0, 0)] == [5, 5, 5, 5], "the last would be smaller"
    assert [sorted(batch) for batch in order(0, 0, 3)] == [[0, 1, 2]], "but for the only one"
    assert order(0, 3) == order(0, 3)
    assert len({str(order(seed, epoch)) for seed in range(3) for epoch in range(3)}) == 9


def test_tensors_share_memory_with_the_set() -> None:
    images = ImageSet(random_batch(2).numpy(), np.array([0, 1], np.int64), ("a", "b"))
    tensors, labels = as_tensors(images)
    assert tensors.data_ptr() == images.images.ctypes.data
    assert labels.tolist() == [0, 1]
