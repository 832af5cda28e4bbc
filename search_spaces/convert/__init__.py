"""A trained network of any make as a space and its supernet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from search_spaces.convert.recipe import converted

if TYPE_CHECKING:
    from torch import nn

    from search_spaces.space import Space
    from search_spaces.supernet import Supernet

__all__ = ["converted", "from_module"]


def from_module(
    module: nn.Module,
    resolutions: Sequence[int] = (224,),
    channels: int = 3,
    *,
    widths: Sequence[float] = (0.5, 0.75),
    depth: int = 2,
    kernel: int = 3,
    sort: bool = True,
) -> tuple[Space, Supernet]:
    """The space whose largest network is ``module`` as it is in evaluation, and its supernet.

    ``module`` maps images [N, channels, R, R] to logits [N, classes] and is left untouched, in
    training mode or not: dropout is no layer here. The largest network has its outputs bit for
    bit, where ``sort`` is False; sorting channels by their importance makes sums run in another
    order. The space carries what it is made of: ``search_spaces.get("converted",
    **space.options)`` is the same again, without ``module`` and without PyTorch.

    - Width: channels that are the same all through the network (behind a sum, a depthwise
      convolution) share one choice, between ``widths`` of them in multiples of 8 and all. What
      is put side by side (concatenated) keeps its width, so do the logits and what is inside
      squeeze-excite.
    - Depth: of consecutive residual blocks that keep the shape the last ``depth`` may be left out.
    - Kernel: odd kernels above ``kernel`` that keep the size of maps shrink to it by OFA's
      transforms, which start as the middle of the larger kernel.

    Raises:
        SpaceError: a layer that cannot be converted: its name, the reason and the way out.
    """
    from search_spaces.convert.conversion import convert
    from search_spaces.convert.elastic import Elastic

    elastic = Elastic(tuple(widths), depth, kernel)
    return convert(module, tuple(resolutions), channels, elastic, sort)
