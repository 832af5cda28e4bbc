"""How much the loss would change if channels were cut.

Theis et al., "Faster gaze prediction with dense networks and Fisher pruning" (arXiv:1801.05787,
2018), the saliency of a feature map; Turner et al., "BlockSwap" (ICLR 2020), the same of a channel.
Summed over the network, at the outputs of its layers, as in Abdelfattah et al. (ICLR 2021).
"""

from __future__ import annotations

import math

from predictors.proxies.passes.loss import LossGradients, loss_gradients
from predictors.proxies.proxy import Proxy


def read(record: LossGradients) -> float:
    """Half the mean square over images of each channel's saliency, summed; the logarithm of it.

    Scaled by the number of images, since the derivative of a mean over N has a factor 1/N; more
    exactly log(1e-12 + sum), so that a network without a gradient has a score as well.
    """
    squares = [
        float(len(one) ** 2 * one.square().mean(0).sum() / 2)
        for one in record.saliencies
        if len(one)
    ]
    return math.log(1e-12 + sum(squares))


FISHER = Proxy(loss_gradients, read, ("saliencies",))
