"""The chosen network, one box a block."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from nas.report.data import Block, Network, ReportData
from nas.report.draw.markup import Html, el
from nas.report.draw.numbers import fixed, significant
from nas.report.sections.common import command, elsewhere, missing, search_command, section
from nas.report.sections.neighbours import neighbours

__all__ = ["network"]


def network(data: ReportData) -> Html:
    """The part that draws the network."""
    chosen = data.network
    if chosen is None:
        how = elsewhere(data) or missing("No network is chosen yet.", search_command(data))
        return section("network", "The chosen network", how)
    layers = sum(block.present for block in chosen.blocks)
    macs = sum(block.macs for block in chosen.blocks)
    parameters = sum(block.parameters for block in chosen.blocks)
    stages = [list(blocks) for _, blocks in itertools.groupby(chosen.blocks, lambda b: b.stage)]
    latency = [block.latency_ms for block in chosen.blocks if block.latency_ms is not None]
    return section(
        "network",
        "The chosen network",
        el(
            "p",
            f"{layers} layers, {significant(macs / 1e6)} million multiply-accumulates, "
            f"{parameters:,} parameters, on images of {_shape(chosen.image)}. Bars are shares of "
            "the network's multiply-accumulates",
            " and of its predicted time (the first layer's includes what any run costs)"
            if latency
            else None,
            "; dashed boxes are skipped.",
        ),
        el("ol", [_stage(stage, chosen) for stage in stages], class_="stages"),
        None
        if latency
        else missing("The layers' times are not known: no table fits.", command(data, "measure")),
        neighbours(data.front) if data.front is not None else None,
    )


def _stage(blocks: Sequence[Block], chosen: Network) -> Html:
    present = [block for block in blocks if block.present]
    total = sum(block.macs for block in chosen.blocks)
    share = 100 * sum(block.macs for block in blocks) / total
    return el(
        "li",
        el(
            "div",
            el("b", blocks[0].stage),
            el("span", _shape(present[-1].output) if present else "skipped"),
            el("span", f"{fixed(share, 1)}% of MACs"),
            class_="stage-name",
        ),
        el("ol", [_block(block, chosen) for block in blocks], class_="blocks"),
    )


def _block(block: Block, chosen: Network) -> Html:
    if not block.present:
        return el("li", el("b", block.slot), el("span", "skipped"), class_="block skipped")
    macs, time = _shares(chosen)[block.slot]
    most = max(share for pair in _shares(chosen).values() for share in pair if share is not None)
    return el(
        "li",
        el("b", block.slot, " ", el("em", block.kind)),
        el("span", " · ".join(block.details)) if block.details else None,
        el("span", "→ ", _shape(block.output)),
        _share(macs, most, "MACs", "bar-macs"),
        None if time is None else _share(time, most, "time", "bar-time"),
        class_="block",
    )


def _shares(chosen: Network) -> dict[str, tuple[float, float | None]]:
    """By slot: the share of all MACs, and of all times if they are known."""
    present = [block for block in chosen.blocks if block.present]
    macs = sum(block.macs for block in present)
    times = sum(block.latency_ms or 0.0 for block in present)
    return {
        block.slot: (
            block.macs / macs,
            None if block.latency_ms is None else block.latency_ms / times,
        )
        for block in present
    }


def _share(share: float, most: float, of: str, class_: str) -> Html:
    """A bar, the longest for the largest share of the whole picture, and the share as text."""
    bar = el("span", style=f"width:{100 * share / most:.1f}%", class_="fill")
    return el(
        "span",
        el("span", bar, class_="track", aria_hidden="true"),
        f"{fixed(100 * share, 1)}% {of}",
        class_=f"share {class_}",
    )


def _shape(shape: Sequence[int]) -> str:
    return "×".join(map(str, shape))
