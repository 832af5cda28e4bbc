"""An evaluation of predictors as rows of a table: for JSON, as CSV, on the terminal."""

from __future__ import annotations

import csv
import dataclasses
import io
import math
from collections.abc import Iterable, Sequence
from typing import Any

from rich.table import Table

from predictors.evaluation import Summary

__all__ = ["as_csv", "as_row", "as_table"]


def as_row(name: str, size: int, found: Summary) -> dict[str, Any]:
    """What is said of a predictor; ``size`` is what it was fitted on, 0 for what needs no fit."""
    row: dict[str, Any] = {"predictor": name, "samples": size, "counted": found.counted}
    for key, value in dataclasses.asdict(found.mean).items():
        row[key] = _number(value)
        row[f"{key}_half"] = _number(getattr(found.half, key))
    return row


def as_csv(rows: Sequence[dict[str, Any]]) -> str:
    """The rows, with a head."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def as_table(rows: Iterable[dict[str, Any]]) -> Table:
    """The rows, for a terminal."""
    caption = "regret in points; ±: other draws from the same networks, wider for others"
    # Within 80 columns; in fewer a name is folded, never cut.
    table = Table(
        box=None,
        padding=(0, 1),
        pad_edge=False,
        collapse_padding=True,
        header_style="bold",
        caption=caption,
        caption_justify="left",
    )
    table.add_column("predictor", overflow="fold")
    titles = ("samples", "draws", "Kendall", "Spearman", "regret\nof 10", "in 90%\ninterval")
    for title in titles:
        table.add_column(title, justify="right", overflow="fold")
    for row in rows:
        table.add_row(
            row["predictor"],
            str(row["samples"] or "none"),
            str(row["counted"]),
            _spread(row, "kendall", 3),
            _spread(row, "spearman", 3),
            _spread(row, "regret", 2),
            _spread(row, "coverage", 2),
        )
    return table


def _number(value: float) -> float | None:
    return round(value, 6) if math.isfinite(value) else None


def _spread(row: dict[str, Any], key: str, digits: int) -> str:
    value, half = row[key], row[f"{key}_half"]
    if value is None:
        return ""
    return f"{value:.{digits}f}" + (f"±{half:.{digits}f}" if half is not None else "")
