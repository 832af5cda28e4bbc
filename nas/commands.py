"""The commands: a table from names to typed functions; what is heavy is imported late."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nas.terminal import Screen
from search_spaces.errors import ConfigError

__all__ = ["app"]

app = typer.Typer(
    name="nas",
    help="Give it images, a device and a latency budget; get back a measured ONNX file.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

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


@app.command()
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
    data = {
        "config": str(out),
        "classes": list(summary.classes),
        "counts": {part: list(counts) for part, counts in summary.counts.items()},
    }
    screen.result(
        data,
        f"{images}: {len(summary.classes)} classes, {summary.training_images:,} training images\n"
        f"wrote {out}; next: nas train {out} --out run",
    )


@app.command()
def spaces(json: Json = False) -> None:
    """What can be searched, how large it is."""
    from nas.show import spaces_table

    screen = Screen(json)
    data, table = spaces_table()
    screen.result(data, table)


@app.command()
def searchers(json: Json = False) -> None:
    """What can search, and whose idea each is."""
    from nas.show import searchers_table

    screen = Screen(json)
    screen.result(*searchers_table())


@app.command()
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


@app.command()
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
    screen.result(data, text)


@app.command()
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
    fleet: Annotated[
        list[str] | None,
        typer.Option(
            "--fleet",
            metavar="TABLE=MS",
            help="Repeatable: one network for many devices, by the run's latency tables.",
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
            "the search stopped from it; with --predictor ridge or --proxy.",
        ),
    ] = False,
    engine: Engine = "local",
    json: Json = False,
) -> None:
    """Find the best subnet under a latency budget."""
    from nas.jobs.ends import Ends
    from nas.jobs.search_command import search_command

    screen = Screen(json)
    ends = Ends(budget, minutes, stagnation)
    how = (searcher, predictor, proxy, ends, seed, confidence, out, resume, screen, engine)
    if fleet:
        from nas.jobs.fleet import fleet_command, fleet_limits

        own = {"--latency-ms": latency_ms, "--table": table, "--exact": exact}
        limits = fleet_limits(fleet, {**own, "--limit": limit, "--objective": objective})
        screen.result(*fleet_command(run, limits, device, threads, *how))
        return
    further = (baselines, objective or (), limit or (), exact)
    data, text = search_command(run, latency_ms, device, threads, table, *how, *further)
    screen.result(data, text)


@app.command()
def predict(
    run: RunFolder,
    evaluate: Annotated[
        bool, typer.Option("--evaluate", help="How good each predictor is, against sample count.")
    ] = False,
    predictor: Annotated[
        list[str] | None,
        typer.Option("--predictor", help="Its name, else auto; with --evaluate repeatable, all."),
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


@app.command()
def finetune(
    run: RunFolder,
    architecture: Annotated[
        Path | None, typer.Option("--architecture", help="An architecture file; else the best.")
    ] = None,
    epochs: Annotated[int, typer.Option("--epochs", help="Passes over the images.", min=1)] = 10,
    learning_rate: Annotated[
        float | None,
        typer.Option("--learning-rate", help="Its peak; else a tenth of the training's."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="Else a folder in RUN/finetuned.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with an interrupted one.")
    ] = False,
    json: Json = False,
) -> None:
    """Train the chosen subnet on, taught by the largest."""
    from nas.jobs.chosen import chosen_architecture
    from nas.jobs.finetune import finetune_command
    from nas.jobs.trained import TrainedRun
    from nas.run import Run

    screen = Screen(json)
    trained = TrainedRun(Run.open(run))
    chosen = chosen_architecture(trained, architecture)
    data = finetune_command(trained, chosen, epochs, learning_rate, out, resume, screen)
    screen.result(
        data,
        f"held-out accuracy {data['val_inherited']:.2f}% inherited, {data['val_finetuned']:.2f}% "
        f"fine-tuned; next: nas export {run} --weights {data['weights']}",
    )


@app.command()
def export(
    run: RunFolder,
    architecture: Annotated[
        Path | None, typer.Option("--architecture", help="An architecture file; else the best.")
    ] = None,
    weights: Annotated[
        Path | None, typer.Option("--weights", help="A fine-tuned subnet, in the best's place.")
    ] = None,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="Else RUN/best.onnx.")] = None,
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
    data = export_run(trained, chosen, out or folder.onnx, options, tuned)
    agreement = data["agreement"]
    screen.result(
        data,
        f"wrote {data['file']} ({data['bytes'] / 1e6:.2f} MB); on {agreement['images']} "
        f"{data['compared_on']} logits differ from PyTorch's by at most "
        f"{agreement['largest_difference']:.1e}",
    )


@app.command()
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


@app.command()
def show(
    architectures: Annotated[list[Path], typer.Argument(metavar="ARCHITECTURE...")],
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


@app.command("import-ofa")
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


@app.command()
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


@app.command()
def report(run: RunFolder, json: Json = False) -> None:
    """One HTML file with the pictures; the only place where test images are used."""
    from nas.jobs.report import report_command

    screen = Screen(json)
    data = report_command(run, screen)
    screen.result(data, f"wrote {data['report']}")


@app.command()
def demo(
    out: Annotated[Path, typer.Option("--out", help="The run folder.")] = Path("demo-run"),
    json: Json = False,
) -> None:
    """The whole job on the built-in images (handwritten digits); goes on where it stopped."""
    from nas.jobs.demo import demo_command

    screen = Screen(json)
    data, text = demo_command(out, screen)
    screen.result(data, text)
