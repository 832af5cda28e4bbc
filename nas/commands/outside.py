"""Networks and weights from elsewhere become runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nas.commands.options import Json
from nas.terminal import Screen

__all__ = ["convert", "import_ofa"]


def import_ofa(
    weights: Annotated[
        Path, typer.Argument(metavar="WEIGHTS", help="torch.save's, .npz or .safetensors.")
    ],
    space: Annotated[
        str, typer.Option("--space", help="ofa-mobilenetv3, ofa-proxyless or ofa-resnet50.")
    ],
    out: Annotated[Path, typer.Option("--out", help="The run folder.")] = Path("run"),
    resolution: Annotated[
        list[int] | None,
        typer.Option("--resolution", help="Only these; else 128 to 224 in steps of 4."),
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option("--option", help="KEY=VALUE: an option of the space, as kernels=[3,5]."),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option("--data", help="Images of the weights' classes, to measure accuracies on."),
    ] = None,
    json: Json = False,
) -> None:
    """Make a run of published once-for-all weights, without training."""
    from nas.jobs.imported import import_ofa_command

    screen = Screen(json)
    result, text = import_ofa_command(
        weights, space, out, resolution or (), option or (), data, screen
    )
    screen.result(result, text)


def convert(
    network: Annotated[
        str,
        typer.Argument(
            metavar="NETWORK",
            help="What makes it: MODULE:CALLABLE or FILE.py:CALLABLE, such as "
            "torchvision.models:resnet18.",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", help="The run folder.")] = Path("run"),
    weights: Annotated[
        Path | None,
        typer.Option("--weights", help="Its state_dict: torch.save's, .npz or .safetensors."),
    ] = None,
    resolution: Annotated[
        list[int] | None, typer.Option("--resolution", help="Pixels, repeatable; else 224.")
    ] = None,
    data: Annotated[
        str | None, typer.Option("--data", help="Images of its classes, to train on.")
    ] = None,
    mean: Annotated[
        str | None, typer.Option("--mean", help="R,G,B from 0 to 1; else ImageNet's.")
    ] = None,
    std: Annotated[str | None, typer.Option("--std", help="The same; with --mean.")] = None,
    width: Annotated[
        list[float] | None,
        typer.Option("--width", help="A fraction of channels, repeatable; else 0.5 and 0.75."),
    ] = None,
    depth: Annotated[
        int, typer.Option("--depth", help="Blocks of a stage that may be left out.", min=0)
    ] = 2,
    kernel: Annotated[
        int, typer.Option("--kernel", help="What larger kernels may shrink to.", min=1)
    ] = 3,
    json: Json = False,
) -> None:
    """Make a run of any trained convolutional network."""
    from nas.jobs.converted import convert_command, normalisation_of

    screen = Screen(json)
    elastic = {"widths": tuple(width or (0.5, 0.75)), "depth": depth, "kernel": kernel}
    normalisation = normalisation_of(mean, std)
    screen.result(
        *convert_command(network, out, weights, resolution or (), data, normalisation, elastic)
    )
