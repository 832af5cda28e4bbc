"""Arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["WHERE", "Device", "Engine", "Json", "RunFolder"]

Json = Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")]
RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")]
WHERE = (
    "cpu, cuda:0, openvino, browser, adb://SERIAL, ssh://[user@]host[:port][?python=PATH] and "
    "others: see the README."
)
Device = Annotated[str, typer.Option("--device", help=WHERE)]
Engine = Annotated[
    str,
    typer.Option(
        "--engine", help="local, or ray: on a cluster (RAY_ADDRESS), else on workers started here."
    ),
]
