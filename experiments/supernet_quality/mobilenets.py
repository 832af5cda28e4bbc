"""Searched subnets against MobileNetV2 and MobileNetV3 of the same latency, trained alone.

    python experiments/supernet_quality/mobilenets.py RUN ARCHITECTURE... [--epochs N]
        [--trial-epochs N] [--measure-only] [--measured-elsewhere] [-o FOLDER]

Both families are made for 224x224 and halve their maps five times; three of the strides are kept
here, in one of three placements. Networks of all widths are measured beside the architectures,
interleaved; then those around each architecture's latency again, in steps of width five times
finer. For each architecture the widest is taken that is no slower. What of the budget it takes, and
the errors of both times, are in ``results.json``; a measurement whose halves differ by more than 3%
is refused.

Which placement a family has is chosen on held-out images, by networks as fast as the middle
architecture that are trained for ``--trial-epochs`` (a quarter of the others, if not said); all
placements within a point of the best are trained in full, and the best of them by held-out images
counts. Where a budget is kept by other placements than the middle one, they are tried there
too. Networks are trained with the run's recipe, by labels alone, for as many passes over the images
as the supernet had (or ``--epochs``). The architectures have the supernet's weights as they are.

Claimed: at three budgets or more that both families keep, and wherever one of them does, the
searched subnet is ahead of it by at least 1 point of the test images. Where a family has no network
as fast, that is said, and is no point. Intervals (95%) are paired over test images: one training a
network, one supernet.

Measuring (``--measure-only``) wants a quiet machine. What was measured goes with its device: a
machine with a GPU trains on with ``--measured-elsewhere``. Trainings resume, and nothing that is
done is done again; ``results.json`` has what stands.

Channels of all layers are scaled, the last ones too, which MobileNetV2 keeps at widths below 1: at
these budgets that is in its favour.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from families import CANDIDATES, FAMILIES, Candidate
from lone import by_itself, inherited
from measured import Measurement, measurement
from rivals import ahead, claims, close, fastest, feasible, finer, too_slow

from latency_lut import device as device_of
from nas.architectures import read_architecture
from nas.jobs.trained import TrainedRun
from nas.run import Run
from nas.terminal import Screen
from search_spaces.files import write_atomic


def without_hits(found: Mapping[str, Any]) -> dict[str, Any]:
    """For people to read."""
    return {name: value for name, value in found.items() if name != "hits"}


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("architectures", type=Path, nargs="+")
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--trial-epochs", type=int)
    parser.add_argument("--measure-only", action="store_true")
    parser.add_argument("--measured-elsewhere", action="store_true")
    parser.add_argument("-o", "--out", type=Path, default=Path("mobilenets"))
    given = parser.parse_args()
    trained = TrainedRun(Run.open(given.run))
    space, screen = trained.space, Screen(False)
    epochs = given.epochs or trained.config.train.epochs
    trial_epochs = given.trial_epochs or max(1, epochs // 4)
    architectures = [read_architecture(file, space) for file in given.architectures]
    named = {space.digest(one): one for one in architectures}
    given.out.mkdir(parents=True, exist_ok=True)
    ours = {digest: space.lower(one) for digest, one in named.items()}
    device = device_of("cpu", threads=trained.config.latency.threads)

    def measured(candidates: tuple[Candidate, ...], file: str) -> Measurement:
        theirs = {one.name: one.plan(space.classes) for one in candidates}
        place = given.out / file
        return measurement({**theirs, **ours}, device, place, given.measured_elsewhere, screen)

    first = measured(CANDIDATES, "latencies-of-all-widths.json").times
    candidates = finer(first, [first[digest].ms for digest in named])
    second = measured(candidates, "latencies.json")
    times = second.times
    order = sorted(named, key=lambda digest: times[digest].ms)
    middle = times[order[len(order) // 2]].ms
    if given.measure_only:
        for digest in order:
            budget = times[digest].ms
            taken = [
                f"{one.name} ({times[one.name].ms / budget:.1%})"
                for family in FAMILIES
                for one in feasible(candidates, family, times, budget).values()
            ]
            screen.say(f"{budget:.3f} ms: {', '.join(taken) or 'no MobileNet is as fast'}")
        return
    document: dict[str, Any] = {
        "measurement": second.account(),
        "epochs": epochs,
        "trial_epochs": trial_epochs,
        "trials": [],
        "budgets": [],
    }
    settled: dict[tuple[str, frozenset[str]], list[str]] = {}

    def train(one: Candidate, epochs: int) -> dict[str, Any]:
        folder = given.out / one.name / f"{epochs}-epochs"
        return by_itself(trained, one.plan(space.classes), epochs, 0, folder, screen)

    def keep() -> None:
        document["claims"] = claims(document["budgets"])
        document["too slow"] = too_slow(document["budgets"])
        write_atomic(given.out / "results.json", json.dumps(document, indent=1) + "\n")

    def chosen(family: str, within: dict[str, Candidate], budget: float) -> list[Candidate]:
        """The best placement by short trainings, and those close to it; tried once a set."""
        of = family, frozenset(within)
        if len(within) > 1 and of not in settled:
            trials = {p: without_hits(train(one, trial_epochs)) for p, one in within.items()}
            settled[of] = close({p: trial["val"] for p, trial in trials.items()})
            tried = {p: {**asdict(within[p]), **trial} for p, trial in trials.items()}
            document["trials"].append(
                {"family": family, "latency_ms": budget, "tried": tried, "kept": settled[of]}
            )
            keep()
        return [within[placement] for placement in settled.get(of, within)]

    def timed(one: Candidate, budget: float) -> dict[str, float]:
        time = times[one.name]
        share = round(time.ms / budget, 4)
        return {"latency_ms": time.ms, "latency_error_ms": time.error_ms, "of_budget": share}

    # The middle budget first: it is where placements are tried.
    for digest in sorted(order, key=lambda digest: abs(times[digest].ms - middle)):
        budget = times[digest].ms
        subnet = inherited(trained, named[digest], given.out / f"subnet-{digest[:12]}")
        row: dict[str, Any] = {
            "latency_ms": budget,
            "latency_error_ms": times[digest].error_ms,
            "architecture": json.loads(named[digest].to_json()),
            "subnet": without_hits(subnet),
        }
        document["budgets"].append(row)
        for family in FAMILIES:
            within = feasible(candidates, family, times, budget)
            tried = {one: train(one, epochs) for one in chosen(family, within, budget)}
            if tried:
                one = max(tried, key=lambda one: tried[one]["val"])
                gain = ahead(subnet, tried[one])
                row[family] = {
                    "within": True,
                    **asdict(one),
                    **timed(one, budget),
                    **without_hits(tried[one]),
                    "ahead": gain,
                    "tried": {other.name: without_hits(tried[other]) for other in tried},
                }
                screen.say(f"{budget:.3f} ms: {gain} points ahead of {one.name}")
            else:
                one = fastest(candidates, family, times)
                row[family] = {"within": False, "fastest": one.name, **timed(one, budget)}
            keep()


if __name__ == "__main__":
    main()
