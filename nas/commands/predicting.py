"""Predicting how good networks are."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nas.commands.options import Engine, Json, RunFolder
from nas.terminal import Screen
from search_spaces.errors import ConfigError

__all__ = ["predict"]


def predict(
    run: RunFolder,
    evaluate: Annotated[
        bool,
        typer.Option(
            "--evaluate",
            help="How good every predictor is, against sample count; with --proxies every proxy "
            "too, in one table.",
        ),
    ] = False,
    predictor: Annotated[
        list[str] | None,
        typer.Option(
            "--predictor", help="Its name, else auto; with --evaluate repeatable, else all."
        ),
    ] = None,
    samples: Annotated[
        list[int] | None,
        typer.Option(
            "--samples", help="With --evaluate: how many subnets to fit on, repeatable.", min=2
        ),
    ] = None,
    networks: Annotated[
        int | None,
        typer.Option(
            "--networks",
            help="With --evaluate: subnets to measure in all; else search.samples.",
            min=1,
        ),
    ] = None,
    repeats: Annotated[
        int | None,
        typer.Option("--repeats", help="With --evaluate: fits of each; else 10.", min=1),
    ] = None,
    proxies: Annotated[
        bool,
        typer.Option(
            "--proxies", help="With --evaluate: all zero-cost proxies too; seconds a network."
        ),
    ] = False,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="The predictor's file; else in the run.")
    ] = None,
    engine: Engine = "local",
    json: Json = False,
) -> None:
    """Fit an accuracy predictor and keep it, or say how good each of them is."""
    from nas.jobs.evaluate import evaluate_command, fit_command

    screen = Screen(json)
    names = tuple(predictor or ())
    given = {
        "--samples": samples,
        "--networks": networks,
        "--repeats": repeats,
        "--proxies": proxies,
    }
    odd = ["-o"] if evaluate and out else [] if evaluate else [k for k, v in given.items() if v]
    if odd:
        raise ConfigError(
            f"{', '.join(odd)}: {'without' if evaluate else 'only with'} --evaluate; leave it out"
        )
    if evaluate:
        found = evaluate_command(
            run, names, samples or (), networks, repeats or 10, proxies, screen, engine
        )
        screen.result(*found)
        return
    if len(names) > 1:
        raise ConfigError(f"one predictor is fitted; got --predictor {' --predictor '.join(names)}")
    screen.result(*fit_command(run, next(iter(names), None), out, screen, engine))
