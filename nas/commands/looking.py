"""What there is: images, spaces, searchers, architectures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nas.commands.options import Json
from nas.terminal import Screen

__all__ = ["init", "searchers", "show", "spaces"]


def init(
    images: Annotated[str, typer.Argument(metavar="IMAGES", help="Folder, Parquet, .npz, digits.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="The file to write.")] = Path("nas.yaml"),
    json: Json = False,
) -> None:
    """Look at the images, write a configuration."""
    from nas.init import inspect, write_config

    screen = Screen(json)
    summary = inspect(images)
    write_config(summary, out)
    parts = {"val": "the search", "test": "the report"}
    without = " and ".join(use for part, use in parts.items() if part not in summary.counts)
    held_out = f", of which some are held out for {without}" if without else ""
    data = {
        "config": str(out),
        "classes": list(summary.classes),
        "counts": {part: list(counts) for part, counts in summary.counts.items()},
    }
    screen.result(
        data,
        f"{images}: {len(summary.classes)} classes, {summary.training_images:,} training images"
        f"{held_out}\n"
        f"wrote {out}; next: nas train {out} --out run",
    )


def spaces(json: Json = False) -> None:
    """What can be searched, how large it is."""
    from nas.show import spaces_table

    screen = Screen(json)
    data, table = spaces_table()
    screen.result(data, table)


def searchers(json: Json = False) -> None:
    """What can search, and whose idea each is."""
    from nas.show import searchers_table

    screen = Screen(json)
    screen.result(*searchers_table())


def show(
    architectures: Annotated[
        list[Path],
        typer.Argument(metavar="ARCHITECTURE...", help="A .json or exported .onnx each."),
    ],
    run: Annotated[
        Path | None, typer.Option("--run", help="The run whose space and table are used.")
    ] = None,
    json: Json = False,
) -> None:
    """Print and compare architectures."""
    from nas.jobs.show import show_command

    screen = Screen(json)
    data, text = show_command(architectures, run)
    screen.result(data, text)
