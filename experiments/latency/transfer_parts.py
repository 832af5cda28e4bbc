"""What each part of the prediction of a new device brings: it is left out, and all is done again.

    python experiments/latency/transfer_parts.py DATA/device_latency [--draws 20] [--donors N]
        [-o FILE.json]

As in ``transfer.py`` every device in turn is new, known by 10 random networks, with all batch sizes
of the same physical device taken out of the donors. With ``--donors`` only so many tables of
others, drawn at random for each physical device, are its donors: who has two tables asks something
else than who has twenty. Every variant sees the same draws. Printed, and written with ``-o``: the
mean Spearman and error over devices and draws of each variant, and its difference to the whole with
a 95% interval by resampling devices.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from published import SPACES, Published, load
from transfer import RESAMPLES, spearman

from latency_lut.transfer import Transfer, basis, learning, robust

SAMPLES = 10
WHOLE = "whole"


def _usual_weights() -> Any:
    """Variances of the components as they usually are, instead of learned from these donors."""

    def usual(donors: Any, ms: Any, features: Any, labels: Any, rng: Any) -> Any:
        logs = np.array(
            [learning.MEAN, *[learning.KINDS] * len(labels), learning.PARTS], dtype=np.float64
        )
        scale2 = float(np.exp(donors.weights @ np.log(ms.var(axis=1) / ms.mean(axis=1) ** 2)))
        return learning._weights(logs, learning.NOISE, learning.NOISE_STD, scale2)

    return patch("latency_lut.transfer.transfer.learn", usual)


def _one_by_one() -> Any:
    """Tables of one physical device count as that many devices."""
    real = basis.shapes
    return patch(
        "latency_lut.transfer.transfer.shapes",
        lambda ms, x, names: real(ms, x, [str(i) for i in range(len(ms))]),
    )


def _no_kinds() -> Any:
    real = Transfer.__init__
    return patch.object(
        Transfer, "__init__", lambda self, *a, **k: real(self, *a, **{**k, "labels": ()})
    )


# Far below the bounds of what is learned: the variance of a component is next to nothing.
NOTHING = -30.0
PARTS: dict[str, Callable[[], Any]] = {
    WHOLE: nullcontext,
    "kinds of parts that deviate together": _no_kinds,
    "parts that deviate by themselves": lambda: patch.object(learning, "PARTS", NOTHING),
    "errors with long tails": lambda: patch.object(robust, "DEGREES", 1e6),
    "learning from the donors how far devices differ": _usual_weights,
    "counting a physical device once": _one_by_one,
}


def evaluate(
    data: Published, draws: int, count: int | None, part: str
) -> dict[str, list[list[float]]]:
    """By device and draw, Spearman and mean relative error on the networks not measured."""
    groups = data.groups()
    found = {}
    for number, group in enumerate(dict.fromkeys(groups)):
        donors = [i for i, name in enumerate(groups) if name != group]
        if count is not None:
            donors = np.random.default_rng(number).choice(donors, count, replace=False).tolist()
        with PARTS[part]():
            transfer = Transfer(
                data.ms[donors],
                data.features,
                rng=np.random.default_rng(0),
                groups=[groups[i] for i in donors],
                labels=data.labels,
            )
            for device in (i for i, name in enumerate(groups) if name == group):
                found[data.devices[device]] = [
                    _one(transfer, data.ms[device], np.random.default_rng([draw, device]))
                    for draw in range(draws)
                ]
    return found


def _one(transfer: Transfer, ms: Any, rng: np.random.Generator) -> list[float]:
    order = rng.permutation(len(ms))
    rows, rest = order[:SAMPLES], order[SAMPLES:]
    predicted = transfer.fit(rows, ms[rows]).predict(rest)
    return [spearman(predicted, ms[rest]), float(np.abs(predicted / ms[rest] - 1).mean())]


def summary(found: dict[str, Any], whole: dict[str, Any], names: list[str]) -> dict[str, Any]:
    """Means over devices and draws, and the differences to the whole with their intervals."""
    values = np.array([found[name] for name in names]).mean(axis=1)
    apart = values - np.array([whole[name] for name in names]).mean(axis=1)
    rng = np.random.default_rng(0)
    picked = rng.integers(0, len(names), (RESAMPLES, len(names)))
    low, high = np.quantile(apart[picked].mean(axis=1), [0.025, 0.975], axis=0)
    return {
        figure: {
            "mean": round(float(values[:, i].mean()), 5),
            "against the whole": [
                round(float(v), 5) for v in (apart[:, i].mean(), low[i], high[i])
            ],
        }
        for i, figure in enumerate(("spearman", "mape"))
    }


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="folder of fbnet.npz and nasbench201.npz")
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--donors", type=int, help="tables of other devices; all without it")
    parser.add_argument("-o", "--out", type=Path)
    args = parser.parse_args()
    results: dict[str, Any] = {}
    for space in SPACES:
        data = load(args.data, space)
        names = [n for n, phone in zip(data.devices, data.is_phone, strict=True) if not phone]
        found: dict[str, Any] = {}
        for part in PARTS:
            found[part] = evaluate(data, args.draws, args.donors, part)
            row = summary(found[part], found[WHOLE], names)
            results.setdefault(space, {})[part] = row
            print(space, "whole" if part == WHOLE else f"without {part}", row, flush=True)
    if args.out:
        document = {
            "samples": SAMPLES,
            "draws": args.draws,
            "donors": args.donors or "all others",
            "devices": "server, GPU and embedded",
            "left out": results,
        }
        args.out.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())
