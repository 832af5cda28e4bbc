"""Elastic depth and elastic kernels of a chain of slots."""

from __future__ import annotations

from collections.abc import Sequence

from search_spaces.convert.elastic import Choices, Elastic
from search_spaces.convert.regions import Region, common
from search_spaces.specs import LayerSpec


def ask_depths(
    chain: Sequence[Region], specs: Sequence[LayerSpec], elastic: Elastic, choices: Choices
) -> None:
    """Of consecutive residual blocks that keep the shape the last ones may be left out.

    ``specs`` are what stands in the slots of the network as it is.
    """
    run: list[int] = []
    for s, spec in enumerate(specs):
        if chain[s].residual and spec.inputs == (spec.output,):
            run.append(s)
        else:
            _ask_depth(chain, run, elastic, choices)
            run = []
    _ask_depth(chain, run, elastic, choices)


def _ask_depth(
    chain: Sequence[Region], run: Sequence[int], elastic: Elastic, choices: Choices
) -> None:
    always = max(0, len(run) - elastic.depth)
    if always == len(run):
        return
    slots = [chain[s].slot for s in run]
    stage = common(slots) if len(run) > 1 else ""
    name = f"{stage or slots[0]}.depth"
    if name in choices.values:
        name = f"{slots[0]}.depth"
    asked = choices.ask(name, range(always, len(run) + 1))
    for j, s in enumerate(run):
        if j >= always:
            choices.whens[s] = {**asked, "above": j}


def ask_kernels(chain: Sequence[Region], elastic: Elastic, choices: Choices) -> None:
    """Odd kernels that keep the size of maps become smaller, two at a time."""
    for s, region in enumerate(chain):
        for i, layer in enumerate(region.layers):
            if layer.kind != "conv":
                continue
            kernel, dilation = layer.attributes["kernel"], layer.attributes["dilation"]
            keeps = 2 * layer.attributes["padding"] == dilation * (kernel - 1)
            if keeps and kernel % 2 and kernel > elastic.kernel:
                asked = choices.ask(f"{layer.name}.kernel", range(elastic.kernel, kernel + 1, 2))
                # Without a padding of its own a layer keeps the size, whatever the kernel.
                choices.attributes[s, i] = {"kernel": asked, "padding": None}
