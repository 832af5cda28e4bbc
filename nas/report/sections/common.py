"""What all parts of a report are made of."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence

from nas.report.data import ReportData
from nas.report.draw.markup import Child, Html, el

__all__ = ["command", "missing", "search_command", "section", "table", "untested"]


def section(name: str, title: str, *children: Child) -> Html:
    """A part of the page, to be linked as ``#name``."""
    return el("section", el("h2", title, id=name), *children, aria_labelledby=name)


def missing(what: str, how: str) -> Html:
    """Says that a part is missing, and the command that makes it."""
    return el("p", what, " Run ", el("code", how), ".", class_="missing")


def elsewhere(data: ReportData) -> Html | None:
    """Says that the search was for a fleet, whose part has its fronts, where there is no other."""
    if data.front is not None or data.fleet is None:
        return None
    text = "The search was for a fleet: its fronts, networks and latencies stand under "
    return el("p", text, el("a", "Fleet", href="#fleet"), ".", class_="missing")


def untested(data: ReportData) -> Html | None:
    """Says that test accuracies are missing, where there are images to test on."""
    if data.test is not None or not data.images:
        return None
    where = () if data.searched is None else ("--search", shlex.quote(data.searched))
    return missing("There are no test accuracies.", command(data, "report", *where))


def command(data: ReportData, name: str, *arguments: str) -> str:
    """A command of this run, as it is typed."""
    return " ".join(["nas", name, shlex.quote(data.folder), *arguments])


def search_command(data: ReportData) -> str:
    """The search of this run, with the budget left open; without images it names a proxy."""
    guide = () if data.images else ("--proxy macs",)
    where = () if data.searched is None else ("-o", shlex.quote(data.searched))
    return command(data, "search", "--latency-ms BUDGET", *guide, *where)


def table(
    caption: str,
    header: Sequence[Child],
    rows: Iterable[Sequence[Child]],
    marked: int | None = None,
    *,
    broad: bool = False,
) -> Html:
    """A table that can be copied: one number a cell, units in the header.

    The first column names the row; row ``marked`` stands out. A ``broad`` one may
    leave the column of text.
    """
    body = [
        el(
            "tr",
            el("th", first, scope="row"),
            [el("td", cell) for cell in cells],
            class_="marked" if number == marked else None,
        )
        for number, (first, *cells) in enumerate(rows)
    ]
    head = el("tr", [el("th", title, scope="col") for title in header])
    return el(
        "div",
        el("table", el("caption", el("span", caption)), el("thead", head), el("tbody", body)),
        class_="scroll broad" if broad else "scroll",
        tabindex=0,
        role="region",
        aria_label=caption,
    )
