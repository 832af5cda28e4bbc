"""The output of a network, as far as proxies want it to be something."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from predictors.proxies.batch import Batch
from predictors.proxies.errors import ProxyError
from search_spaces.errors import SpaceError


def output(model: nn.Module, images: Tensor) -> Tensor:
    """What the network says of images [N, ...].

    Raises:
        ProxyError: it does not take them, or says something that is not a tensor.
    """
    try:
        y = model(images)
    except (RuntimeError, ValueError, IndexError, TypeError, SpaceError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise ProxyError(
            f"the network does not run on images of shape {[*images.shape]} ({reason})"
        ) from error
    if not isinstance(y, Tensor):
        raise ProxyError(
            f"a network that is scored returns one tensor; got {type(y).__name__}: wrap it in a "
            "module that returns the logits"
        )
    return y


def loss(model: nn.Module, batch: Batch) -> Tensor:
    """The cross-entropy of a batch, a scalar.

    Raises:
        ProxyError: the output is not logits [N, classes], or a label is not among the classes.
    """
    y = output(model, batch.images)
    n = len(batch)
    if y.ndim != 2 or len(y) != n:
        raise ProxyError(
            f"a proxy of the loss wants logits [{n}, classes]; the network returned {[*y.shape]}"
        )
    low, high = int(batch.labels.min()), int(batch.labels.max())
    if low < 0 or high >= y.shape[1]:
        raise ProxyError(
            f"labels are 0 to {y.shape[1] - 1}, for as many classes as the network has; "
            f"got {low} to {high}"
        )
    return F.cross_entropy(y, batch.labels)
