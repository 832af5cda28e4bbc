"""From a trained network to a supernet (BootstrapNAS, Munoz et al. 2022; InstaTune 2023)."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from search_spaces.catalogue import get
from search_spaces.convert.depths import ask_depths, ask_kernels
from search_spaces.convert.elastic import Choices, Elastic, document
from search_spaces.convert.graph import fused
from search_spaces.convert.recipe import NAME
from search_spaces.convert.regions import Region, regions
from search_spaces.convert.tracing import traced
from search_spaces.convert.widths import ask_widths
from search_spaces.errors import SpaceError
from search_spaces.sorting import sort_channels
from search_spaces.space import Space
from search_spaces.subnet import module_name
from search_spaces.supernet import Supernet
from search_spaces.wiring import wiring

TOLERANCE = 1e-4


def convert(
    module: nn.Module,
    resolutions: Sequence[int],
    channels: int,
    elastic: Elastic,
    sort: bool,
) -> tuple[Space, Supernet]:
    """See ``search_spaces.convert.from_module``."""
    # What is converted is what the network does in evaluation; the caller's is left as it is.
    original = copy.deepcopy(module).cpu().float().eval()
    side = max(resolutions, default=0)
    if list(resolutions) != sorted(set(resolutions)) or side < 1:
        raise SpaceError(f"resolutions ascend, each once; got {tuple(resolutions)}")
    layers, output = traced(original, (channels, side, side))
    chain = regions(fused(layers, output))
    if not chain:
        raise SpaceError("the network has no layer to convert; its forward returns the image")
    recipe = _recipe(chain, channels, resolutions, elastic)
    space = get(NAME, recipe=recipe)
    # The weights drawn here are all replaced: the caller's random numbers stay as they are.
    with torch.random.fork_rng(devices=[]):
        supernet = space.supernet().eval()
    _load(supernet, chain)
    for resolution in resolutions:
        _compare(original, supernet, channels, resolution)
    if sort:
        sort_channels(supernet)
    return space, supernet


def _recipe(
    chain: Sequence[Region], channels: int, resolutions: Sequence[int], elastic: Elastic
) -> dict[str, Any]:
    # The network as it is, at one resolution: what its channels are, and which blocks keep shapes.
    space = get(NAME, recipe=document(chain, channels, resolutions[-1:], Choices()))
    specs = [node.spec for node in space.lower_row(space.largest).nodes]
    choices = Choices()
    ask_depths(chain, specs, elastic, choices)
    ask_kernels(chain, elastic, choices)
    ask_widths(chain, specs, wiring(space), elastic, choices)
    return document(chain, channels, resolutions, choices)


def _load(supernet: Supernet, chain: Sequence[Region]) -> None:
    """Every layer's tensors into the block of its slot."""
    state = supernet.state_dict()
    with torch.no_grad():
        for region in chain:
            for i, layer in enumerate(region.layers):
                within = f"{i}." if len(region.layers) > 1 else ""
                for name, tensor in layer.tensors.items():
                    state[f"blocks.{module_name(region.slot)}.{within}{name}"].copy_(tensor)


def _compare(original: nn.Module, supernet: Supernet, channels: int, resolution: int) -> None:
    """Raise ``SpaceError`` unless the largest network does what the original does."""
    space = supernet.space
    row = space.largest
    row[0] = space.choices[0].values.index(resolution)
    generator = torch.Generator().manual_seed(resolution)
    images = torch.randn(2, channels, resolution, resolution, generator=generator)
    with torch.no_grad():
        try:
            expected = original(images)
        except RuntimeError as error:
            raise SpaceError(
                f"the network does not run images of {resolution} pixels "
                f"({str(error).splitlines()[0]}); leave {resolution} out of resolutions"
            ) from error
        found = supernet(images, space.decode(row))
    off = float((found - expected).abs().max())
    if not off <= TOLERANCE * max(1.0, float(expected.abs().max())):
        raise SpaceError(
            f"what was made of the network differs from it by {off:.3g} at {resolution} pixels; it "
            "does something that tracing does not show, such as a hook: convert it without"
        )
