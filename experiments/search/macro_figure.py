"""What ``macro.py`` found, as a table and as a figure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

HEAD = (
    ("searcher", "---"),
    ("seeds", "---:"),
    ("batch", "---:"),
    ("volume after 200", "---:"),
    ("above random", "---:"),
    ("to nsga2's 500", "---:"),
    ("to 99%", "---:"),
    ("to the best, alone", "---:"),
    ("to the best, both", "---:"),
    ("error after 100, alone", "---:"),
    ("s an ask", "---:"),
)
COLUMNS = 4
CHANCE, LEVEL = "random", "nsga2"


def table(rows: Sequence[Mapping[str, Any]], claims: Mapping[str, bool], level: float) -> str:
    """Markdown: the best hypervolume first."""
    ordered = sorted(rows, key=lambda row: -row.get("volume", {"mean": -1})["mean"])
    lines = [
        f"Hypervolume in percent of the exact front's; nsga2's median after 500 evaluations is "
        f"{100 * level:.2f}. Counts of evaluations are medians (quartiles; seeds that never got "
        "there). Intervals are 95%, over seeds.\n",
        "| " + " | ".join(name for name, _ in HEAD) + " |",
        "|" + "|".join(rule for _, rule in HEAD) + "|",
    ]
    lines += ["| " + " | ".join(_cells(row)) + " |" for row in ordered]
    lines += ["", *(f"- {'holds' if v else '**FALLS SHORT**'}: {k}" for k, v in claims.items())]
    return "\n".join(lines) + "\n"


def _cells(row: Mapping[str, Any]) -> list[str]:
    return [
        f"`{row['searcher']}`",
        str(row.get("seeds", "")),
        str(row.get("batch", "")),
        _mean(row.get("volume"), 100, 2),
        _ends(row.get("above_random")),
        _count(row.get("to_level")),
        _count(row.get("to_99")),
        _count(row.get("to_best")),
        _count(row.get("to_best_both")),
        _mean(row.get("error"), 1, 3),
        f"{row['ask_s']:.3f}" if "ask_s" in row else "",
    ]


def _mean(found: Mapping[str, float] | None, unit: float, digits: int) -> str:
    if found is None:
        return ""
    return f"{unit * found['mean']:.{digits}f} ± {unit * found['half']:.{digits}f}"


def _ends(found: Mapping[str, float] | None) -> str:
    return "" if found is None else f"{100 * found['low']:.1f} to {100 * found['high']:.1f}"


def _count(found: Mapping[str, Any] | None) -> str:
    if found is None:
        return ""
    first, middle, third = (
        "-" if found[name] is None else str(found[name])
        for name in ("quartile1", "median", "quartile3")
    )
    return f"{middle} ({first} to {third}; {found['never']})"


def draw(curves: Mapping[str, Sequence[Floats]], level: float, file: Path) -> None:
    """A panel for each searcher: means and 95% intervals over seeds, beside random and nsga2."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    names = [name for name in sorted(curves) if name != CHANCE]
    rows = math.ceil(len(names) / COLUMNS)
    figure, axes = pyplot.subplots(
        rows, COLUMNS, figsize=(3.2 * COLUMNS, 2.4 * rows + 0.6), sharex=True, sharey=True,
        squeeze=False, layout="constrained",
    )  # fmt: skip
    for axis, name in zip(axes.flat, names, strict=False):
        _band(axis, curves[CHANCE], "0.55", CHANCE)
        if name != LEVEL:
            _band(axis, curves[LEVEL], "tab:orange", LEVEL)
        _band(axis, curves[name], "tab:blue", name)
        axis.axhline(level, color="0.3", lw=0.7, ls=":")
        axis.set(title=name, ylim=(0.6, 1.005), xlim=(0, 400))
        axis.grid(alpha=0.25)
        axis.legend(loc="lower right", fontsize=7, frameon=False)
    for axis in axes.flat[len(names) :]:
        axis.set_visible(False)
    figure.supxlabel("networks evaluated")
    figure.supylabel("share of the exact hypervolume")
    figure.suptitle(
        "NAS-Bench-Macro, error and MACs: means and 95% intervals over seeds "
        "(dotted: nsga2 after 500)",
        fontsize=10,
    )
    figure.savefig(file, dpi=110)
    print(f"written to {file}")


def _band(axis: Any, curves: Sequence[Floats], colour: str, label: str) -> None:
    from scipy.stats import t

    length = min(map(len, curves))
    stack = np.array([curve[:length] for curve in curves])
    mean = stack.mean(axis=0)
    half = t.ppf(0.975, len(stack) - 1) * stack.std(axis=0, ddof=1) / len(stack) ** 0.5
    at = np.arange(1, length + 1)
    axis.plot(at, mean, color=colour, lw=1.2, label=label)
    axis.fill_between(at, mean - half, mean + half, color=colour, alpha=0.25, lw=0)
