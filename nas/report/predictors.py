"""A page of its own: how good predictors are, against how many subnets they were fitted on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from nas.report.draw import chart as draw
from nas.report.draw.markup import Html, el
from nas.report.draw.numbers import fixed
from nas.report.draw.scale import padded, spread
from nas.report.sections.common import section, table
from search_spaces.files import write_atomic

__all__ = ["write_predictors"]

# What a figure shows: its title, the axis, decimals of the table.
FIGURES = {
    "kendall": ("Ranks of networks that were not fitted on", "Kendall's tau", 3),
    "regret": ("Lost by measuring only the ten that are predicted best", "points", 2),
    "coverage": ("Accuracies within their 90% interval", "share", 2),
}
COLUMNS = ("kendall", "spearman", "regret", "coverage")
HEADS = ("Kendall", "Spearman", "regret", "in 90%")
# Colours that are told apart by who sees few, on light and dark; Okabe and Ito (2008).
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c8c8c")


def write_predictors(document: Mapping[str, Any], path: Path) -> None:
    """Write the page of an evaluation's ``rows`` atomically; nothing in it has to be loaded.

    Raises:
        NasLoopError: the file cannot be written.
    """
    rows = document["rows"]
    style = resources.files("nas.report").joinpath("style.css").read_text(encoding="utf-8")
    names = list(dict.fromkeys(row["predictor"] for row in rows if row["samples"]))
    marks = {name: f"predictor-{k % len(COLOURS)}" for k, name in enumerate(names)}
    title = f"Predictors of accuracy, on {document['networks']} measured subnets"
    head = el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("meta", name="color-scheme", content="light dark"),
        el("title", title),
        el("style", Html(style + _colours())),
    )
    figures = [_figure(key, rows, marks, document["repeats"]) for key in FIGURES]
    body = el("body", el("h1", title), el("main", figures, _table(rows)))
    write_atomic(path, f"<!doctype html>\n{el('html', head, body, lang='en')}\n")


def _colours() -> str:
    return "".join(
        f".line.predictor-{k}{{stroke:{colour}}}.key.predictor-{k}{{background:{colour}}}"
        f"circle.predictor-{k}{{fill:{colour}}}\n"
        for k, colour in enumerate(COLOURS)
    )


def _figure(
    key: str, rows: Sequence[Mapping[str, Any]], marks: Mapping[str, str], repeats: int
) -> Html:
    title, axis, digits = FIGURES[key]
    lines = {
        name: [
            (row["samples"], row[key])
            for row in rows
            if row["predictor"] == name and row["samples"] and row[key] is not None
        ]
        for name in marks
    }
    caption = f"Means of {repeats} repetitions with networks drawn anew."
    return section(
        key,
        title,
        draw.figure(
            lambda width: _draw(width, axis, digits, lines, marks),
            el("span", caption),
            [(class_, name) for name, class_ in marks.items()],
        )
        if any(lines.values())
        else None,
    )


def _draw(
    width: int,
    axis: str,
    digits: int,
    lines: Mapping[str, Sequence[tuple[float, float]]],
    marks: Mapping[str, str],
) -> Html:
    numbers = [n for points in lines.values() for n, _ in points]
    values = [value for points in lines.values() for _, value in points]
    log = spread(numbers)
    plot = draw.plot(
        width,
        280,
        padded(numbers, log=log),
        padded(values),
        ("subnets fitted on", axis),
        log=(log, False),
    )
    drawn = [
        [
            draw.line(plot, points, marks[name]),
            draw.circles(
                plot,
                ((n, value, f"{name}, {n}: {fixed(value, digits)}") for n, value in points),
                marks[name],
            ),
        ]
        for name, points in lines.items()
    ]
    return draw.chart(plot, drawn, f"Lines: {axis} of {', '.join(lines)} over subnets fitted on")


def _table(rows: Sequence[Mapping[str, Any]]) -> Html:
    return section(
        "numbers",
        "All numbers",
        table(
            "Mean, and half of its 95% interval over the draws that ranked anything. Draws share "
            "networks: the interval is of other draws from these, and too narrow for other "
            "networks (Nadeau and Bengio, 2003). What was fitted on none is judged on what the "
            "largest draws left over.",
            ("predictor", "samples", "draws", *(head for key in HEADS for head in (key, "±"))),
            [
                (
                    row["predictor"],
                    row["samples"] or "none",
                    row["counted"],
                    *(fixed(row[key + part], 3) for key in COLUMNS for part in ("", "_half")),
                )
                for row in rows
            ],
            broad=True,
        ),
    )
