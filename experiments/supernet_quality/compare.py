"""Subnets of a supernet against the same networks fine-tuned and trained alone.

    python experiments/supernet_quality/compare.py RUN ARCHITECTURE... [--epochs N] [--seeds 3]
        [--fine-tune 10] [--what inherited alone fine-tuned repeated] [-o FOLDER]

To the architectures (files that a search left) come the smallest and the largest of the space. Each
is tested as inherited, fine-tuned with `nas finetune`'s recipe, and trained alone from random
weights: the recipe of the run by labels alone, at the network's own image size throughout, and as
many passes over the images as the supernet had (or ``--epochs``). The smallest and the middle one
by MACs are trained with ``--seeds`` seeds, the others with one. ``--what`` leaves parts for later.

Claimed, over six networks or more, two of them with three seeds, seeds averaged: inherited minus
alone at least -0.5 points in the mean and -1.5 everywhere, fine-tuned minus alone at least 0.0 in
the mean, Kendall's tau between inherited and alone at least 0.8. Intervals are paired, Student's t
over networks: they say how networks differ. There is one supernet, and what another seed of it
would give they leave out. The searched networks were chosen for a high inherited accuracy on
held-out images, which favours them a little; the two ends were not chosen by anything.

What each way costs is said in core-hours, which a busy machine makes longer, and in
multiply-accumulates (``compute.py``), which it does not. The supernet's hours are those of its log,
on whatever machine that was; every other result says its own.

Networks come in the order of their MACs. Everything resumes where it was interrupted, network by
network, epoch by epoch, and nothing that is done is done again; processes that are started side by
side (each with ``OMP_NUM_THREADS=1``) share what there is to do. ``results.json`` has what stands.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from compute import of_one, of_supernet
from gaps import Row, claims, summary, totals
from lone import bar, by_itself, inherited, side_by_side, tested
from units import Unit, once, share, took

from nas.architectures import read_architecture
from nas.jobs.finetune import fine_tune
from nas.jobs.train import said
from nas.jobs.trained import TrainedRun
from nas.jobs.tuning import FINETUNED, tuning_config
from nas.processor import usable_cores
from nas.run import Run
from nas.terminal import Screen
from nas.weights import load_subnet
from search_spaces import Architecture
from search_spaces.files import write_atomic

PARTS = ("inherited", "alone", "fine-tuned", "repeated")


def fine_tuned(
    trained: TrainedRun, one: Architecture, epochs: int, folder: Path, screen: Screen
) -> dict[str, Any]:
    """Fine-tune the subnet, or go on with it: what it reaches and how long it took."""

    config = tuning_config(side_by_side(trained.config.train), epochs, None)

    def work() -> dict[str, Any]:
        folder.mkdir(parents=True, exist_ok=True)
        with bar(screen, folder, epochs) as tell:
            fine_tune(trained, one, config, folder, tell)
        subnet = load_subnet(folder / FINETUNED, trained.space).subnet
        found = tested(trained.evaluator, trained, subnet, one)
        return {**found, **took(folder / "log.csv")}

    belongs = {**trained.belongs(), **said(config), "network": trained.space.digest(one)}
    return once(folder, belongs, work)


def brief(row: Row) -> Row:
    """Without what it takes to compare image by image."""
    kept = {**row, "alone": [{k: v for k, v in one.items() if k != "hits"} for one in row["alone"]]}
    for way in ("inherited", "fine-tuned"):
        if row.get(way):
            kept[way] = {k: v for k, v in row[way].items() if k != "hits"}
    return kept


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("architectures", type=Path, nargs="*")
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--fine-tune", type=int, default=10)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--what", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("-o", "--out", type=Path, default=Path("supernet-quality"))
    given = parser.parse_args()
    trained = TrainedRun(Run.open(given.run))
    space, screen = trained.space, Screen(False)
    epochs = given.epochs or trained.config.train.epochs
    ends = [space.decode(row) for row in (space.smallest, space.largest)]
    named = [read_architecture(file, space) for file in given.architectures]
    images = len(trained.dataset.splits.train)
    teacher = space.lower(ends[1]).macs if trained.config.train.distillation else 0
    supernet: Row = {
        "seconds": took(trained.run.log)["seconds"],
        "machine": {"threads": trained.config.train.threads or usable_cores()},
        "tera_macs": of_supernet(space, trained.config.train, images),
    }
    networks = {space.digest(one): one for one in (*ends, *named)}
    order = sorted(networks, key=lambda digest: space.lower(networks[digest]).macs)
    rows: dict[str, Row] = {}
    for digest in order:
        plan = space.lower(networks[digest])
        document = json.loads(networks[digest].to_json())
        costs_of = {"macs": plan.macs, "parameters": plan.params}
        rows[digest] = {"network": digest, "architecture": document, **costs_of, "alone": []}

    def folder(digest: str, way: str) -> Path:
        # What is inherited or fine-tuned is of one supernet, networks alone are of none.
        of = "" if way.startswith("alone") else f"-{trained.belongs()['weights'][:8]}"
        return Path(given.out / digest[:12] / f"{way}{of}")

    def lone_folder(digest: str, seed: int) -> Path:
        return folder(digest, f"alone-{epochs}-seed-{seed}")

    def keep() -> None:
        found = summary(list(rows.values()))
        document = {
            "run": str(given.run),
            "weights": trained.belongs()["weights"],
            "epochs": epochs,
            "rows": [brief(row) for row in rows.values()],
            "summary": found,
            "claims": claims(found),
            "cost": totals(list(rows.values()), supernet),
        }
        write_atomic(given.out / "results.json", json.dumps(document, indent=1) + "\n")
        screen.say(json.dumps({**found, **document["claims"], **document["cost"]}))

    def inherit(digest: str) -> None:
        place = folder(digest, "inherited")
        rows[digest]["inherited"] = inherited(trained, networks[digest], place)

    def alone(digest: str, seed: int = 0) -> None:
        plan, place = space.lower(networks[digest]), lone_folder(digest, seed)
        found = by_itself(trained, plan, epochs, seed, place, screen)
        cost = round(of_one(plan.macs, epochs, images), 2)
        seeds = [*rows[digest]["alone"], {**found, "tera_macs": cost}]
        rows[digest]["alone"] = sorted(seeds, key=lambda one: one["seed"])

    def tuned_folder(digest: str) -> Path:
        return folder(digest, f"fine-tuned-{given.fine_tune}")

    def tune(digest: str) -> None:
        one, place = networks[digest], tuned_folder(digest)
        found = fine_tuned(trained, one, given.fine_tune, place, screen)
        cost = round(of_one(rows[digest]["macs"], given.fine_tune, images, teacher), 2)
        rows[digest]["fine-tuned"] = {**found, "tera_macs": cost}

    repeated = (order[0], order[len(order) // 2])
    parts: list[tuple[str, Path, Callable[[], None]]] = [
        *(("inherited", folder(d, "inherited"), partial(inherit, d)) for d in order),
        *(("alone", lone_folder(d, 0), partial(alone, d)) for d in order),
        *(("fine-tuned", tuned_folder(d), partial(tune, d)) for d in order),
        *(
            ("repeated", lone_folder(d, seed), partial(alone, d, seed))
            for seed in range(1, given.seeds)
            for d in repeated
        ),
    ]
    given.out.mkdir(parents=True, exist_ok=True)
    units = [Unit(place, work, part in given.what) for part, place, work in parts]
    for left in share(units, keep, given.out):
        screen.say(f"{left}: another process is at it")


if __name__ == "__main__":
    main()
