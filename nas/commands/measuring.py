"""Measuring: a table of a device, and any model on it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nas.commands.options import WHERE, Device, Json
from nas.terminal import Screen

__all__ = ["measure", "profile"]


def measure(
    run: Annotated[Path | None, typer.Argument(metavar="RUN", help="A run folder.")] = None,
    space: Annotated[str | None, typer.Option("--space", help="A space, without a run.")] = None,
    device: Annotated[
        str | None, typer.Option("--device", help=f"Else cpu, or that of a verified table. {WHERE}")
    ] = None,
    threads: Annotated[
        int | None, typer.Option("--threads", help="Else the configuration's, or 1.", min=1)
    ] = None,
    resolution: Annotated[
        list[int] | None,
        typer.Option("--resolution", help="Only these, added to a table that is there."),
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", help="The table's name; else by device and threads.")
    ] = None,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="The table's file.")] = None,
    verify: Annotated[
        Path | None,
        typer.Option("--verify", help="Measure a part of this table again: does it hold?"),
    ] = None,
    bundle: Annotated[
        Path | None,
        typer.Option("--bundle", help="For a device out of reach: write the campaign as this zip."),
    ] = None,
    results: Annotated[
        Path | None,
        typer.Option("--import", help="The results.json (or a zip of it) that a bundle left."),
    ] = None,
    allow_noisy: Annotated[
        bool, typer.Option("--allow-noisy", help="Keep a table that the machine's noise spoils.")
    ] = False,
    donors: Annotated[
        list[Path] | None,
        typer.Option(
            "--donors", help="Another device's table, repeatable: few networks are then enough."
        ),
    ] = None,
    samples: Annotated[
        int | None,
        typer.Option("--samples", help="With donors: networks to measure; else 10.", min=3),
    ] = None,
    json: Json = False,
) -> None:
    """Build a latency table of a device, or verify one."""
    from nas.jobs.bundle import bundle_command, import_command
    from nas.jobs.measure import measure_command
    from nas.jobs.verify import verify_command
    from nas.jobs.ways import require_one_way

    screen = Screen(json)
    given = {
        "--space": space,
        "--device": device,
        "--threads": threads,
        "--resolution": resolution,
        "--name": name,
        "-o": out,
        "--allow-noisy": allow_noisy,
        "--samples": samples,
    }
    ways = {"--verify": verify, "--bundle": bundle, "--import": results, "--donors": donors}
    require_one_way([way for way in ways if ways[way]], [name for name in given if given[name]])
    if verify is not None:
        data, text = verify_command(verify, run, device, threads, screen)
        screen.result(data, text)
        raise typer.Exit(0 if data["holds"] else 1)
    if bundle:
        screen.result(*bundle_command(run, space, threads, resolution, bundle, screen))
        return
    if results:
        screen.result(
            *import_command(run, space, threads, resolution, name, out, allow_noisy, results)
        )
        return
    data, text = measure_command(
        run,
        space,
        device or "cpu",
        threads,
        resolution,
        name,
        out,
        allow_noisy,
        screen,
        donors or (),
        samples,
    )
    if run is not None and not (out or name):
        of = f" --device {device}" if device else ""
        of += f" --threads {threads}" if threads else ""
        text += f"; next: nas search {run}{of} --latency-ms MS"
    screen.result(data, text)


def profile(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="Any ONNX image model.")],
    device: Device = "cpu",
    threads: Annotated[
        int | None, typer.Option("--threads", help="Else the table's, or 1.", min=1)
    ] = None,
    table: Annotated[
        Path | None,
        typer.Option("--table", help="A latency table or its run: times compare with it."),
    ] = None,
    size: Annotated[
        int | None,
        typer.Option("--size", help="Pixels of sides that the model leaves open.", min=1),
    ] = None,
    json: Json = False,
) -> None:
    """Measure a model: latency first, then throughput, memory, and where the time goes."""
    from nas.profile import profile as measured
    from nas.profile import render

    screen = Screen(json)
    result = measured(model, device=device, threads=threads, table=table, size=size)
    screen.result(result.to_dict(), render(result))
