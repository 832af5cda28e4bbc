"""What comes of a run: a model, a report, or all at once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nas.commands.options import Json, RunFolder
from nas.terminal import Screen
from search_spaces.errors import ConfigError

__all__ = ["demo", "export", "report"]


def export(
    run: RunFolder,
    architecture: Annotated[
        Path | None,
        typer.Option("--architecture", help="A .json or exported .onnx; else the best."),
    ] = None,
    weights: Annotated[
        Path | None, typer.Option("--weights", help="A fine-tuned subnet, in the best's place.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "-o", "--out", help="Else RUN/best.onnx, or beside the file that names the subnet."
        ),
    ] = None,
    raw: Annotated[
        bool, typer.Option("--raw", help="Take pixels from 0 to 255; normalise in the graph.")
    ] = False,
    dtype: Annotated[str, typer.Option("--dtype", help="float32 or uint8 (with --raw).")] = (
        "float32"
    ),
    layout: Annotated[str, typer.Option("--layout", help="NCHW or NHWC (with --raw).")] = "NCHW",
    batch: Annotated[
        int, typer.Option("--batch", help="A fixed batch; 0 leaves it dynamic.", min=0)
    ] = 1,
    json: Json = False,
) -> None:
    """Write a subnet as ONNX, compared with PyTorch on real images."""
    from nas.export import ExportOptions
    from nas.jobs.chosen import chosen_architecture
    from nas.jobs.export import export_run, fine_tuned
    from nas.jobs.shipped import shipped
    from nas.jobs.trained import TrainedRun
    from nas.run import Run

    screen = Screen(json)
    folder = Run.open(run)
    if weights is not None and architecture is not None:
        raise ConfigError("--weights name their architecture; leave out --architecture")
    trained = TrainedRun(folder)
    tuned = fine_tuned(trained, weights) if weights else None
    chosen = tuned.architecture if tuned else chosen_architecture(trained, architecture)
    options = ExportOptions(raw, dtype, layout, batch or None)
    named = weights or architecture
    usual = folder.onnx if named is None else named.with_suffix(folder.onnx.suffix)
    file = out or usual
    data = export_run(trained, chosen, file, options, tuned)
    folders = [folder.folder] if architecture is None else [architecture.parent, folder.folder]
    data["not_as_timed"], remark = shipped(trained, chosen, options, file, folders)
    agreement = data["agreement"]
    screen.result(
        data,
        f"wrote {data['file']} ({data['bytes'] / 1e6:.2f} MB); on {agreement['images']} "
        f"{data['compared_on']} logits differ from PyTorch's by at most "
        f"{agreement['largest_difference']:.1e}{remark and f'; {remark}'}",
    )


def report(
    run: RunFolder,
    search: Annotated[
        Path | None,
        typer.Option(
            "--search",
            metavar="FOLDER",
            help="What `nas search RUN -o FOLDER` left, which gets the report; else the run's own.",
        ),
    ] = None,
    json: Json = False,
) -> None:
    """One HTML file with the pictures; the only place where test images are used."""
    from nas.jobs.report import report_command

    screen = Screen(json)
    data = report_command(run, screen, search)
    text = f"wrote {data['report']}"
    if "test_accuracy" in data:
        text += f"; {data['test_accuracy']:.2f}% of the test images"
    for one in data.get("finetuned", ()):
        text += (
            f"; finetuned/{one['folder']}: {one['test_finetuned']:.2f}% of the test images, "
            f"{one['test_inherited']:.2f}% as inherited"
        )
    screen.result(data, text)


def demo(
    out: Annotated[Path, typer.Option("--out", help="The run folder.")] = Path("demo-run"),
    json: Json = False,
) -> None:
    """The whole job on the built-in images (handwritten digits); goes on where it stopped."""
    from nas.jobs.demo import demo_command

    screen = Screen(json)
    data, text = demo_command(out, screen)
    screen.result(data, text)
