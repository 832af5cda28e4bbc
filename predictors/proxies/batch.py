"""What is scored, checked before anything runs."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from predictors.proxies.errors import ProxyError


@dataclass(frozen=True, eq=False)
class Batch:
    """Labelled images, on the network's device and of its precision.

    Attributes:
        images: [N, ...], normalised as in training.
        labels: int64 [N].
    """

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.images)

    def first(self, n: int) -> Batch:
        """The first ``n`` images, or all where there are fewer."""
        return Batch(self.images[:n], self.labels[:n])


def checked(model: nn.Module, images: object, labels: object) -> Batch:
    """The batch in single precision, or in double where the network is.

    Raises:
        ProxyError: no images, images that are not finite floats, not one integer label an image,
            or tensors on another device than the network.
    """
    if not isinstance(images, Tensor) or not isinstance(labels, Tensor):
        kinds = f"{type(images).__name__} and {type(labels).__name__}"
        raise ProxyError(f"a batch is a pair of tensors, images and labels; got {kinds}")
    if images.ndim < 2 or not len(images):
        raise ProxyError(f"a batch has at least one image [N, ...]; got shape {[*images.shape]}")
    if not images.is_floating_point():
        raise ProxyError(
            f"images are normalised, as floating-point numbers; got {images.dtype}: "
            "subtract the mean and divide by the deviation first"
        )
    if labels.shape != images.shape[:1] or labels.is_floating_point() or labels.is_complex():
        raise ProxyError(
            f"labels are integers, one for each of {len(images)} images; "
            f"got {labels.dtype} {[*labels.shape]}"
        )
    tensors = [*model.parameters(), *model.buffers()]
    places = {str(tensor.device) for tensor in (images, labels, *tensors)}
    if len(places) > 1:
        network = ", ".join(sorted({str(tensor.device) for tensor in tensors})) or "no device"
        raise ProxyError(
            f"network, images and labels are on one device; got the network on {network}, images "
            f"on {images.device}, labels on {labels.device}: move them with .to(device)"
        )
    if not torch.isfinite(images).all():
        raise ProxyError("images are finite numbers; got some that are not")
    double = any(tensor.dtype == torch.float64 for tensor in model.parameters())
    return Batch(images.detach().to(torch.float64 if double else torch.float32), labels.long())
