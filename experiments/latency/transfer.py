"""How well a new device is predicted from 10 or 20 measurements and the devices that are known.

    python experiments/latency/transfer.py DATA/device_latency [--draws 20] [-o transfer.json]

Every device in turn is new: it and all other batch sizes of the same physical device are taken out
of the donors, in a second pass all devices with the same chip. Everything that is learned is
learned from the donors that are left. Networks to measure are drawn at random, and for comparison
chosen. All figures are on the networks that were not measured. Prints which claims hold and ends
with 1 if one falls short. Writes the results and a figure beside them.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from published import SPACES, Published, load
from scipy.stats import rankdata
from sklearn.linear_model import RidgeCV

from latency_lut.accuracy import NINETY
from latency_lut.transfer import Transfer, informative

mpl.use("Agg")
import matplotlib.pyplot as plt

SIZES = (10, 20)
FIGURES = ("spearman", "mape", "coverage_90")
SPEARMAN = {"nasbench201": 0.98, "fbnet": 0.97}
HELP = {"nasbench201": 0.932, "fbnet": 0.910}
COVERAGE = (0.85, 0.95)
CANDIDATES = 400
ALPHAS = np.logspace(-4, 4, 25)
RESAMPLES = 2000
HEADLINE = "transfer"

Figures = list[float | None]
Predict = Callable[[Any, Any], tuple[Any, Any]]


def spearman(a: Any, b: Any) -> float:
    return float(np.corrcoef(rankdata(a), rankdata(b))[0, 1])


def figures(predicted: Any, std: Any, measured: Any) -> Figures:
    """Those of ``FIGURES``; coverage is None without deviations."""
    inside = None if std is None else float((np.abs(predicted - measured) <= NINETY * std).mean())
    error = float(np.abs(predicted / measured - 1).mean())
    return [spearman(predicted, measured), error, inside]


def baselines(donors: Any, features: Any) -> dict[str, Predict]:
    """Functions of rows and times to predictions of the whole population, without deviations."""
    logs = np.log(donors)
    logs -= logs.mean(axis=1, keepdims=True)
    typical = np.exp(logs.mean(axis=0))
    left, size, _ = np.linalg.svd(logs.T, full_matrices=False)
    scores = left * size / size[0] * np.sqrt(len(typical))
    columns = features - features.mean(axis=0)

    def ridge(x: Any) -> Predict:
        def predict(rows: Any, ms: Any) -> tuple[Any, Any]:
            return np.exp(RidgeCV(ALPHAS).fit(x[rows], np.log(ms)).predict(x)), None

        return predict

    def mean(rows: Any, ms: Any) -> tuple[Any, Any]:
        return typical * np.median(ms / typical[rows]), None

    return {
        "ridge on donors' components": ridge(scores),
        "mean of donors": mean,
        "additive model alone": ridge(columns),
    }


def noise(data: Published, rng: np.random.Generator) -> dict[str, dict[str, float]]:
    """How well a device's own measurements allow it to be predicted at all.

    An additive model with all other devices' latencies as further features, fitted to half of the
    networks, predicts the other half: its Spearman is about the most that any method can reach,
    its error is mostly the device's own noise. Outliers cost a least squares fit something, so on
    devices that have many a robust one may pass it. ``levels`` counts distinct times: phones were
    read in whole milliseconds.
    """
    found = {}
    order = rng.permutation(data.ms.shape[1])
    half = len(order) // 2
    for i, name in enumerate(data.devices):
        others = np.delete(data.ms, i, axis=0)
        x = np.hstack([data.features, (others / others.mean(axis=1, keepdims=True)).T])
        x = np.hstack([np.ones((len(x), 1)), x - x.mean(axis=0)])
        seen, unseen = x[order[:half]], order[half:]
        square = seen.T @ seen + 1e-3 * np.eye(x.shape[1])
        predicted = x[unseen] @ np.linalg.solve(square, seen.T @ data.ms[i, order[:half]])
        spear, error, _ = figures(predicted, None, data.ms[i, unseen])
        found[name] = {"spearman": spear, "mape": error, "levels": len(np.unique(data.ms[i]))}
    return found


def evaluate(data: Published, draws: int, by_chip: bool) -> dict[str, dict[str, list[Figures]]]:
    """Figures by method, device and draw."""
    groups, physical = data.groups(by_chip), data.groups()
    found: dict[str, dict[str, list[Figures]]] = {}
    for group in dict.fromkeys(groups):
        donors = [i for i, name in enumerate(groups) if name != group]
        transfer = Transfer(
            data.ms[donors],
            data.features,
            rng=np.random.default_rng(0),
            groups=[physical[i] for i in donors],
            labels=data.labels,
        )
        others = {} if by_chip else baselines(data.ms[donors], data.features)
        for device in (i for i, name in enumerate(groups) if name == group):
            one = _Device(data.ms[device], transfer, others)
            for draw in range(draws):
                for method, row in one.draw(np.random.default_rng([draw, device])).items():
                    by_device = found.setdefault(method, {})
                    by_device.setdefault(data.devices[device], []).append(row)
        print(f"{data.space}: {group} left out", file=sys.stderr)
    return found


class _Device:
    """A new device: its times [networks], what is known without it."""

    def __init__(self, ms: Any, transfer: Transfer, others: Mapping[str, Predict]) -> None:
        self.ms, self.transfer, self.others = ms, transfer, others

    def draw(self, rng: np.random.Generator) -> dict[str, Figures]:
        """Figures of all methods on one draw of networks."""
        order = rng.permutation(len(self.ms))
        found = {}
        for size in SIZES if self.others else SIZES[:1]:
            found[f"{HEADLINE} {size}"] = self._figures(order[:size], self._transferred)
        if self.others:
            chosen = informative(self.transfer, order[:CANDIDATES], SIZES[0])
            found[f"{HEADLINE} {SIZES[0]}, chosen"] = self._figures(chosen, self._transferred)
        for name, predict in self.others.items():
            found[f"{name} {SIZES[0]}"] = self._figures(order[: SIZES[0]], predict)
        return found

    def _transferred(self, rows: Any, ms: Any) -> tuple[Any, Any]:
        every = np.arange(len(self.ms))
        return self.transfer.fit(rows, ms).predict(every, return_std=True)

    def _figures(self, rows: Any, predict: Predict) -> Figures:
        mean, std = predict(rows, self.ms[rows])
        rest = np.delete(np.arange(len(self.ms)), rows)
        return figures(mean[rest], None if std is None else std[rest], self.ms[rest])


def summary(
    by_device: Mapping[str, Sequence[Figures]], devices: Sequence[str], rng: np.random.Generator
) -> dict[str, Any]:
    """Means over ``devices`` and draws, with 95% intervals by resampling both."""
    values = np.array([by_device[name] for name in devices], dtype=np.float64)
    count, draws, _ = values.shape
    found: dict[str, Any] = {}
    for i, name in enumerate(FIGURES):
        each = values[:, :, i]
        if np.isnan(each).any():
            continue
        picked = rng.integers(0, count, (RESAMPLES, count, 1))
        means = each[picked, rng.integers(0, draws, (RESAMPLES, count, draws))].mean(axis=(1, 2))
        low, high = np.quantile(means, [0.025, 0.975])
        found[name] = {"mean": float(each.mean()), "low": float(low), "high": float(high)}
    return found


def rows_of(found: Mapping[str, Mapping[str, Sequence[Figures]]]) -> dict[str, Any]:
    """Means over draws, by method and device."""
    return {
        method: {
            name: dict(zip(FIGURES, np.array(draws, dtype=np.float64).mean(axis=0), strict=True))
            for name, draws in by_device.items()
        }
        for method, by_device in found.items()
    }


def results(data: Published, draws: int) -> dict[str, Any]:
    """Everything that is recorded of one space."""
    rng = np.random.default_rng(0)
    left_out = {"device": evaluate(data, draws, False), "chip": evaluate(data, draws, True)}
    sets = {
        "server, GPU and embedded": [
            name for name, phone in zip(data.devices, data.is_phone, strict=True) if not phone
        ],
        "all": list(data.devices),
    }
    return {
        "networks": data.ms.shape[1],
        "own noise": noise(data, rng),
        "left out": {
            what: {
                "means": {
                    method: {kind: summary(by_device, names, rng) for kind, names in sets.items()}
                    for method, by_device in found.items()
                },
                "devices": rows_of(found),
            }
            for what, found in left_out.items()
        },
    }


def claims(found: Mapping[str, Any]) -> dict[str, bool]:
    """What is said of the figures, and whether it holds."""
    said = {}
    for space, one in found.items():
        means = one["left out"]["device"]["means"]
        ours = means[f"{HEADLINE} 10"]["server, GPU and embedded"]
        every = means[f"{HEADLINE} 10"]["all"]
        goal, (low, high) = SPEARMAN[space], COVERAGE
        rank, inside = ours["spearman"]["mean"], ours["coverage_90"]["mean"]
        said[f"{space}: Spearman {rank:.4f} is at least {goal}"] = rank >= goal
        said[f"{space}: 90% intervals hold {inside:.1%}, within {low:.0%} to {high:.0%}"] = (
            low <= inside <= high
        )
        rank = every["spearman"]["mean"]
        said[f"{space}: with phones {rank:.4f}, above HELP's {HELP[space]}"] = rank > HELP[space]
        for method, by_kind in means.items():
            if not method.startswith(HEADLINE):
                other = by_kind["server, GPU and embedded"]["spearman"]["mean"]
                ahead = ours["spearman"]["mean"] > other
                said[f"{space}: above {method} samples ({other:.4f})"] = ahead
    return said


def show(found: Mapping[str, Any]) -> None:
    """The means as a table on standard output."""
    for space, one in found.items():
        for what, level in one["left out"].items():
            for method, by_kind in level["means"].items():
                for kind, means in by_kind.items():
                    text = "  ".join(
                        f"{name} {f['mean']:.4f} [{f['low']:.4f}, {f['high']:.4f}]"
                        for name, f in means.items()
                    )
                    print(f"{space}, {what} left out, {method}, {kind}: {text}")


def draw(found: Mapping[str, Any], path: Path) -> None:
    """Spearman of every device by method, against what its own noise allows."""
    figure, panels = plt.subplots(1, len(found), figsize=(12, 6))
    for panel, (space, one) in zip(np.atleast_1d(panels), found.items(), strict=True):
        by_method = one["left out"]["device"]["devices"]
        names = sorted(one["own noise"], key=lambda n: by_method[f"{HEADLINE} 10"][n]["spearman"])
        places = np.arange(len(names))
        limits = [one["own noise"][name]["spearman"] for name in names]
        panel.scatter(limits, places, marker="|", s=160, color="black", label="own noise allows")
        marks = {
            f"{HEADLINE} 10": ("o", "tab:blue"),
            f"{HEADLINE} 20": (".", "tab:cyan"),
            "ridge on donors' components 10": ("x", "tab:orange"),
            "mean of donors 10": ("+", "tab:green"),
        }
        for method, (mark, colour) in marks.items():
            values = [by_method[method][name]["spearman"] for name in names]
            panel.scatter(values, places, marker=mark, color=colour, label=method, zorder=3)
        panel.axvline(SPEARMAN[space], color="grey", linewidth=0.8)
        panel.set_yticks(places, names)
        panel.set(xlabel="Spearman, mean over draws", title=space)
        panel.set_xlim(left=0.5 if space == "fbnet" else 0.6, right=1.005)
        panel.grid(axis="x", linewidth=0.3)
    handles, labels = panel.get_legend_handles_labels()
    figure.legend(handles, labels, fontsize=8, loc="lower center", ncols=len(labels))
    figure.tight_layout(rect=(0, 0.04, 1, 1))
    figure.savefig(path, dpi=130)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="folder of fbnet.npz and nasbench201.npz")
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--space", choices=SPACES, action="append", help="only this one")
    parser.add_argument("-o", "--out", type=Path)
    args = parser.parse_args()
    found = {space: results(load(args.data, space), args.draws) for space in args.space or SPACES}
    show(found)
    said = claims(found)
    for claim, holds in said.items():
        print(f"{'holds' if holds else 'FALLS SHORT'}: {claim}")
    if args.out:
        document = {"draws": args.draws, "claims": said, "spaces": found}
        rounded = json.loads(json.dumps(document), parse_float=lambda text: round(float(text), 5))
        args.out.write_text(json.dumps(rounded, indent=1) + "\n")
        draw(found, args.out.with_suffix(".png"))
    return 0 if all(said.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
