"""Searched subnets against MobileNetV2 and MobileNetV3 of the same latency, trained alone.

    python experiments/supernet_quality/mobilenets.py RUN ARCHITECTURE... [--epochs N]
        [--trial-epochs N] [--measure-only] [-o FOLDER]

Both families are made for 224x224 and halve their maps five times; three of the strides are kept
here, in one of three placements. Networks of all widths are measured beside the architectures,
interleaved, and for each of those the widest is taken that is no slower. Which placement a family
has is chosen on held-out images, by networks as fast as the middle architecture that are trained
for ``--trial-epochs`` (a quarter of the others, if not said); a second placement within a point of
the first is trained as well, and the better one by held-out images counts. Networks are trained
with the run's recipe, by labels alone, for as many passes over the images as the supernet had (or
``--epochs``). The architectures have the supernet's weights as they are.

Claimed: at three budgets the searched subnet is ahead of both families by at least 1 point of the
test images. Intervals (95%) are paired over test images: one training a network.

Measuring (``--measure-only``) wants a quiet machine. Trainings resume, and nothing that is done is
done again; ``results.json`` has what stands.

Channels of all layers are scaled, the last ones too, which MobileNetV2 keeps at widths below 1: at
these budgets that is in its favour.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from lone import by_itself, inherited
from units import machine, passes, unpacked

from latency_lut import device as device_of
from latency_lut.networks import measure_networks
from latency_lut.plans import network_model
from nas.jobs.export import read_architecture
from nas.jobs.trained import TrainedRun
from nas.run import Run
from nas.terminal import Screen
from search_spaces import Net, Space, choice
from search_spaces.files import write_atomic
from search_spaces.plan import Plan
from search_spaces.specs import Classifier, Conv, MBConv, SeparableConv, divisible

WIDTHS = (
    *(round(0.05 + 0.025 * i, 3) for i in range(18)),
    *(round(0.5 + 0.05 * i, 2) for i in range(21)),
)
# Which of the five strides (stem and the four stages that halve) stay 2.
PLACEMENTS = {
    "early": (2, 2, 2, 1, 1),
    "middle": (1, 2, 2, 2, 1),
    "late": (1, 1, 2, 2, 2),
}


def mobilenet_v2(width: float, strides: Sequence[int], classes: int) -> Net:
    """Sandler et al., CVPR 2018, table 2."""
    stem, *halving = strides
    net = Net(image=(3, choice("resolution", 32)))
    net("stem", Conv, out=divisible(32 * width), stride=stem, act="relu6")
    net("first", SeparableConv, out=divisible(16 * width), act="relu6", residual=False)
    stages = ((24, 2, 0), (32, 3, 1), (64, 4, 2), (96, 3, None), (160, 3, 3), (320, 1, None))
    for number, (out, blocks, which) in enumerate(stages):
        for i in range(blocks):
            net(
                f"s{number}.{i}",
                MBConv,
                out=divisible(out * width),
                expand=6,
                stride=halving[which] if which is not None and i == 0 else 1,
                act="relu6",
            )
    net("head", Conv, out=divisible(1280 * width), kernel=1, act="relu6")
    net("classifier", Classifier, classes=classes)
    return net


def mobilenet_v3(width: float, strides: Sequence[int], classes: int) -> Net:
    """MobileNetV3-Large; Howard et al., ICCV 2019, table 1."""
    stem, *halving = strides
    net = Net(image=(3, choice("resolution", 32)))
    net("stem", Conv, out=divisible(16 * width), stride=stem, act="h_swish")
    net("first", SeparableConv, out=divisible(16 * width), act="relu")
    # Kernel, channels inside, channels, squeeze-excite, activation, which of the strides.
    blocks = (
        (3, 64, 24, False, "relu", 0),
        (3, 72, 24, False, "relu", None),
        (5, 72, 40, True, "relu", 1),
        (5, 120, 40, True, "relu", None),
        (5, 120, 40, True, "relu", None),
        (3, 240, 80, False, "h_swish", 2),
        (3, 200, 80, False, "h_swish", None),
        (3, 184, 80, False, "h_swish", None),
        (3, 184, 80, False, "h_swish", None),
        (3, 480, 112, True, "h_swish", None),
        (3, 672, 112, True, "h_swish", None),
        (5, 672, 160, True, "h_swish", 3),
        (5, 960, 160, True, "h_swish", None),
        (5, 960, 160, True, "h_swish", None),
    )
    taken = divisible(16 * width)
    for number, (kernel, inside, out, se, act, which) in enumerate(blocks):
        net(
            f"b{number}",
            MBConv,
            out=divisible(out * width),
            kernel=kernel,
            expand=divisible(inside * width) / taken,
            stride=1 if which is None else halving[which],
            act=act,
            se=se,
        )
        taken = divisible(out * width)
    net("head", Conv, out=divisible(960 * width), kernel=1, act="h_swish")
    net("classifier", Classifier, classes=classes, hidden=divisible(1280 * width), act="h_swish")
    return net


CLOSE = 1.0
"""Points of the held-out images within which a second placement is tried in full."""
FAMILIES: Mapping[str, Callable[[float, Sequence[int], int], Net]] = {
    "MobileNetV2": mobilenet_v2,
    "MobileNetV3": mobilenet_v3,
}


@dataclass(frozen=True)
class Candidate:
    """A family at a placement and a width."""

    family: str
    placement: str
    width: float

    @property
    def name(self) -> str:
        """For a folder and a model."""
        return f"{self.family}-{self.placement}-{self.width}"

    def plan(self, classes: int) -> Plan:
        """The network."""
        net = FAMILIES[self.family](self.width, PLACEMENTS[self.placement], classes)
        space = Space(net, self.name)
        return space.lower_row(space.largest)


CANDIDATES = tuple(
    Candidate(family, placement, width)
    for family in FAMILIES
    for placement in PLACEMENTS
    for width in WIDTHS
)


def latencies(plans: Mapping[str, Plan], threads: int, file: Path, screen: Screen) -> Any:
    """`latency_ms` and its standard error of every plan, measured interleaved; kept in ``file``.

    Measured all anew if one of them is not there yet, since only what is interleaved compares.
    """
    if file.is_file():
        known = json.loads(file.read_text(encoding="utf-8"))
        if known.keys() >= plans.keys():
            return known
    screen.say(f"measuring {len(plans)} networks; leave the machine quiet")
    measured = measure_networks(
        [network_model(name, plan) for name, plan in plans.items()],
        device_of("cpu", threads=threads),
        rng=np.random.default_rng(0),
        memory=False,
    )
    found = {one.name: [one.latency.latency_ms, one.latency.error_ms] for one in measured}
    write_atomic(file, json.dumps(found, indent=1) + "\n")
    return found


def widest(family: str, placement: str, ms: Mapping[str, Any], budget: float) -> Candidate | None:
    """The candidate with the most channels that takes ``budget`` ms at most; None if none does."""
    within = [
        one
        for one in CANDIDATES
        if (one.family, one.placement) == (family, placement) and ms[one.name][0] <= budget
    ]
    return max(within, key=lambda one: one.width, default=None)


def ahead(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> dict[str, float]:
    """By how many points of the test images, and the half of the 95% interval of paired images."""
    images = ours["images"]
    apart = unpacked(ours["hits"], images).astype(float) - unpacked(theirs["hits"], images)
    half = 1.96 * apart.std(ddof=1) / images**0.5
    return {"mean": round(100 * float(apart.mean()), 3), "half": round(100 * float(half), 3)}


def without_hits(found: Mapping[str, Any]) -> dict[str, Any]:
    """For people to read."""
    return {name: value for name, value in found.items() if name != "hits"}


def claims(budgets: Sequence[Mapping[str, Any]]) -> dict[str, bool]:
    """Whether the subnet is ahead by a point of each family, budget by budget."""
    held = {}
    for row in budgets:
        for family in FAMILIES:
            if row.get(family):
                name = f"{row['latency_ms']:.3f} ms: a point ahead of {family}"
                held[name] = row[family]["ahead"]["mean"] >= 1
    return held


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("architectures", type=Path, nargs="+")
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--trial-epochs", type=int)
    parser.add_argument("--measure-only", action="store_true")
    parser.add_argument("-o", "--out", type=Path, default=Path("mobilenets"))
    given = parser.parse_args()
    trained = TrainedRun(Run.open(given.run))
    space, screen = trained.space, Screen(False)
    epochs = given.epochs or passes(trained)
    trial_epochs = given.trial_epochs or max(1, epochs // 4)
    architectures = [read_architecture(file, space) for file in given.architectures]
    named = {space.digest(one): one for one in architectures}
    given.out.mkdir(parents=True, exist_ok=True)
    plans = {one.name: one.plan(space.classes) for one in CANDIDATES}
    ours = {digest: space.lower(one) for digest, one in named.items()}
    threads = trained.config.latency.threads
    ms = latencies({**plans, **ours}, threads, given.out / "latencies.json", screen)
    order = sorted(named, key=lambda digest: ms[digest][0])
    middle = ms[order[len(order) // 2]][0]
    if given.measure_only:
        for digest in order:
            taken = [widest(f, p, ms, ms[digest][0]) for f in FAMILIES for p in PLACEMENTS]
            names = ", ".join(one.name for one in taken if one) or "no MobileNet is as fast"
            screen.say(f"{ms[digest][0]:.3f} ms: {names}")
        return
    document: dict[str, Any] = {
        "machine": machine(),
        "epochs": epochs,
        "trial_epochs": trial_epochs,
        "trials": {},
        "budgets": [],
    }

    def train(one: Candidate, epochs: int) -> dict[str, Any]:
        folder = given.out / one.name / f"{epochs}-epochs"
        return by_itself(trained, plans[one.name], epochs, 0, folder, screen)

    def keep() -> None:
        document["claims"] = claims(document["budgets"])
        write_atomic(given.out / "results.json", json.dumps(document, indent=1) + "\n")

    placed: dict[str, list[str]] = {}
    for family in FAMILIES:
        trials = {}
        for placement in PLACEMENTS:
            one = widest(family, placement, ms, middle)
            if one is not None:
                trials[placement] = {**asdict(one), **without_hits(train(one, trial_epochs))}
        best = max((trial["val"] for trial in trials.values()), default=0.0)
        placed[family] = [p for p, trial in trials.items() if trial["val"] >= best - CLOSE]
        document["trials"][family] = trials
        keep()
    # The middle budget first: it is where placements were tried.
    for digest in sorted(order, key=lambda digest: abs(ms[digest][0] - middle)):
        budget, error = ms[digest]
        subnet = inherited(trained, named[digest], given.out / f"subnet-{digest[:12]}")
        row: dict[str, Any] = {
            "latency_ms": budget,
            "latency_error_ms": error,
            "architecture": json.loads(named[digest].to_json()),
            "subnet": without_hits(subnet),
        }
        document["budgets"].append(row)
        for family, placements in placed.items():
            within = [one for p in placements if (one := widest(family, p, ms, budget))]
            tried = {one: train(one, epochs) for one in within}
            row[family] = None
            if tried:
                one = max(tried, key=lambda one: tried[one]["val"])
                row[family] = {
                    **asdict(one),
                    "latency_ms": ms[one.name][0],
                    **without_hits(tried[one]),
                    "ahead": ahead(subnet, tried[one]),
                    "tried": {other.name: without_hits(tried[other]) for other in tried},
                }
                screen.say(f"{budget:.3f} ms: {row[family]['ahead']} points ahead of {one.name}")
            keep()


if __name__ == "__main__":
    main()
