"""What each part of training a supernet brings: trained without it, all else the same.

    python experiments/supernet_quality/ablations.py CONFIG [--epochs N] [--seeds 2]
        [--subnets 20] [--variants sandwich ...] [-o FOLDER]

``--epochs`` passes over the images of the configuration, a quarter of its own if not said. Two
recipes are taken apart, all image sizes open from the start. The sandwich rule: with the networks
between its ends drawn near the frontier (in the end few of them alone, or never), without
distillation (labels teach every subnet), with stages in which image sizes rise, with SGD (where the
configuration names another optimizer), and without the moving average of weights, which needs no
training of its own. Progressive shrinking: without distillation, and without sorting channels. A
step of the sandwich trains several subnets and one of shrinking a single one, so shrinking is also
given as many passes as compute as much; ``cost`` has seconds, images a second and
multiply-accumulates (``compute.py``) of all. Recalibration of norms is judged on the weights of
every variant.

Every supernet is judged by the same networks of its space, the smallest, the largest, and some
spread over cost (``recalibrated``); and by what a search finds in it (``searched``, see
``harvest.py``), the best within each of some limits of MACs, which is what a user gets. What a part
brings is decided on held-out images, and told of test images beside. Its 95% interval is over
seeds: of the difference of two variants' means, with the residual of variant and seed that all
variants of two seeds or more share (two-way analysis of variance).

Trainings resume, nothing that is done is done again, and processes that are started side by side
(each with ``OMP_NUM_THREADS=1``) share what there is to do; what stands is in ``results.json``.
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from compute import of_supernet
from effects import costs, summary
from harvest import harvest, limits_of
from lone import belonging, trained_in
from recipes import VARIANTS, base, passes_of
from units import Unit, once, share, took

from nas.config import Config
from nas.data.batches import as_tensors
from nas.dataset import Dataset, open_dataset
from nas.header import space_of
from nas.jobs.sampling import stratified
from nas.terminal import Screen
from nas.training import ranks
from nas.training.checkpoint import load_checkpoint
from nas.training.evaluate import Evaluator
from search_spaces import Architecture, Space
from search_spaces.files import write_atomic
from search_spaces.supernet import Supernet


def judged(
    supernets: Mapping[str, Supernet], data: Dataset, networks: list[Architecture]
) -> dict[str, dict[str, list[float]]]:
    """Accuracies of the networks in percent, on held-out and on test images, for each way.

    ``recalibrated``: norms measured anew; ``as left``: norms as the training left them;
    ``not averaged``: norms measured anew, weights of the last step.
    """
    images = data.images
    sets = {
        "val": (images.val, images.val_labels),
        "test": as_tensors(data.splits.test()),
    }
    found = {}
    for way, supernet in supernets.items():
        calibration = None if way == "as left" else images.calibration
        evaluator = Evaluator(supernet, images.normalisation, calibration)
        found[way] = {
            name: [round(evaluator.accuracy(one, x, labels), 3) for one in networks]
            for name, (x, labels) in sets.items()
        }
    return found


def not_averaged(space: Space, checkpoint: Path, belongs: dict[str, str]) -> Supernet:
    """The supernet with the weights of the last step."""
    supernet = space.supernet()
    supernet.load_state_dict(load_checkpoint(checkpoint, belongs)["supernet"])
    return supernet.to(ranks.by_itself().device).eval()


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("config", type=Path)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--subnets", type=int, default=20)
    parser.add_argument("--variants", nargs="+", choices=tuple(VARIANTS), default=tuple(VARIANTS))
    parser.add_argument("-o", "--out", type=Path, default=Path("ablations"))
    given = parser.parse_args()
    config, screen = Config.load(given.config), Screen(False)
    recipe = base(config.train)
    epochs = given.epochs or config.train.epochs // 4
    data = open_dataset(config)
    space = space_of(config, len(data.classes))
    drawn = stratified(space, given.subnets, np.random.default_rng(0))
    networks = [space.decode(row) for row in drawn]
    trainings: dict[str, dict[str, Any]] = {}

    def place(name: str, seed: int) -> Path:
        passes = passes_of(name, space, recipe, epochs)
        return Path(given.out / name.replace(" ", "-") / f"{passes}-epochs-seed-{seed}")

    def work(name: str, seed: int) -> None:
        passes = passes_of(name, space, recipe, epochs)
        config = replace(VARIANTS[name](recipe, passes), seed=seed)
        folder, belongs = place(name, seed), belonging(space, data, config)

        def judge() -> dict[str, Any]:
            learned = trained_in(folder, space, data, config, screen)
            supernet = learned.supernet
            supernets = {"recalibrated": supernet, "as left": supernet}
            if config.ema:
                last = not_averaged(space, folder / "checkpoint.pt", belongs)
                supernets["not averaged"] = last
            tera = round(of_supernet(space, config, len(data.splits.train)), 1)
            found = judged(supernets, data, networks)
            found["searched"] = harvest(space, learned, data)
            return {**found, **took(folder / "log.csv"), "tera_macs": tera, "passes": passes}

        found = once(folder, {**belongs, "networks": str(given.subnets)}, judge)
        trainings.setdefault(name, {})[str(seed)] = found

    def keep() -> None:
        done = {name: trainings[name] for name in VARIANTS if name in trainings}
        done = {name: dict(sorted(by_seed.items())) for name, by_seed in done.items()}
        document = {
            "config": str(given.config),
            "epochs": epochs,
            "networks": [json.loads(one.to_json()) for one in networks],
            "macs": space.macs(drawn).astype(int).tolist(),
            "trainings": done,
            "cost": costs(done),
            "limits": limits_of(space).astype(int).tolist(),
            "brings": {
                way: {images: summary(done, images, way) for images in ("val", "test")}
                for way in ("recalibrated", "searched")
            },
        }
        write_atomic(given.out / "results.json", json.dumps(document, indent=1) + "\n")
        screen.say(json.dumps(document["brings"]))

    given.out.mkdir(parents=True, exist_ok=True)
    units = [
        (name, seed)
        for seed, name in itertools.product(range(given.seeds), VARIANTS)
        if config.train.optimizer != "sgd" or name != "sandwich with SGD"
    ]
    shared = [Unit(place(*one), partial(work, *one), one[0] in given.variants) for one in units]
    for left in share(shared, keep, given.out):
        screen.say(f"{left}: another process is at it")


if __name__ == "__main__":
    main()
