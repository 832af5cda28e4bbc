"""How much better a supernet knows its training images; and two logs of one training compared.

    python experiments/cifar10/overfit.py RUN [RUN ...]
    python experiments/cifar10/overfit.py --logs LOG LOG

Of each run the accuracy of the largest and the smallest network, in percent of all held-out images
and of as many training images without augmentation. Of two logs the mean difference of each
accuracy over the epochs that both have, first minus second, and the deviation of an epoch.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np

from nas.jobs.trained import TrainedRun
from nas.run import Run


def judge(folder: Path) -> None:
    """Print the accuracies of one run."""
    trained = TrainedRun(Run.open(folder))
    images, evaluator = trained.dataset.images, trained.evaluator
    count = len(images.val)
    for name in ("largest", "smallest"):
        one = trained.space.decode(getattr(trained.space, name))
        held_out = evaluator.accuracy(one, images.val, images.val_labels)
        training = evaluator.accuracy(one, images.train[:count], images.train_labels[:count])
        print(f"{folder} {name}: held out {held_out:.2f}%, in training {training:.2f}%")


def compare(logs: list[Path]) -> None:
    """Print the differences of two logs."""
    first, second = (list(csv.DictReader(log.open())) for log in logs)
    for name in ("val_largest", "val_smallest"):
        pairs = zip(first, second, strict=False)
        apart = np.array([float(a[name]) - float(b[name]) for a, b in pairs])
        print(
            f"{name}: {apart.mean():+.2f}, deviation {apart.std(ddof=1):.2f}, {len(apart)} epochs"
        )


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", type=Path, nargs="*")
    parser.add_argument("--logs", type=Path, nargs=2)
    given = parser.parse_args()
    for run in given.runs:
        judge(run)
    if given.logs:
        compare(given.logs)


if __name__ == "__main__":
    main()
