"""Searching: one network for a device, or for a fleet of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nas.commands.options import Device, Engine, Json, RunFolder
from nas.terminal import Screen

__all__ = ["search"]


def search(
    run: RunFolder,
    latency_ms: Annotated[
        float | None, typer.Option("--latency-ms", help="The budget; else the configuration's.")
    ] = None,
    device: Device = "cpu",
    threads: Annotated[
        int | None, typer.Option("--threads", help="Else the configuration's.", min=1)
    ] = None,
    table: Annotated[
        Path | None, typer.Option("--table", help="A latency table; else the run's own.")
    ] = None,
    searcher: Annotated[
        str,
        typer.Option(
            "--searcher", help="nsga2, local, ofa, random, ...; another name lists them all."
        ),
    ] = "nsga2",
    predictor: Annotated[
        str | None,
        typer.Option(
            "--predictor",
            help="auto (the usual), ridge, gp, boosting, mlp, graph, or the file (.npz) of one "
            "that was fitted on errors in percent.",
        ),
    ] = None,
    proxy: Annotated[
        str | None,
        typer.Option("--proxy", help="macs or parameters, taken in a predictor's place."),
    ] = None,
    budget: Annotated[
        int | None, typer.Option("--budget", help="Evaluations of a round of the search.")
    ] = None,
    minutes: Annotated[
        float | None,
        typer.Option(
            "--minutes",
            help="Minutes of a round of the search, of which there are up to three; with --budget "
            "what comes first.",
        ),
    ] = None,
    stagnation: Annotated[
        int | None,
        typer.Option(
            "--stagnation",
            help="End a round once its hypervolume has not grown by a thousandth over so many "
            "evaluations.",
        ),
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed")] = None,
    confidence: Annotated[
        float | None,
        typer.Option(
            "--confidence",
            help="The chance with which a network keeps the budget, such as 0.95; else the middle "
            "of its latency does.",
        ),
    ] = None,
    limit: Annotated[
        list[str] | None,
        typer.Option(
            "--limit",
            metavar="NAME=VALUE",
            help="Repeatable: macs=3e8, parameters, model_mb, peak_memory_mb, energy_mj, "
            "latency@TABLE, energy_mj@TABLE at most; accuracy=70 at least; FILE.py:FUNCTION.",
        ),
    ] = None,
    objective: Annotated[
        list[str] | None,
        typer.Option(
            "--objective",
            metavar="NAME",
            help="Repeatable: one of these beside accuracy and latency; less is better.",
        ),
    ] = None,
    dimension: Annotated[
        list[str] | None,
        typer.Option(
            "--dimension",
            metavar="NAME[=EDGE,EDGE,...]",
            help="Once or twice: what the report's map of the best networks is over, and the "
            "archive of map-elites: macs, parameters, latency, energy_mj@TABLE, resolution, "
            "layers, ...; without edges by equal factors, or a cell for each value.",
        ),
    ] = None,
    fleet: Annotated[
        list[str] | None,
        typer.Option(
            "--fleet",
            metavar="TABLE=MS",
            help="Repeatable: one network for many devices, by the run's latency tables; without "
            "--limit, --objective, --dimension and --exact.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", help="Folder of front.json; else the run (RUN/fleet)."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with an interrupted search.")
    ] = False,
    baselines: Annotated[
        bool,
        typer.Option(
            "--baselines/--no-baselines",
            help="Search a few more times on the same predictions, at random and with other "
            "seeds, for the report to compare; about 5 s, or a tenth of the search.",
        ),
    ] = True,
    exact: Annotated[
        bool,
        typer.Option(
            "--exact",
            help="Also solve for the optimum of the predictor within the limits, and say how far "
            "the search stopped from it; with --predictor ridge or --proxy, without --confidence.",
        ),
    ] = False,
    engine: Engine = "local",
    json: Json = False,
) -> None:
    """Find the best subnet under a latency budget."""
    from nas.jobs.asking import limits_of
    from nas.jobs.dimensions import dimensions_of
    from nas.jobs.ends import Ends
    from nas.jobs.search_command import search_command
    from nas.jobs.typed import Typed, Where

    screen = Screen(json)
    typed = Typed(
        Where(device, threads, table),
        searcher,
        predictor,
        proxy,
        Ends(budget, minutes, stagnation),
        seed,
        confidence,
        tuple(objective or ()),
        limits_of(limit or ()),
        dimensions_of(dimension or ()),
        out,
        resume,
        baselines,
        exact,
        engine,
    )
    if fleet:
        from nas.jobs.fleet import fleet_command, fleet_limits

        screen.result(*fleet_command(run, fleet_limits(fleet, latency_ms, typed), typed, screen))
        return
    screen.result(*search_command(run, latency_ms, typed, screen))
