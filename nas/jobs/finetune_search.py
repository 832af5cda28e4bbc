"""``nas finetune --searcher``: several subnets trained on, the poor ones stopped early."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from nas.config import TrainConfig
from nas.disk import megabytes, require_room
from nas.jobs.estimate import estimate_training
from nas.jobs.tables import chosen_table, identity_of
from nas.jobs.train import said
from nas.jobs.trained import TrainedRun
from nas.jobs.tuning import FINETUNED, checkpoint_bytes, require_tunable, tuning_config
from nas.jobs.tuning_outcome import best_of, trials_document
from nas.jobs.tuning_plan import Planned, TuningOptions, planned, tuning_study
from nas.jobs.tuning_trials import Trials
from nas.jobs.typed import Where
from nas.terminal import Screen, duration
from nas.training.ranks import by_itself
from nas.training.start import Start
from search_spaces import Architecture
from search_spaces.errors import ArtefactError, ConfigError, SpaceError
from search_spaces.files import sha256_of, write_atomic
from search_spaces.space import Population

__all__ = ["finetune_search", "finetune_search_command", "require_one_way"]

STUDY, TRIALS = "study.sqlite", "trials"


def require_one_way(searcher: str | None, given: Mapping[str, object]) -> None:
    """Raises ``ConfigError`` where options of one subnet and of several are mixed.

    ``given`` are options by name; None is what was not said.
    """
    named = [name for name, value in given.items() if value is not None]
    if searcher is not None and "--architecture" in named:
        raise ConfigError(
            "--architecture names the subnet and --searcher looks for it; leave out one of them"
        )
    several = [name for name in named if name != "--architecture"]
    if searcher is None and several:
        raise ConfigError(
            f"{', '.join(several)}: for a search over several subnets; add --searcher halving, or "
            f"leave {'it' if len(several) == 1 else 'them'} out"
        )


def finetune_search_command(
    trained: TrainedRun,
    where: Where,
    searcher: str,
    epochs: int,
    latency_ms: float | None,
    budget: int | None,
    seed: int | None,
    learning_rate: float | None,
    out: Path | None,
    resume: bool,
    screen: Screen,
) -> tuple[dict[str, Any], str]:
    """The command with ``--searcher``: its document, and what is said of it.

    Raises ``ConfigError`` where there is no latency to keep; see ``TuningOptions`` and
    ``finetune_search`` for the rest.
    """
    usual = trained.config.search
    latency_ms = usual.latency_ms if latency_ms is None else latency_ms
    if latency_ms is None:
        raise ConfigError(
            "a search over fine-tunings needs a latency to keep: add --latency-ms, or latency_ms "
            f"under search in {trained.run.config_file}"
        )
    seed = usual.seed if seed is None else seed
    options = TuningOptions(searcher, epochs, latency_ms, budget, seed)
    data = finetune_search(trained, where, options, learning_rate, out, resume, screen)
    return data, (
        f"the best of {data['subnets']} subnets: held-out accuracy {data['val_inherited']:.2f}% "
        f"inherited, {data['val_finetuned']:.2f}% fine-tuned; {data['latency_ms']:.4g} ms by the "
        f"latency table (budget {latency_ms:g} ms), not measured; next: nas export "
        f"{trained.run.folder} --weights {data['weights']}, and nas profile to measure its file"
    )


def finetune_search(
    trained: TrainedRun,
    where: Where,
    options: TuningOptions,
    learning_rate: float | None,
    out: Path | None,
    resume: bool,
    screen: Screen,
) -> dict[str, Any]:
    """Check, say what it takes, fine-tune, and leave the weights of the best within the latency.

    Raises:
        ConfigError: a run without images, a budget that is too small, or a folder that holds
            something else already.
        ArtefactError: no table, or artefacts that do not fit.
        InfeasibleError: no network is predicted within the latency.
        NasLoopError: there is no room, or no subnet could be trained to the end.
    """
    require_tunable(trained)
    name = f"{options.searcher}-{options.latency_ms:g}ms"
    out = out or trained.run.folder / "finetuned" / name
    _require_folder(out, resume)
    table, _ = chosen_table(trained, where.device, where.threads, where.table)
    config = tuning_config(trained.config.train, options.epochs, learning_rate)
    first = _searched_before(trained)
    if not len(first):
        screen.say(
            f"there is no {trained.run.front}, so that the first candidates are drawn by chance; "
            "`nas search` finds better ones"
        )
    plan = planned(trained.space, table, options, first)
    belongs = {
        **trained.belongs(),
        **said(config),
        "table": identity_of(table),
        "searcher": f"{options.searcher} {options.seed}",
        "first candidates": sha256_of(first.tobytes()),
    }
    trials = Trials(trained, config, options.shares, out / TRIALS)
    _announce(trained, config, options, plan, trials, out, screen)
    with screen.progress("finetune", float(plan.epochs.sum())) as trials.advance:
        study = tuning_study(
            trained.space, table, trials.errors, options, first, out / STUDY, belongs
        )
        best = best_of(study)
        accuracies = trials.finish(trained.space.decode(study.row(best)), out)
    told = trials_document(study, table, options)
    document = {
        "weights": str(out / FINETUNED),
        "epochs": options.epochs,
        "learning_rate": config.highest_rate,
        **accuracies,
        "seconds": round(float(study.records.seconds.sum()), 1),
        "latency_ms": round(study.evaluation(best).constraints["latency_ms"], 6),
        "budget_ms": options.latency_ms,
        "searcher": options.searcher,
        "seed": options.seed,
        "budget": options.whole,
        "ended_by": study.ended_by,
        "subnets": len({one["digest"] for one in told}),
        "trials": told,
    }
    write_atomic(out / "finetune.json", json.dumps(document, indent=1) + "\n")
    return document


def _searched_before(trained: TrainedRun) -> Population:
    """The networks that the run's search measured, the best first: canonical rows [n, choices].

    None where there was no search. Raises ``ArtefactError`` where its document is damaged.
    """
    path, space = trained.run.front, trained.space
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        points = [*document["points"], *document["dominated"]]
        points.sort(key=lambda point: -float(point["score"]))
        rows = [
            space.encode(Architecture.from_json(json.dumps(point["architecture"])))
            for point in points
        ]
    except FileNotFoundError:
        rows = []
    except (OSError, ValueError, LookupError, TypeError, SpaceError) as error:
        raise ArtefactError(
            f"{path}: damaged, or not of this run ({type(error).__name__}: {error}); search again"
        ) from error
    return space.canonical(np.array(rows, dtype=np.int64).reshape(-1, len(space.choices)))


def _require_folder(out: Path, resume: bool) -> None:
    if out.exists() and not out.is_dir():
        raise ConfigError(f"{out} is a file; choose another --out")
    there = (out / STUDY).is_file()
    if there and not resume:
        raise ConfigError(
            f"{out} holds a search over fine-tunings already; add --resume to go on with it, or "
            "choose another --out"
        )
    if out.is_dir() and not there and any(out.iterdir()):
        raise ConfigError(
            f"{out} is not empty and no search over fine-tunings; choose another --out"
        )


def _announce(
    trained: TrainedRun,
    config: TrainConfig,
    options: TuningOptions,
    plan: Planned,
    trials: Trials,
    out: Path,
    screen: Screen,
) -> None:
    """Say how long it takes and how much disk. Raises ``NasLoopError`` where there is no room."""
    left = float(plan.epochs.sum()) - trials.epochs
    if left <= 0:
        return
    # The next checkpoint is written beside its predecessor.
    count = max(0, len(plan.rows) - trials.checkpoints) + 1
    needed = count * checkpoint_bytes(trained, config) + trained.run.supernet.stat().st_size
    require_room(out, needed, "--out")
    # A subnet of the middle stands for all.
    middle = plan.rows[np.argsort(trained.space.macs(plan.rows))[len(plan.rows) // 2]]
    start = Start(trained.trained.supernet.state_dict(), trained.space.decode(middle))
    tuning = replace(trained.config, train=config)
    whole = estimate_training(tuning, trained.dataset, ranks=by_itself(), start=start)
    seconds = left * whole.seconds / options.epochs
    screen.say(
        f"{len(plan.rows)} subnets, {plan.epochs.sum()} epochs in all (to the end they would take "
        f"{len(plan.rows) * options.epochs}): about {duration(seconds)} to go and "
        f"{megabytes(needed)} in {out} (interrupt at will, --resume goes on)"
    )
