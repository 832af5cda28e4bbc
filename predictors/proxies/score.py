"""Scores of one network by many proxies, with one run of each pass that they share."""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor, nn

from predictors.proxies.batch import checked
from predictors.proxies.catalogue import get
from predictors.proxies.catalogue import names as all_names
from predictors.proxies.errors import ProxyError
from predictors.proxies.proxy import Pass, Proxy, run


def score(
    model: nn.Module,
    batch: tuple[Tensor, Tensor],
    names: Iterable[str] | None = None,
    *,
    seed: int = 0,
) -> dict[str, float]:
    """How good an untrained network looks to each proxy; larger is better, always finite.

    The network is left as it was found: passes run on copies. A score depends on network, batch
    and seed, and not on which others are asked for along with it.

    Args:
        model: a network in any state that returns logits [N, classes]; only proxies that need no
            labels take one that returns something else.
        batch: images [N, ...], normalised as in training, and labels int [N], where the network is.
        names: proxies of ``proxies.names()``; None for all that apply to the network.
        seed: of what proxies draw.

    Raises:
        ProxyError: no proxy of a name, or nothing that can be scored: an empty batch, tensors on
            different devices, images that the network does not take, labels that it has no class
            for.
        NotApplicableError: a proxy that was named reads parts that the network does not have.
    """
    asked = all_names() if names is None else tuple(names)
    if not isinstance(batch, tuple | list) or len(batch) != 2:
        raise ProxyError(f"a batch is a pair of images and labels; got {type(batch).__name__}")
    checked_batch = checked(model, *batch)
    shared: dict[Pass, dict[str, Proxy]] = {}
    for name in asked:
        proxy = get(name)
        shared.setdefault(proxy.needs, {})[name] = proxy
    found: dict[str, float] = {}
    for proxies in shared.values():
        found |= run(proxies, model, checked_batch, seed, lenient=names is None)
    return {name: found[name] for name in asked if name in found}
