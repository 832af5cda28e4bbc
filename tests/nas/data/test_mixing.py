from __future__ import annotations

import numpy as np
import pytest
import torch

from nas.data.mixing import mixup


def test_images_and_labels_are_mixed_by_one_share() -> None:
    # Image i is i everywhere and of class i: what comes out says what went in.
    images = torch.arange(8.0).view(8, 1, 1, 1).expand(8, 3, 4, 4)
    labels = torch.arange(8)
    mixed, targets = mixup(images, labels, 8, 0.4, np.random.default_rng(1))
    assert mixed.shape == images.shape and targets.shape == (8, 8)
    torch.testing.assert_close(targets.sum(1), torch.ones(8))
    # The expected label is the image's value.
    torch.testing.assert_close(targets @ torch.arange(8.0), mixed[:, 0, 0, 0])
    share = {round(float(one), 5) for row in targets for one in row if one > 0} - {1.0}
    assert len(share) == 2 and sum(share) == pytest.approx(1)
    again, _ = mixup(images, labels, 8, 0.4, np.random.default_rng(1))
    assert torch.equal(mixed, again)


@pytest.mark.parametrize(("alpha", "spread"), [(0.2, 0.4226), (1.0, 0.2887), (8.0, 0.1213)])
def test_shares_are_distributed_as_asked(alpha: float, spread: float) -> None:
    """The standard deviation of Beta(a, a) is 1 / (2 sqrt(2a + 1))."""
    rng = np.random.default_rng(0)
    images, labels = torch.tensor([0.0, 1.0]).view(2, 1, 1, 1), torch.tensor([0, 1])
    shares = [float(mixup(images, labels, 2, alpha, rng)[0][1]) for _ in range(4000)]
    # Half of the time each image of a batch of two is mixed with itself.
    mixed = [share for share in shares if share != 1.0]
    assert 1700 < len(mixed) < 2300
    assert np.mean(mixed) == pytest.approx(0.5, abs=0.03)
    assert np.std(mixed) == pytest.approx(spread, rel=0.06)
