"""Training: the supernet, and the chosen subnet."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nas.commands.options import Device, Json, RunFolder
from nas.terminal import Screen

__all__ = ["finetune", "train"]


def train(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="A file that init wrote.")],
    out: Annotated[Path, typer.Option("--out", help="The run folder.")] = Path("run"),
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with an interrupted run.")
    ] = False,
    json: Json = False,
) -> None:
    """Train the supernet."""
    from nas.jobs.train import train_command

    screen = Screen(json)
    data = train_command(config, out, resume, screen)
    if data is not None:
        screen.result(data, f"trained: {data['supernet']}; next: nas measure {out}")


def finetune(
    run: RunFolder,
    architecture: Annotated[
        Path | None,
        typer.Option("--architecture", help="A .json or exported .onnx; else the best."),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option("--epochs", help="Passes over the images; else 10, with --searcher 9.", min=1),
    ] = None,
    learning_rate: Annotated[
        float | None,
        typer.Option("--learning-rate", help="Its peak; else a tenth of the training's."),
    ] = None,
    searcher: Annotated[
        str | None,
        typer.Option(
            "--searcher",
            help="halving or hyperband: fine-tune several subnets, those of the last search first, "
            "and stop the poor ones early; else one subnet.",
        ),
    ] = None,
    latency_ms: Annotated[
        float | None,
        typer.Option(
            "--latency-ms",
            help="With --searcher: what a subnet may take by the latency table; else the "
            "configuration's.",
        ),
    ] = None,
    budget: Annotated[
        int | None,
        typer.Option(
            "--budget",
            help="With --searcher: how much is tried, in whole fine-tunings. A trial after a third "
            "of the epochs counts as a third, though it goes on from an earlier one and a third "
            "is rounded up to whole epochs: what is trained is told before. Else one run through "
            "the brackets.",
        ),
    ] = None,
    device: Device = "cpu",
    threads: Annotated[
        int | None,
        typer.Option("--threads", help="Of the latency table; else the configuration's.", min=1),
    ] = None,
    table: Annotated[
        Path | None, typer.Option("--table", help="A latency table; else the run's own.")
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Of the candidates.")] = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="Else a folder in RUN/finetuned.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with an interrupted one.")
    ] = False,
    json: Json = False,
) -> None:
    """Train the chosen subnet on, taught by the largest; or several, and keep the best."""
    from nas.jobs.chosen import chosen_architecture
    from nas.jobs.finetune import EPOCHS, finetune_command
    from nas.jobs.finetune_search import finetune_search_command, require_one_way
    from nas.jobs.trained import TrainedRun
    from nas.jobs.tuning_plan import EPOCHS as SEARCHED_EPOCHS
    from nas.jobs.typed import Where
    from nas.run import Run

    screen = Screen(json)
    trained = TrainedRun(Run.open(run))
    if epochs is None:
        epochs = EPOCHS if searcher is None else SEARCHED_EPOCHS
    given = {
        "--architecture": architecture,
        "--latency-ms": latency_ms,
        "--budget": budget,
        "--device": None if device == "cpu" else device,
        "--threads": threads,
        "--table": table,
        "--seed": seed,
    }
    require_one_way(searcher, given)
    if searcher is not None:
        where = Where(device, threads, table)
        screen.result(
            *finetune_search_command(
                *(trained, where, searcher, epochs, latency_ms, budget, seed),
                *(learning_rate, out, resume, screen),
            )
        )
        return
    chosen = chosen_architecture(trained, architecture)
    data = finetune_command(trained, chosen, epochs, learning_rate, out, resume, screen)
    before, after = data["val_inherited"], data["val_finetuned"]
    text = f"held-out accuracy {before:.2f}% inherited, {after:.2f}% fine-tuned"
    if after <= before:
        text += " (no gain: more --epochs, or keep the inherited weights)"
    screen.result(data, f"{text}; next: nas export {run} --weights {data['weights']}")
