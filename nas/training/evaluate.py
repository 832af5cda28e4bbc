"""How good a network is on images."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from nas.data.augment import Normalisation, normalise
from nas.data.batches import sent
from nas.training.recalibrate import recalibrate
from search_spaces import Architecture
from search_spaces.subnet import Subnet
from search_spaces.supernet import Supernet

__all__ = ["Evaluator", "correct", "logits"]


def logits(network: Callable[[Tensor], Tensor], batches: Iterator[Tensor]) -> Tensor:
    """Logits [N, classes] over batches [B, C, H, W], without gradients, on the CPU."""
    with torch.inference_mode():
        return torch.cat([network(images).cpu() for images in batches])


def correct(scores: Tensor, labels: Tensor) -> float:
    """Top-1 accuracy in percent of scores [N, classes] for labels [N]."""
    return 100 * int((scores.argmax(1) == labels).sum()) / len(labels)


class Evaluator:
    """Inherited accuracy of subnets: extracted, recalibrated, run on held-out images.

    Batch norms are recalibrated on the same training images for every subnet, so that an
    accuracy is a function of the weights and the architecture alone. Where there are no images
    subnets keep the statistics that the supernet has.
    """

    def __init__(
        self,
        supernet: Supernet,
        normalisation: Normalisation,
        calibration: Tensor | None,
        batch_size: int = 256,
    ) -> None:
        """``calibration``: uint8 training images [N, C, H, W], or None if there are none."""
        self.supernet = supernet
        self.normalisation = normalisation
        self.calibration = calibration
        self.batch_size = batch_size

    def network(self, architecture: Architecture) -> Subnet:
        """The subnet, recalibrated if there are images, in evaluation mode, channels-last."""
        subnet = self.supernet.extract(architecture).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if self.calibration is not None:
            recalibrate(subnet, self.batches(self.calibration, _resolution(architecture)))
        subnet.eval()
        return subnet

    def batches(self, images: Tensor, resolution: int) -> Iterator[Tensor]:
        """Normalised batches [B, C, resolution, resolution] of uint8 images [N, C, H, W].

        They are where the supernet is. Of images that are mapped no more is read than a batch.
        """
        device = next(self.supernet.parameters()).device
        for start in range(0, len(images), self.batch_size):
            part = images[start : start + self.batch_size]
            yield normalise(sent(part, device), self.normalisation, resolution)

    def logits(self, network: nn.Module, architecture: Architecture, images: Tensor) -> Tensor:
        """Logits [N, classes] of a network of ``architecture`` on uint8 images."""
        return logits(network, self.batches(images, _resolution(architecture)))

    def accuracy(self, architecture: Architecture, images: Tensor, labels: Tensor) -> float:
        """Top-1 accuracy in percent on uint8 images [N, C, H, W] with labels [N]."""
        return correct(self.logits(self.network(architecture), architecture, images), labels)


def _resolution(architecture: Architecture) -> int:
    return int(str(architecture["resolution"]))
