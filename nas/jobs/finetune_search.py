"""``nas finetune --searcher``: several subnets trained on, the poor ones stopped early."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from nas import search as searching
from nas.jobs.tables import chosen_table, identity_of
from nas.jobs.train import said
from nas.jobs.trained import TrainedRun
from nas.jobs.tuning import (
    FINETUNED,
    leave_document,
    require_folder,
    require_tunable,
    tuning_config,
)
from nas.jobs.tuning_cost import announce, tell_of_open
from nas.jobs.tuning_first import CANDIDATES, keep, kept, searched_before
from nas.jobs.tuning_outcome import best_of, failed, trials_document
from nas.jobs.tuning_plan import TuningOptions, planned, tuning_study
from nas.jobs.tuning_trials import Further, Tunings
from nas.jobs.typed import Where
from nas.terminal import Advance, Screen
from search_spaces import Space
from search_spaces.errors import ArtefactError, ConfigError
from search_spaces.files import sha256_of

__all__ = ["finetune_search", "finetune_search_command", "require_one_way"]

STUDY, TRIALS = "study.sqlite", "trials"
ROUNDING = 1e-6
"""Of shares that add up to whole fine-tunings."""


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
    failures = failed(data["trials"])
    return data, (
        f"the best of {data['subnets']} subnets: held-out accuracy {data['val_inherited']:.2f}% "
        f"inherited, {data['val_finetuned']:.2f}% fine-tuned; {data['latency_ms']:.4g} ms by the "
        f"latency table (budget {latency_ms:g} ms), not measured; next: nas export "
        f"{trained.run.folder} --weights {data['weights']}, and nas profile to measure its file"
        f"{failures and f'; {failures}'}"
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
        ArtefactError: no table, or artefacts that are damaged or do not fit.
        InfeasibleError: no network is predicted within the latency.
        SearchError: subnet after subnet failed; or a ``MachineError``, see ``Tunings.errors``.
        NasLoopError: there is no room, or no subnet could be trained to the end.
    """
    require_tunable(trained)
    name = f"{options.searcher}-{options.latency_ms:g}ms"
    out = out or trained.run.tunings / name
    there = require_folder(out, CANDIDATES, "search over fine-tunings", resume)
    table, _ = chosen_table(trained, where.device, where.threads, where.table)
    config = tuning_config(trained.config.train, options.epochs, learning_rate)
    first = kept(out, trained.space) if there else searched_before(trained, screen)
    known = _known(out / STUDY, trained.space)
    plan = planned(trained.space, table, options, first, known)
    spent = 0.0 if known is None else float(known.records.fidelity.sum())
    if spent > options.whole + ROUNDING:
        screen.say(
            f"{out} has tried {spent:.4g} whole fine-tunings, more than a budget of "
            f"{options.whole}: no more are tried, and the best of all of them is kept"
        )
    recipe = {name: value for name, value in said(config).items() if name != "train.phases"}
    belongs = {
        **trained.belongs(),
        **recipe,
        "--epochs": str(options.epochs),
        "table": identity_of(table),
        "searcher": f"{options.searcher} {options.seed}",
        "first candidates": sha256_of(first.tobytes()),
    }
    tunings = Tunings(trained, config, options.shares, out / TRIALS)
    missing = tunings.missing(plan.rows, plan.epochs)
    announce(trained, config, options, plan, missing, tunings, out, screen)
    if not there:
        keep(out, trained.space, first)
    total = int(plan.epochs.sum())
    with screen.progress("finetune", total) as advance:
        further = _further(advance, total - int(missing.sum()), total)
        errors = partial(tunings.errors, further)
        ended = tuning_study(trained.space, table, errors, options, first, out / STUDY, belongs)
        study = ended.study
        best = best_of(study)
        accuracies = tunings.finish(further, study.row(best), out)
    tunings.drop(ended.begun, np.concatenate([ended.open, study.row(best)[None]]))
    tell_of_open(trained, config, ended, out / TRIALS, screen)
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
    leave_document(out, document)
    return document


def _known(path: Path, space: Space) -> searching.Study | None:
    """What an earlier call has evaluated; None where that cannot be read."""
    try:
        return searching.load(path, space)
    except ArtefactError:
        # Perhaps one that was stopped while it made the file; it is opened in earnest later.
        return None


def _further(advance: Advance, begun: float, total: float) -> Further:
    """Adds up epochs for a bar that shows ``begun`` of ``total``, which is a plan and may err."""
    done = begun

    def further(epochs: float, remark: str) -> None:
        nonlocal done
        done = min(done + epochs, total)
        advance(round(done, 2), remark)

    return further
